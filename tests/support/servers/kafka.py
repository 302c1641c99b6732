"""Apache Kafka for a test run: the one that MITAGGER_TEST_KAFKA names (host:port), else a container where Docker
answers, else the packages of Maven Central on this machine's Java.

One broker serves the whole run, whatever the number of pytest workers; tests keep apart by a topic prefix each. It is
owned by a process of its own that ends it when the last pytest process is gone, also when that was killed.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from filelock import FileLock
from platformdirs import user_cache_path

from tests.support.ports import reserved

VERSION: Final = "4.1.0"
START_SECONDS: Final = 60
JAVA_OPTIONS: Final = ("-Xms64m", "-Xmx300m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>org.mitagger</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.1</version></dependency>
  </dependencies>
</project>
"""


@cache
def address() -> str:
    """host:port of the run's broker, which lives at least as long as this process. The first caller starts it.

    Raises RuntimeError, saying what is missing, when there is no way to run one here.
    """
    named = os.environ.get("MITAGGER_TEST_KAFKA")
    if named:
        return named.removeprefix("kafka://")
    # Workers of one pytest run share its id; without workers the process is the run.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    folder = Path(tempfile.gettempdir()) / f"mitagger-kafka-{os.getuid()}-{run}"
    with FileLock(f"{folder}.lock"):
        folder.mkdir(exist_ok=True)
        _hold(folder)
        found = folder / "address"
        if not found.exists():
            _own(folder)
        return found.read_text()


_held: list[IO[str]] = []


def _hold(folder: Path) -> None:
    """A shared lock that the system lets go of when this process ends, however it ends."""
    users = open(folder / "users", "a", encoding="utf-8")  # noqa: SIM115 - open for the rest of the process
    fcntl.flock(users, fcntl.LOCK_SH)
    _held.append(users)


def _own(folder: Path) -> None:
    """Starts the owner, and waits until its broker answers."""
    if not _docker():
        libraries()
    log = folder / "owner.log"
    with open(log, "w", encoding="utf-8") as output:
        owner = subprocess.Popen(
            [sys.executable, "-m", "tests.support.servers.kafka", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=Path(__file__).parents[3],
        )
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "address").exists():
        if owner.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Kafka did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def main(folder: Path) -> None:
    """Runs a broker until nobody holds the folder's lock of users any more."""
    with _container() if _docker() else _packaged(folder) as url:
        part = folder / "address.part"
        part.write_text(url)
        part.rename(folder / "address")
        with open(folder / "users", "a", encoding="utf-8") as users:
            fcntl.flock(users, fcntl.LOCK_EX)
    shutil.rmtree(folder, ignore_errors=True)
    Path(f"{folder}.lock").unlink(missing_ok=True)


def properties(port: int, controller: int, logs: str) -> dict[str, str]:
    """A broker that is its own controller. Groups rebalance at once: tests do not wait for members to come. One that
    was killed is taken back within 2 s, not 9."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": logs,
        "auto.create.topics.enable": "false",
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "2000",
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
    }


class Broker:
    """A broker from packages whose tests stop it, kill it and start it again on the same port and data. With a user,
    it has a second door as well, with TLS, for who knows the password."""

    def __init__(self, folder: Path, *, user: str = "", password: str = "") -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._port, controller, secure = reserved(3)
        self._config = folder / "server.properties"
        settings = properties(self._port, controller, str(folder / "logs"))
        if user:
            settings = _secured(settings, folder, secure, user, password)
            self.secure_url = f"kafkas://{user}:{quote(password, safe='')}@127.0.0.1:{secure}/?ca={folder / 'ca.pem'}"
        self._config.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        (folder / "log4j2.properties").write_text(
            "rootLogger.level=warn\nrootLogger.appenderRef.out.ref=out\n"
            "appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n"
            "appender.out.layout.pattern=%d %p %m (%c)%n\n"
        )
        self._java("kafka.tools.StorageTool", "format", "-t", "bWl0YWdnZXItdGVzdC1ydQ", "-c", str(self._config)).wait()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        self._process = self._java("kafka.Kafka", str(self._config))
        deadline = time.monotonic() + START_SECONDS
        while not _answers(self._port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"Kafka did not start: {(self._folder / 'kafka.log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        options = (*JAVA_OPTIONS, f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}")
        with open(self._folder / "kafka.log", "ab") as log:
            return subprocess.Popen(
                ["java", *options, "-cp", f"{libraries()}/*", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def _secured(settings: dict[str, str], folder: Path, port: int, user: str, password: str) -> dict[str, str]:
    """The settings with a door for TLS and SASL, its certificate made by Java's keytool."""
    store = ["-keystore", str(folder / "keys.p12"), "-storepass", "not a secret", "-alias", "broker"]
    name = ["-dname", "CN=127.0.0.1", "-ext", "san=ip:127.0.0.1", "-validity", "2"]
    _run(["keytool", "-genkeypair", "-keyalg", "EC", *name, *store], cwd=folder)
    _run(["keytool", "-exportcert", "-rfc", "-file", str(folder / "ca.pem"), *store], cwd=folder)
    login = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    return settings | {
        "listeners": f"{settings['listeners']},SECURE://:{port}",
        "advertised.listeners": f"{settings['advertised.listeners']},SECURE://127.0.0.1:{port}",
        "listener.security.protocol.map": f"{settings['listener.security.protocol.map']},SECURE:SASL_SSL",
        "listener.name.secure.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secure.plain.sasl.jaas.config": f'{login} user_{user}="{password}";',
        "ssl.keystore.location": str(folder / "keys.p12"),
        "ssl.keystore.password": "not a secret",
    }


@contextmanager
def _packaged(folder: Path) -> Iterator[str]:
    broker = Broker(folder)
    broker.start()
    try:
        yield broker.address
    finally:
        broker.kill()  # nobody is left who could read what a clean stop would save


@contextmanager
def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    port, controller = reserved(2)
    settings = properties(port, controller, "/tmp/kafka")
    container = DockerContainer(f"apache/kafka:{VERSION}").with_bind_ports(port, port)
    for key, value in settings.items():
        container = container.with_env(f"KAFKA_{key.upper().replace('.', '_')}", value)
    with container:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"


@cache
def libraries() -> Path:
    """Folder of the broker's 46 jars, fetched from Maven Central once. Raises RuntimeError without Java or Maven."""
    folder = user_cache_path("mitagger", appauthor=False) / "tests" / f"kafka-{VERSION}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            if not (shutil.which("java") and shutil.which("mvn")):
                raise RuntimeError(
                    "The tests marked `servers` need Kafka: name one in MITAGGER_TEST_KAFKA (host:port),"
                    ' start Docker, install Java and Maven, or leave them out with -m "not servers".'
                )
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                (Path(scratch) / "pom.xml").write_text(POM)
                _run(["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=libs"], cwd=Path(scratch))
                (Path(scratch) / "libs").rename(folder)
    return folder


def _run(command: Sequence[str], *, cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stdout + done.stderr)[-2000:]}")


@cache
def _docker() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False).returncode == 0


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
