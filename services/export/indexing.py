"""How the search index comes to say what the records say, whoever else writes to both at the same time."""

from collections.abc import Awaitable, Callable, Sequence

from services.export.entries import entry_of
from services.export.model import FigureRecord
from shared import metrics
from shared.documents.port import Collection
from shared.search.port import FigureEntry, Search

Put = Callable[[Sequence[FigureEntry]], Awaitable[None]]


class Indexing:
    """Writes records to the index, and looks at the records again afterwards.

    No engine has to compare versions. Whoever stores a record indexes it afterwards; whoever has indexed a record that
    moved on meanwhile, or was erased, does it again. So the last write to the index is of the record as it stands: had
    it been of an older one, either its writer would have seen that afterwards and written again, or the newer record
    was stored later still, and is yet to be indexed by whoever stored it (docs/decisions/0011-meilisearch.md).
    """

    def __init__(self, figures: Collection[FigureRecord], search: Search) -> None:
        self._figures = figures
        self._search = search

    async def bring(self, figures: Sequence[str]) -> None:
        """The index says of these figures what their records say. Raises Unavailable."""
        await self._bring(figures, self._search.put)

    async def fill(self, figures: Sequence[str]) -> None:
        """The same for the index that is being filled. Raises Conflict when there is none."""
        await self._bring(figures, self._search.fill)

    async def _bring(self, figures: Sequence[str], put: Put) -> None:
        left = list(dict.fromkeys(figures))
        while left:
            records = await self._figures.get_many(left)
            versions = {record.id: record.version for record in records}
            entries = [entry for entry in map(entry_of, records) if entry is not None]
            await put(entries)
            metrics.SEARCH_WRITES.labels("put").inc(len(entries))
            gone = [figure for figure in left if figure not in versions]
            await self._search.remove(gone)
            metrics.SEARCH_WRITES.labels("remove").inc(len(gone))
            after = {record.id: record.version for record in await self._figures.get_many(left)}
            left = [figure for figure in left if after.get(figure) != versions.get(figure)]
