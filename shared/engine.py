"""The engines behind the ports, chosen by the settings and put together: what every service is given."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from shared.blobs import Blobs
from shared.bus.log import EventLog
from shared.bus.port import Bus
from shared.bus.sqlite import SqliteBus
from shared.documents.port import Document, Documents, Outbox
from shared.documents.sqlite import NoOutbox, SqliteDocuments
from shared.erasures import Erasures, FileErasures
from shared.errors import Invalid, Unsupported
from shared.grants import Signer
from shared.scratch import swept
from shared.search import meilisearch
from shared.search.fts5 import Fts5Search
from shared.search.port import Search
from shared.settings import EMBEDDED, Settings
from shared.sqlite import Database

# In the data folder.
STORE: Final = "mitagger.sqlite"
ERASURES: Final = "erasures.log"
RESTORING: Final = "restoring"  # there while a restore replaces the store


@dataclass(frozen=True, slots=True)
class Engine:
    """Ports in use, and the key that signs tokens and grants."""

    documents: Documents
    outbox: Outbox
    bus: Bus
    search: Search
    blobs: Blobs
    erasures: Erasures
    signer: Signer


def opened(settings: Settings, models: Sequence[type[Document]]) -> AbstractAsyncContextManager[Engine]:
    """The engines of these settings, with collections for these models; closed at the end. The bus is not started.

    Raises Invalid when the settings do not fit together or another server holds the data folder; Unavailable when an
    engine cannot be reached; StoreTooNew; Unsupported.
    """
    if (settings.bus == EMBEDDED) != (settings.documents == EMBEDDED):
        raise Invalid(
            "State and events must become durable together: bus and documents are both embedded, or neither is.",
            field="bus",
            remedy="Set both MITAGGER_BUS (kafka://…) and MITAGGER_DOCUMENTS (mongodb://…), or none of them.",
        )
    return _embedded(settings, models) if settings.bus == EMBEDDED else _distributed(settings, models)


@contextmanager
def locked(data: Path) -> Iterator[None]:
    """The data folder for this process alone. Raises Invalid when another has it."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FileLock(data / "lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise Invalid(
            f"Another MITagger serves the data folder {data}.",
            remedy="Stop it, talk to it (mitagger status), or choose another folder with --data.",
        ) from error
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _embedded(settings: Settings, models: Sequence[type[Document]]) -> AsyncIterator[Engine]:
    """One SQLite file for one process."""
    with locked(settings.data):
        if (settings.data / RESTORING).exists():
            raise Invalid(
                f"A restore into {settings.data} was interrupted.", remedy="Run the same mitagger restore again."
            )
        async with _database(settings, STORE) as database, _search(settings, database) as search:
            log = EventLog()
            documents, bus = SqliteDocuments(database, log), SqliteBus(database, log)
            await documents.prepare(models)
            await bus.prepare()
            blobs = blobs_of(settings)
            await asyncio.to_thread(blobs.sweep)
            erasures = FileErasures(settings.data / ERASURES)
            yield Engine(documents, NoOutbox(), bus, search, blobs, erasures, Signer(settings.signing_key()))


@asynccontextmanager
async def _distributed(settings: Settings, models: Sequence[type[Document]]) -> AsyncIterator[Engine]:
    """MongoDB and Kafka, for any number of processes. The outbox relay runs with them."""
    try:
        # Optional packages: the extra "distributed".
        from shared.bus.kafka import KafkaBus  # noqa: PLC0415
        from shared.bus.kafka_address import parsed  # noqa: PLC0415
        from shared.documents.mongo import MongoDocuments  # noqa: PLC0415
        from shared.documents.outbox import Relay  # noqa: PLC0415
        from shared.mongo import MongoErasures, connected  # noqa: PLC0415
    except ImportError as error:
        raise Unsupported(
            f"The distributed engines need the package {error.name}.", remedy='Install "mitagger[distributed]".'
        ) from error
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    signer = Signer(settings.signing_key())
    bus, blobs = KafkaBus(parsed(settings.bus)), blobs_of(settings)
    with swept(blobs, settings.data):
        async with (
            connected(settings.documents) as mongo,
            _database(settings, "search.sqlite") as database,
            _search(settings, database) as search,
        ):
            await bus.open()
            relay = Relay(mongo, bus, models)
            try:
                documents = MongoDocuments(mongo, relay.wake)
                await documents.prepare(models)
                await relay.start()
                yield Engine(documents, relay, bus, search, blobs, MongoErasures(mongo), signer)
            finally:
                await relay.stop()
                await bus.close()


@asynccontextmanager
async def _database(settings: Settings, name: str) -> AsyncIterator[Database]:
    database = Database(settings.data / name)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _search(settings: Settings, database: Database) -> AsyncIterator[Search]:
    """In this database, or on Meilisearch: beside either of the other engines, for what is in it can be made again.
    Whoever uses it prepares it."""
    if settings.search == EMBEDDED:
        yield Fts5Search(database)
        return
    async with meilisearch.opened(settings.search, settings.key_for_search()) as search:
        yield search


def blobs_of(settings: Settings, scratch: Path | None = None) -> Blobs:
    """Where files are kept, by these settings. `scratch`: see Blobs; by default in the data folder."""
    local = f"file://{(settings.data / 'blobs').resolve()}"
    return Blobs(local if settings.blobs == EMBEDDED else settings.blobs, scratch=scratch or settings.data / "scratch")
