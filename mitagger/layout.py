"""What the distributed engines should hold for all services together: topics and indexes, from data beside the code."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitagger.serve import MODELS, behind
from shared.bus.port import Subscription
from shared.engine import opened
from shared.errors import Unsupported
from shared.search import meilisearch
from shared.search.meilisearch import MeilisearchSearch, SettingDifference
from shared.settings import EMBEDDED, Settings

if TYPE_CHECKING:
    from shared.bus.topics import Change, Topic
    from shared.documents.mongo import IndexDifference, MongoDocuments


async def subscriptions() -> list[Subscription]:
    """Of all services, wired as they run, on embedded engines that are gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder), bus=EMBEDDED, documents=EMBEDDED, search=EMBEDDED, blobs=EMBEDDED)
        async with opened(settings, ()) as engine:
            return [each for service in behind(engine, settings) for each in service.subscriptions]


class Topics:
    """The topics on Kafka, beside those that there should be."""

    def __init__(self, admin: Any, wanted: Sequence["Topic"]) -> None:
        self._admin = admin
        self.wanted = wanted

    async def plan(self) -> list["Change"]:
        """What differs. Raises Unavailable."""
        from shared.bus.topics import plan  # noqa: PLC0415 - an optional package

        return await plan(self._admin, self.wanted)

    async def apply(self, changes: Sequence["Change"], *, allow_loss: bool) -> None:
        """Raises Invalid, before anything is changed, when records or their order would be lost and may not be;
        Unavailable."""
        from shared.bus.topics import apply  # noqa: PLC0415

        await apply(self._admin, changes, harmful=allow_loss)


@asynccontextmanager
async def topics(settings: Settings) -> AsyncIterator[Topics]:
    """Raises Unsupported on the embedded engines, Invalid, Unavailable."""
    _distributed(settings, "topics")
    from aiokafka.admin import AIOKafkaAdminClient  # noqa: PLC0415 - an optional package

    from shared.bus.kafka_address import parsed  # noqa: PLC0415
    from shared.bus.topics import answering, wanted  # noqa: PLC0415

    address = parsed(settings.bus)
    admin = AIOKafkaAdminClient(**address.client)
    try:
        async with answering():
            await admin.start()
        yield Topics(admin, wanted(await subscriptions(), prefix=address.prefix))
    finally:
        await admin.close()


class Indexes:
    """The indexes on MongoDB, beside those that the models need, and the search index on Meilisearch, where it is."""

    def __init__(self, documents: "MongoDocuments", search: MeilisearchSearch | None) -> None:
        self._documents = documents
        self._search = search

    async def plan(self) -> list["IndexDifference"]:
        """What differs. Raises Unavailable."""
        return await self._documents.plan(MODELS)

    async def search_plan(self) -> list[SettingDifference]:
        """Which settings of the search index differ. Raises Unavailable."""
        return await self._search.plan() if self._search is not None else []

    async def apply(self) -> None:
        """Creates what is missing and sets what differs in the search index, which is whole meanwhile. Raises Invalid,
        before anything is changed, where an index on MongoDB is another one; Unavailable."""
        await self._documents.prepare(MODELS)
        if self._search is not None:
            await self._search.apply()


@asynccontextmanager
async def indexes(settings: Settings) -> AsyncIterator[Indexes]:
    """Raises Unsupported on the embedded engines, Invalid."""
    _distributed(settings, "indexes")
    from shared.documents.mongo import MongoDocuments  # noqa: PLC0415 - an optional package
    from shared.mongo import connected  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connected(settings.documents))
        search = None
        if settings.search != EMBEDDED:
            search = await stack.enter_async_context(meilisearch.opened(settings.search, settings.key_for_search()))
        yield Indexes(MongoDocuments(database, lambda collection: None), search)


def _distributed(settings: Settings, what: str) -> None:
    if settings.bus == EMBEDDED:
        raise Unsupported(
            f"The embedded engines have no {what} to plan: the store makes what it needs.",
            remedy="Set MITAGGER_BUS and MITAGGER_DOCUMENTS for Kafka and MongoDB.",
        )
