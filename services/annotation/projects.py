"""How work is done in a project: its rules and its guidelines."""

from services.annotation import rules
from services.annotation.model import Guidelines, Rules
from services.annotation.sheets import Sheets
from shared.access import Caller
from shared.clock import now
from shared.documents.port import Collection, Documents
from shared.errors import Conflict, Duplicate


class Projects:
    """Over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._rules: Collection[Rules] = documents.collection(Rules)
        self._guidelines: Collection[Guidelines] = documents.collection(Guidelines)
        self._sheets = Sheets(documents)

    async def read_rules(self, caller: Caller, id: str) -> Rules:
        """At version 0 while nothing is set. Raises Forbidden."""
        caller.require("project.read", frozenset({"any"}), id)
        return await self._sheets.rules(id)

    async def write_rules(self, caller: Caller, wanted: Rules, *, version: int | None) -> Rules:
        """They hold for what is decided and submitted from now on. Raises Conflict, Forbidden, Invalid (they contradict
        each other)."""
        caller.require("project.write", frozenset({"any"}), wanted.id)
        rules.check(wanted)
        return await self._rules.update(
            wanted.id,
            lambda current: (wanted.changed(version=current.version), []),
            version=version,
            initial=Rules(id=wanted.id),
        )

    async def guidelines(self, caller: Caller, id: str, number: int | None = None) -> Guidelines | None:
        """A version of the guidelines, the newest without `number`; null where there is none. Raises Forbidden."""
        caller.require("project.read", frozenset({"any"}), id)
        if number is not None:
            return next(iter(await self._guidelines.get_many([f"{id}.{number}"])), None)
        return next(iter((await self._guidelines.find({"project": id}, sort=("-number",), limit=1)).items), None)

    async def write_guidelines(self, caller: Caller, id: str, text: str, *, version: int | None) -> Guidelines:
        """A new version, unless the newest says the same. `version` is the number that the caller saw (0: none).
        Raises Conflict, Forbidden."""
        caller.require("project.write", frozenset({"any"}), id)
        newest = await self.guidelines(caller, id)
        if newest is not None and newest.text == text:
            return newest
        number = newest.number if newest else 0
        if version is not None and version != number:
            raise _guidelines_changed(version, number)
        new = Guidelines(
            id=f"{id}.{number + 1}", project=id, number=number + 1, text=text, author=caller.person, at=now()
        )
        try:
            return await self._guidelines.insert(new)
        except Duplicate as error:
            raise _guidelines_changed(number, number + 1) from error


def _guidelines_changed(yours: int, theirs: int) -> Conflict:
    return Conflict(
        "The guidelines were changed since you loaded them.", difference={"number": {"yours": yours, "theirs": theirs}}
    )
