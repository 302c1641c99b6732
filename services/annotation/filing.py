"""History over the documents. A write leaves its entry in the assignment (`recent`); once `RECENT` have gathered, the
next write first files them as documents of their own, whose ids are computed: broken off between, they are filed again.
"""

from collections.abc import Iterable
from typing import Final

from services.annotation.model import Assignment, Entry, HistoryEntry
from shared.documents.port import Collection, Documents, Range, Where

RECENT: Final = 8
_PAGE: Final = 500


class Filing:
    """Entries of assignments, filed and recent ones."""

    def __init__(self, documents: Documents) -> None:
        self._history: Collection[HistoryEntry] = documents.collection(HistoryEntry)

    async def file(self, assignment: Assignment) -> frozenset[int]:
        """Files the recent entries once enough have gathered. Returns the numbers of those filed."""
        if len(assignment.recent) < RECENT:
            return frozenset()
        await self._history.insert_many(
            [
                HistoryEntry(
                    id=f"{assignment.id}.{entry.number}",
                    assignment=assignment.id,
                    figure=assignment.figure,
                    number=entry.number,
                    entry=entry,
                )
                for entry in assignment.recent
            ]
        )
        return frozenset(entry.number for entry in assignment.recent)

    async def erase(self, assignment: str, numbers: Iterable[int]) -> None:
        """Erases what was filed of an assignment that was erased meanwhile."""
        for number in numbers:
            await self._history.erase(f"{assignment}.{number}")

    async def filed(self, assignment: str, *, start: int, limit: int) -> list[Entry]:
        """At most `limit` of those filed, from number `start`, in order."""
        where: Where = {"assignment": assignment, "number": Range(gte=start)}
        page = await self._history.find(where, sort=("number",), limit=limit)
        return [filed.entry for filed in page.items]

    async def entries(self, assignment: Assignment, *, start: int, limit: int) -> list[Entry]:
        """At most `limit` from number `start`, in order."""
        entries = {entry.number: entry for entry in await self.filed(assignment.id, start=start, limit=limit)}
        entries.update({entry.number: entry for entry in assignment.recent if entry.number >= start})
        return [entries[number] for number in sorted(entries)][:limit]

    async def all(self, assignment: Assignment) -> list[Entry]:
        """Every one, in order."""
        entries: list[Entry] = []
        while page := await self.entries(assignment, start=entries[-1].number + 1 if entries else 1, limit=_PAGE):
            entries += page
        return entries
