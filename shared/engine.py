"""The engines behind the ports, chosen by the settings and put together: what every service is given."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from filelock import FileLock, Timeout

from shared.blobs import Blobs
from shared.bus.log import EventLog
from shared.bus.port import Bus
from shared.bus.sqlite import SqliteBus
from shared.documents.port import Document, Documents
from shared.documents.sqlite import SqliteDocuments
from shared.errors import Invalid, Unsupported
from shared.grants import Signer
from shared.search.fts5 import Fts5Search
from shared.search.port import Search
from shared.settings import EMBEDDED, Settings
from shared.sqlite import Database


@dataclass(frozen=True, slots=True)
class Engine:
    """Ports in use, and the key that signs tokens and grants."""

    documents: Documents
    bus: Bus
    search: Search
    blobs: Blobs
    signer: Signer


@asynccontextmanager
async def opened(settings: Settings, models: Sequence[type[Document]]) -> AsyncIterator[Engine]:
    """The engines of these settings, with collections for these models; closed at the end. The bus is not started.

    Raises Invalid when another server holds the data folder, StoreTooNew, Unsupported.
    """
    if (settings.bus, settings.documents, settings.search) != (EMBEDDED, EMBEDDED, EMBEDDED):
        raise Unsupported(
            "This version has the embedded engines only.",
            remedy="Remove MITAGGER_BUS, MITAGGER_DOCUMENTS and MITAGGER_SEARCH from the settings.",
        )
    settings.data.mkdir(parents=True, exist_ok=True)
    lock = FileLock(settings.data / "lock", blocking=False)
    try:
        lock.acquire()
    except Timeout as error:
        raise Invalid(
            f"Another MITagger serves the data folder {settings.data}.",
            remedy="Stop it, talk to it (mitagger status), or choose another folder with --data.",
        ) from error
    try:
        database = Database(settings.data / "mitagger.sqlite")
        await database.open()
        try:
            log = EventLog()
            documents, bus, search = SqliteDocuments(database, log), SqliteBus(database, log), Fts5Search(database)
            await documents.prepare(models)
            await bus.prepare()
            await search.prepare()
            files = f"file://{(settings.data / 'blobs').resolve()}" if settings.blobs == EMBEDDED else settings.blobs
            blobs = Blobs(files, scratch=settings.data / "scratch")
            await asyncio.to_thread(blobs.sweep)
            yield Engine(documents, bus, search, blobs, Signer(settings.signing_key()))
        finally:
            await database.close()
    finally:
        lock.release()
