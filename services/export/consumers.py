"""The event door: events become figure records, records become search entries."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from services.export.indexing import Indexing
from services.export.jobs import Exports
from services.export.merge import merged
from services.export.model import FigureRecord
from shared.bus.port import Subscription
from shared.documents.port import Collection
from shared.errors import Erased
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn


class Projection:
    """Keeps the records and the index that is derived from them.

    A record is stored before it is indexed, and both before the position is committed: dying between means that the
    events come again, and then the index is written even though the record does not change.
    """

    def __init__(self, figures: Collection[FigureRecord], indexing: Indexing, exports: Exports) -> None:
        self._figures = figures
        self._indexing = indexing
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
        await self._indexing.bring(list(by_figure))
        if erased:
            await asyncio.gather(*(self._figures.erase(figure) for figure in erased))
            await self._indexing.bring(erased)
            await self._exports.withdraw()

    async def _record(self, figure: str, events: Sequence[Event]) -> None:
        try:
            await self._figures.update(
                figure, lambda record: (reduce(merged, events, record), ()), initial=FigureRecord(id=figure)
            )
        except Erased:
            return  # its tombstone stands: late events of an erased figure change nothing
