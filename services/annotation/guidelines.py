"""Which version of a project's guidelines is in force: what every decision notes."""

from typing import Final

from services.annotation.model import Guidelines
from shared.documents.port import Collection, Documents

_AT_ONCE: Final = 8


class InForce:
    """Numbers follow each other and none goes, so whoever has seen one asks for those after it, by key: most often one
    that is not there, which is cheaper on every engine than to ask for the newest."""

    def __init__(self, documents: Documents) -> None:
        self._guidelines: Collection[Guidelines] = documents.collection(Guidelines)
        self._seen: dict[str, int] = {}

    async def number(self, project: str) -> int | None:
        """Null where the project has no guidelines."""
        seen, some = self._seen.get(project, 0), 1
        while found := await self._guidelines.get_many([f"{project}.{seen + n}" for n in range(1, some + 1)]):
            seen, some = max(one.number for one in found), _AT_ONCE
        self._seen[project] = seen
        return seen or None
