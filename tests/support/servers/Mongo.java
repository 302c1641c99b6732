import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import java.util.List;

/** The MongoDB protocol on a free port, in memory. Prints its URL; ends when its input does. */
public class Mongo {
    // It would say wire version 8, with which current drivers do not talk.
    private record Version(List<Integer> getVersionArray, int getWireVersion) implements MongoVersion {}

    public static void main(String[] arguments) throws Exception {
        H2Backend backend = H2Backend.inMemory();
        backend.version(new Version(List.of(4, 4, 0), 9));
        System.out.println(new MongoServer(backend).bindAndGetConnectionString());
        while (System.in.read() >= 0) {}
        System.exit(0);
    }
}
