"""Which recommendations an annotator sees: those an assignment was opened with, until they take newer ones.

An assignment is opened when its annotator says so (the workbench does, once the page shows it) or decides something,
whichever comes first. From then on it names the set it was opened with, and `Held` keeps that set while newer ones
come. The set stays as long as the legend it was made from is the one shown: of a corrected legend nothing is kept, for
mentions would stand in other words. docs/decisions/0032-newer-recommendations.md.

Newer recommendations that arrive are told to who has the figure open (`Holding.offer`), without writing the assignment:
they conflict with no decision. docs/decisions/0043-seen.md.

The set is written before the assignment that names it, so that dying between leaves at most a set that nobody names;
the next letting go takes it away. A set that is missing all the same is answered by the newest.
"""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from services.annotation import telling
from services.annotation.model import Assignment, Figure, Held, Recommendations
from services.annotation.tagging import CLOSED
from shared.clock import now
from shared.documents.port import Collection, Documents
from shared.errors import Conflict, NotFound
from shared.events.review import RecommendationSet

WORKABLE: Final = ("open", "returned")
MOST_HELD: Final = 8  # sets of one figure; an assignment beyond them sees the newest


def name_of(recommendations: Recommendations) -> RecommendationSet:
    """What tells a set from the figure's others."""
    return RecommendationSet(revision=recommendations.revision, generation=recommendations.generation)


def shown(
    assignment: Assignment, figure: Figure, newest: Recommendations | None, held: Iterable[Recommendations]
) -> Recommendations | None:
    """The set that the assignment shows: the one it was opened with, else the newest."""
    if not _stands(assignment, figure):
        return newest
    return next((one for one in held if name_of(one) == assignment.opened_with), newest)


def newer(shown: Recommendations | None, figure: Figure, newest: Recommendations | None) -> Recommendations | None:
    """The set that is offered in place of the one shown. One that failed is none to offer."""
    if shown is None or newest is None or name_of(shown) == name_of(newest):
        return None
    return newest if newest.revision == figure.revision and newest.state != "failed" else None


def to_hold(assignment: Assignment, figure: Figure, newest: Recommendations | None) -> Recommendations | None:
    """The set that opening the assignment now would hold; null where one is held, or nothing is shown that could be
    taken away."""
    if assignment.hidden or assignment.state not in WORKABLE or _stands(assignment, figure):
        return None
    if newest is None or newest.revision != figure.revision or not newest.items:
        return None
    return newest


def opened(assignment: Assignment, recommendations: RecommendationSet | None) -> Assignment:
    """The assignment as opened with this set; the same where it was opened with one of this legend meanwhile."""
    before = assignment.opened_with
    if recommendations is None or assignment.state not in WORKABLE:
        return assignment
    if before is not None and before.revision >= recommendations.revision:
        return assignment
    return assignment.changed(opened_with=recommendations)


def refreshed(assignment: Assignment, recommendations: RecommendationSet, at: datetime) -> Assignment:
    """The assignment with newer recommendations, as its annotator asked. Its decisions stay. Raises Conflict when it is
    closed."""
    before = assignment.opened_with
    if before == recommendations:
        return assignment
    if assignment.state not in WORKABLE:
        raise Conflict(
            f"The assignment is {assignment.state}; its recommendations are those it was tagged with.",
            difference={"state": {"yours": "open", "theirs": assignment.state}},
            remedy=CLOSED[assignment.state],
        )
    return assignment.changed(opened_with=recommendations).noted("refresh", assignment.annotator, at)


def _stands(assignment: Assignment, figure: Figure) -> bool:
    return assignment.opened_with is not None and assignment.opened_with.revision == figure.revision


class Holding:
    """Keeps the sets that opened assignments name, and no others."""

    def __init__(self, documents: Documents) -> None:
        self._held: Collection[Held] = documents.collection(Held)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)

    async def of(self, figure: str) -> tuple[Recommendations, ...]:
        """The sets of a figure that are held."""
        found = await self._held.get_many([figure])
        return found[0].sets if found else ()

    async def hold(self, recommendations: Recommendations) -> RecommendationSet:
        """Keeps a set from now on. Any number of times is once. Raises Erased with its figure."""
        await self._held.update(
            recommendations.id,
            lambda held: (_with(held, recommendations), ()),
            initial=Held(id=recommendations.id, project=recommendations.project),
        )
        return name_of(recommendations)

    async def offer(self, figures: Sequence[str], actor: str) -> None:
        """Tells the annotators and reviewers of opened assignments of these figures that newer recommendations than
        theirs are there. Any number of times is once: the figure's `Held` remembers what was told."""
        held = {one.id for one in await self._held.get_many(figures) if one.sets}
        found = await self._recommendations.get_many(list(held))
        await asyncio.gather(*(self._offer(newest, actor) for newest in found if newest.state != "failed"))

    async def _offer(self, newest: Recommendations, actor: str) -> None:
        page = await self._assignments.find({"figure": newest.id}, limit=1000)
        name, at = name_of(newest), now()
        told = [telling.offered(one, name, actor, at) for one in page.items if _is_behind(one, name)]
        with suppress(NotFound):  # erased meanwhile
            await self._held.update(
                newest.id,
                lambda held: (held, []) if _told(held, name) else (held.changed(offered=name), told),
            )

    async def let_go(self, figure: str) -> None:
        """Drops the sets of a figure that no assignment names any more. The newest stays, for somebody may be opening
        with it now."""
        held = await self.of(figure)
        if not held:
            return
        named = {name_of(one) for one in await self._recommendations.get_many([figure])}
        page = await self._assignments.find({"figure": figure}, limit=1000)
        named |= {one.opened_with for one in page.items if one.opened_with is not None}
        if all(name_of(one) in named for one in held):
            return
        with suppress(NotFound):  # erased meanwhile
            await self._held.update(
                figure,
                lambda one: (one.changed(sets=tuple(each for each in one.sets if name_of(each) in named)), ()),
            )


def _is_behind(assignment: Assignment, newest: RecommendationSet) -> bool:
    """Whether it was opened with another set, and its annotator may take this one."""
    opened = not assignment.hidden and assignment.opened_with is not None
    return opened and assignment.state in WORKABLE and assignment.opened_with != newest


def _told(held: Held, name: RecommendationSet) -> bool:
    before = held.offered
    return before is not None and (before.revision, before.generation) >= (name.revision, name.generation)


def _with(held: Held, recommendations: Recommendations) -> Held:
    name = name_of(recommendations)
    if any(name_of(one) == name for one in held.sets) or len(held.sets) >= MOST_HELD:
        return held
    return held.changed(sets=(*held.sets, recommendations))
