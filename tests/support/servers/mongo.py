"""One server that speaks MongoDB's protocol, for all tests of a run; a database each.

In this order: the one that MITAGGER_TEST_MONGODB names; MongoDB in a container, where Docker answers and
testcontainers is installed; else `mongo-java-server` from Maven Central, which needs Java and, the first time, Maven.
That one knows no sessions, transactions or retried writes, and writes late: it proves no durability.
"""

import contextlib
import os
import select
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from filelock import FileLock
from platformdirs import user_cache_path
from pymongo.asynchronous.database import AsyncDatabase

from shared.clock import new_id
from shared.mongo import connected

ADDRESS: Final = "MITAGGER_TEST_MONGODB"
PACKAGE: Final = ("de.bwaldvogel", "mongo-java-server-h2-backend", "1.47.0")
IMAGE: Final = "mongo:8"
FETCH_SECONDS: Final = 300
JOIN_SECONDS: Final = 30
POLL_MILLISECONDS: Final = 10
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>mitagger.tests</groupId><artifactId>mongo</artifactId><version>1</version><dependencies><dependency>
<groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency></dependencies></project>
"""


class NoServer(Exception):
    """None of the ways leads to a server here; says why."""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server, which ends with the context if it was started for it. Raises NoServer."""
    with contextlib.ExitStack() as stack:
        if ADDRESS in os.environ:
            yield os.environ[ADDRESS]
        elif (container := _container()) is not None:
            yield stack.enter_context(container)
        else:
            yield stack.enter_context(_from_packages())


@asynccontextmanager
async def database(url: str) -> AsyncIterator[AsyncDatabase[dict[str, Any]]]:
    """A database of its own on that server, dropped at the end."""
    async with connected(url) as there:
        mine = there.client.get_database(f"mitagger_{new_id()}", write_concern=there.write_concern)
        try:
            yield mine
        finally:
            await there.client.drop_database(mine.name)


def named(url: str, name: str) -> str:
    """The URL of a database of that name there."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def _container() -> contextlib.AbstractContextManager[str] | None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        return None
    try:
        from testcontainers.mongodb import MongoDbContainer
    except ImportError:
        return None

    @contextmanager
    def running() -> Iterator[str]:
        with MongoDbContainer(IMAGE) as container:
            yield f"{container.get_connection_url()}/?retryWrites=false"  # a server without a replica set

    return running()


@contextmanager
def _from_packages() -> Iterator[str]:
    """A server that lives as long as anybody holds its input open for writing, however they end: whoever comes first
    starts it, the others (other workers of pytest-xdist) join."""
    folder = user_cache_path("mitagger", appauthor=False) / "tests"
    folder.mkdir(parents=True, exist_ok=True)
    held, address = folder / "mongo.joining", folder / "mongo.url"
    with FileLock(folder / "mongo.lock"):
        writer = _joined(held)
        if writer is None:
            libraries = _libraries(folder)
            held.unlink(missing_ok=True)
            os.mkfifo(held)
            reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
            writer = os.open(held, os.O_WRONLY)
            os.set_blocking(reader, True)
            address.write_text(_started(libraries, reader), encoding="utf-8")
            os.close(reader)
        url = address.read_text(encoding="utf-8")
    try:
        yield f"{url}/?retryWrites=false"
    finally:
        os.close(writer)


def _joined(held: Path) -> int | None:
    """The input of the server that is there, open for writing; null where there is none, or one that is ending because
    the last one left it. Raises NoServer."""
    try:
        writer = os.open(held, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # nobody reads it
        return None
    answer = held.with_name(f"mongo.{new_id()}")
    left = select.poll()
    left.register(writer, 0)  # tells when nobody reads it any more
    deadline = time.monotonic() + JOIN_SECONDS
    os.write(writer, f"{answer}\n".encode())
    while not answer.exists():
        if left.poll(POLL_MILLISECONDS):
            os.close(writer)
            return None
        if time.monotonic() > deadline:
            raise NoServer(f"The MongoDB of other tests does not answer on {held}.")
    answer.unlink()
    return writer


def _started(libraries: Path, reader: int) -> str:
    java = shutil.which("java")
    if java is None:
        raise NoServer(f"No MongoDB: {ADDRESS} is not set, Docker does not answer, Java is not installed.")
    process = subprocess.Popen(
        [java, "-Xmx300m", "-cp", f"{libraries}/*", str(Path(__file__).with_name("Mongo.java"))],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # Ctrl+C is for the tests
    )
    assert process.stdout is not None
    with process.stdout as told:
        url = told.readline().strip()
    if not url:
        raise NoServer(f"mongo-java-server does not start from {libraries}.")
    return url


def _libraries(cache: Path) -> Path:
    """The folder of its jars, fetched once. The caller holds the lock."""
    folder = cache / "-".join(PACKAGE[1:])
    if folder.exists():
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise NoServer(f"No MongoDB: {ADDRESS} is not set, Docker does not answer, Maven is not installed.")
    fetched = cache / "fetched"
    fetched.mkdir(exist_ok=True)
    (fetched / "pom.xml").write_text(_POM.format(*PACKAGE), encoding="utf-8")
    command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=."]
    done = subprocess.run(command, cwd=fetched, capture_output=True, text=True, check=False, timeout=FETCH_SECONDS)
    if done.returncode:
        raise NoServer(f"Maven does not bring {':'.join(PACKAGE)}: {done.stdout[-500:]}")
    return fetched.rename(folder)
