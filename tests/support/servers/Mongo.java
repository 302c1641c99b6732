import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * The MongoDB protocol on a free port, in memory. Prints its URL; ends when its input does. Each line of it is the path of
 * a file that is made then: whoever joins knows by it that the end was not there yet, so will not come before they go.
 */
public class Mongo {
    // It would say wire version 8, with which current drivers do not talk.
    private record Version(List<Integer> getVersionArray, int getWireVersion) implements MongoVersion {}

    public static void main(String[] arguments) throws Exception {
        H2Backend backend = H2Backend.inMemory();
        backend.version(new Version(List.of(4, 4, 0), 9));
        System.out.println(new MongoServer(backend).bindAndGetConnectionString());
        BufferedReader joining = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = joining.readLine()) != null; ) Files.createFile(Path.of(line));
        System.exit(0);
    }
}
