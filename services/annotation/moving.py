"""What somebody has to tag goes to others, or back: what a manager chooses of it, and all of it when somebody leaves.

What was begun stays in the history of the one who began it; whoever gets the figure begins anew. Every step may be
broken off and done again: what has moved is not theirs any more.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from services.annotation.assigning import Order, Pair, Share
from services.annotation.distribution import Distribution
from services.annotation.giving import Giving, new_assignment
from services.annotation.model import Assignment, Figure, State
from services.annotation.pulling import Pulling
from shared.access import Caller
from shared.clock import now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In, Where
from shared.errors import Invalid

# What somebody still has to tag.
OPEN: Final[tuple[State, ...]] = ("open", "returned", "skipped")
MOVED_AT_ONCE: Final = 500
PREVIEWED: Final = 100_000
# The others of the team tag the figure already; it measures this annotator.
Kept: TypeAlias = Literal["shared", "measures"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Of one annotator's figures to tag: those in these states, of these figures only where some are named."""

    annotator: str
    states: tuple[State, ...] = OPEN
    figures: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What goes, to whom (nobody: back), and what stays with its annotator, why. `next` continues where the bound was
    met, null at the end."""

    figures: int
    shares: list[Share]
    kept: dict[Kept, int]
    next: str | None


class Moving:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents, distribution: Distribution) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._giving = Giving(documents)
        self._distribution = distribution
        self._pulling = Pulling(documents)

    async def move(
        self, caller: Caller, project: str, chosen: Chosen, team: Sequence[Pair], *, after: str | None, apply: bool
    ) -> Moved:
        """Plans, and with `apply` carries out, at most `MOVED_AT_ONCE` figures; a preview counts `PREVIEWED`. They go
        to the team evenly, whoever has least first; without a team back to where they came from, free for others.

        Raises Forbidden, Invalid (the team cannot do it, a foreign cursor).
        """
        order = Order(tuple(team))
        await self._distribution.require_possible(caller, project, order)
        if chosen.annotator in {pair.annotator for pair in team}:
            raise Invalid("They have these figures.", field="team", remedy="Name others, or nobody to release them.")
        loads = await self._distribution.loads(project, order)
        given: Counter[str] = Counter()
        kept: Counter[Kept] = Counter()
        count, cursor = 0, after
        while True:
            page = await self._assignments.find(of(project, chosen), after=cursor, limit=MOVED_AT_ONCE)
            cursor = page.next
            have = await self._have([one.figure for one in page.items])
            for one in page.items:
                if one.trial is not None:
                    kept["measures"] += 1
                    continue
                able = [pair for pair in team if pair.annotator not in have.get(one.figure, ())]
                if team and not able:
                    kept["shared"] += 1
                    continue
                to = min(able, key=lambda pair: loads[pair.annotator], default=None)
                if apply:
                    await self.hand_on(caller, one, to)
                if to is not None:
                    loads[to.annotator] += 1
                    given[to.annotator] += 1
                count += 1
            if cursor is None or count >= (MOVED_AT_ONCE if apply else PREVIEWED):
                break
        return Moved(count, [Share(pair, given[pair.annotator], 0, 0) for pair in team], dict(kept), cursor)

    async def hand_on(self, caller: Caller, before: Assignment, to: Pair | None) -> bool:
        """Takes it from its annotator, for whoever has made sure that this may be done, and gives it to another. False
        where nobody has it now."""
        await self._giving.take_back(caller, before)
        await self._pulling.give_back(before)
        if to is None or to.annotator == before.annotator or before.trial is not None:
            return False
        figure = next(iter(await self._figures.get_many([before.figure])), None)
        if figure is None:
            return False
        new = new_assignment(figure, to.annotator, to.reviewer, at := now()).changed(hidden=before.hidden)
        return bool((await self._giving.insert(caller, [new.noted("assign", caller.person, at)])).created)

    async def _have(self, figures: Sequence[str]) -> dict[str, set[str]]:
        """Who has, or had and did not give back, each of these."""
        found: dict[str, set[str]] = {}
        if figures:
            async for one in every(self._assignments, {"figure": In(tuple(figures))}, limit=MOVED_AT_ONCE):
                if one.state != "released":
                    found.setdefault(one.figure, set()).add(one.annotator)
        return found


def of(project: str, chosen: Chosen) -> Where:
    """These, for queries."""
    where: Where = {"project": project, "annotator": chosen.annotator, "state": In(chosen.states)}
    return where if chosen.figures is None else {**where, "figure": In(chosen.figures)}
