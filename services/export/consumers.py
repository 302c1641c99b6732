"""The event door: events become figure records, records become search entries."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from services.export.entries import entry_of
from services.export.jobs import Exports
from services.export.merge import merged
from services.export.model import FigureRecord
from shared import metrics
from shared.bus.port import Subscription
from shared.documents.port import Collection
from shared.errors import Erased
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
from shared.search.port import Search


class Projection:
    """Keeps the records and the index that is derived from them.

    A record is stored before it is indexed, and both before the position is committed: dying between means that the
    events come again, and then the index is written even though the record does not change.
    """

    def __init__(self, figures: Collection[FigureRecord], search: Search, exports: Exports) -> None:
        self._figures = figures
        self._search = search
        self._exports = exports

    def subscription(self) -> Subscription:
        return Subscription(
            group="export",
            topics=(ImageUploaded, TagAccepted, TagWithdrawn, ReviewDone, ImageDeleted),
            handler=self.handle,
        )

    async def handle(self, events: Sequence[Event]) -> None:
        by_figure: dict[str, list[Event]] = defaultdict(list)
        erased: list[str] = []
        for event in events:
            if isinstance(event, ImageDeleted):
                erased.append(event.figure)
            else:
                by_figure[event.figure].append(event)
        await asyncio.gather(*(self._record(figure, facts) for figure, facts in by_figure.items()))
        await self._index(list(by_figure))
        if erased:
            await asyncio.gather(*(self._figures.erase(figure) for figure in erased))
            await self._search.remove(erased)
            metrics.SEARCH_WRITES.labels("remove").inc(len(erased))
            await self._exports.withdraw()

    async def _record(self, figure: str, events: Sequence[Event]) -> None:
        try:
            await self._figures.update(
                figure, lambda record: (reduce(merged, events, record), ()), initial=FigureRecord(id=figure)
            )
        except Erased:
            return  # its tombstone stands: late events of an erased figure change nothing

    async def _index(self, figures: Sequence[str]) -> None:
        records = await self._figures.get_many(figures)
        entries = [entry for entry in map(entry_of, records) if entry is not None]
        await self._search.put(entries)
        metrics.SEARCH_WRITES.labels("put").inc(len(entries))
        # Somebody who handles image.deleted meanwhile may have removed the entry before it was put.
        standing = {record.id for record in await self._figures.get_many(figures)}
        await self._search.remove([figure for figure in figures if figure not in standing])
