"""The mappings in use: what recommender says of them, and what the tagged figures make of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from services.export.mapped import Remap, ToVocabulary
from services.export.model import FigureRecord, MappingsInUse, MappingsRecord
from shared.blobs import Blobs
from shared.bus.port import Subscription
from shared.documents.pages import pages
from shared.documents.port import Collection
from shared.errors import Invalid, NotFound
from shared.events.envelope import Event
from shared.events.mapping import MappingsActivated
from shared.vocabulary.mappings import Mappings, opened
from shared.vocabulary.pairs import prefix_of

PAGE: Final = 200


class MappingUse:
    """A projection of mappings.activated, and what it is for."""

    def __init__(self, figures: Collection[FigureRecord], records: Collection[MappingsRecord], blobs: Blobs) -> None:
        self._figures = figures
        self._records = records
        self._blobs = blobs

    def subscription(self) -> Subscription:
        return Subscription(group="export.mappings", topics=(MappingsActivated,), handler=self.handle)

    async def handle(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, MappingsActivated):
                await self._records.update(
                    MappingsRecord.ID,
                    lambda record, event=event: (known(record, event), ()),  # type: ignore[misc]
                    initial=MappingsRecord(id=MappingsRecord.ID),
                )

    async def in_use(self) -> MappingsInUse | None:
        try:
            return (await self._records.get(MappingsRecord.ID)).mappings
        except NotFound:
            return None

    async def leading_to(self, vocabulary: str) -> MappingsInUse:
        """The mappings in use. Raises Invalid where nothing leads to this vocabulary."""
        using = await self.in_use()
        targets = await self.targets(using)
        if using is None or prefix_of(vocabulary) not in targets:
            some = ", ".join(list(targets)[:10])
            raise Invalid(
                f"No mappings to {vocabulary[:64]} are in use.",
                remedy=f"Mappings lead to {some}." if some else "An administrator imports and activates some first.",
            )
        return using

    async def targets(self, using: MappingsInUse | None) -> dict[str, int]:
        """To which vocabularies something leads, with how many of their concepts; the most first."""
        if using is None:
            return {}
        async with self._opened(using) as mappings:
            return await asyncio.to_thread(mappings.targets)

    async def remap(self, project: str, source: str, target: str) -> tuple[MappingsInUse, Remap]:
        """What the final tags of one vocabulary are in another. Raises Invalid where nothing leads there, or both are
        one."""
        if prefix_of(source) == prefix_of(target):
            raise Invalid("From and to are one vocabulary.", field="to", remedy="Name another one.")
        using = await self.leading_to(target)
        async with self._opened(using) as mappings:
            remap = Remap(source, ToVocabulary(mappings, target))
            approved = {"project": project, "status": "approved"}
            async for page in pages(self._figures, approved, sort=["place"], limit=PAGE):
                await asyncio.to_thread(remap.add, page)
            return using, remap

    @asynccontextmanager
    async def _opened(self, using: MappingsInUse) -> AsyncIterator[Mappings]:
        async with self._blobs.local(using.artefact) as path:
            with opened(path) as mappings:
                yield mappings


def known(record: MappingsRecord, event: MappingsActivated) -> MappingsRecord:
    """The record after an event; the same where it knew as much or more."""
    if event.revision <= record.revision:
        return record
    using = (
        None if event.artefact is None else MappingsInUse(set=event.set, artefact=event.artefact, members=event.members)
    )
    return record.changed(revision=event.revision, mappings=using)
