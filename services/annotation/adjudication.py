"""Adjudication: figures that several tagged, one after the other, and what becomes of their tags.

Settling spans documents and is safe to break off anywhere: what is only submitted is approved, one assignment after the
other; then the figure's review has the choices, with review.done and word to its annotators; then the figure waits no
longer. Broken off between, it still waits, and settling again goes on. Between the first two steps the figure has the
union of the tags, as approved work has before it is adjudicated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.annotation import adjudicating, reviewing, telling
from services.annotation.adjudicating import HANDED_OVER, Compared
from services.annotation.model import Adjudication, Assignment, Choice, Figure, Outcome, Recommendations, Review
from services.annotation.workbench import Workbench
from services.annotation.writing import Writing
from shared.access import Caller
from shared.clock import now
from shared.documents.port import Collection, Documents, Where
from shared.errors import Conflict, Forbidden, NotFound
from shared.events.envelope import Event


@dataclass(frozen=True, slots=True)
class Case:
    """A figure that several tagged, as an adjudicator sees it."""

    figure: Figure
    recommendations: Recommendations | None
    assignments: list[Assignment]
    tags: list[Compared]
    adjudication: Adjudication
    review: Review


@dataclass(frozen=True, slots=True)
class Queue:
    """Figures that wait, those that wait longest first; `count` is how many there are. `next` is a cursor."""

    items: list[Adjudication]
    figures: dict[str, Figure]
    count: int
    next: str | None


class Adjudicating:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._workbench = Workbench(documents)
        self._writing = Writing(documents)
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._adjudications: Collection[Adjudication] = documents.collection(Adjudication)
        self._reviews: Collection[Review] = documents.collection(Review)

    async def queue(self, caller: Caller, project: str, *, after: str | None, limit: int) -> Queue:
        """Without those that the caller tagged. Raises Forbidden, Invalid (a foreign cursor)."""
        caller.require("adjudication.write", frozenset({"any"}), project)
        where: Where = {"project": project, "waiting": True}
        page = await self._adjudications.find(where, sort=("since", "article"), after=after, limit=limit)
        items = [one for one in page.items if caller.person not in _annotators(one)]
        figures = {figure.id: figure for figure in await self._figures.get_many([one.id for one in items])}
        return Queue(items, figures, await self._adjudications.count(where), page.next)

    async def case(self, caller: Caller, figure: str) -> Case:
        """Raises Conflict while somebody still tags it, Forbidden (it is the caller's own work), NotFound (nobody, or
        one person, has it), Erased."""
        caller.require_somewhere("adjudication.write")
        known = await self._figures.get(figure)
        caller.require("adjudication.write", project=known.project)
        heard = await self._writing.tell(figure)
        everybody = (await self._assignments.find({"figure": figure}, limit=1000)).items
        found = adjudicating.live(everybody)
        if heard is None or len(found) < 2:
            raise NotFound("Fewer than two people tag this figure.", remedy="There is nothing to compare.")
        # Who is on trial with it is told the same: it is theirs, and they must not see what others gave.
        if any(caller.person == one.annotator and one.state != "released" for one in everybody):
            raise Forbidden("Nobody adjudicates their own work.", remedy="Leave it to somebody else.")
        late = [one for one in found if one.state not in HANDED_OVER]
        if late:
            raise Conflict(
                f"{len(late)} of {len(found)} annotators have not submitted this figure.",
                difference={"state": {"yours": "submitted", "theirs": late[0].state}},
                remedy="Wait until all have: until then nobody sees what the others tagged.",
            )
        review = next(iter(await self._reviews.get_many([figure])), Review(id=figure, project=known.project))
        recommended = next(iter(await self._recommendations.get_many([figure])), None)
        choices = heard.choices if heard.waiting else _settled(review)
        return Case(known, recommended, found, adjudicating.compared(found, choices), heard, review)

    async def choose(self, caller: Caller, figure: str, wanted: dict[str, bool | None]) -> Case:
        """Keeps, drops or (null) leaves open tags by their key; nothing is final before `settle`. Raises Conflict when
        it does not wait, Forbidden, Invalid, NotFound, Erased."""
        case = await self._waiting(caller, figure)
        at = now()
        await self._adjudications.update(
            figure, lambda current: (adjudicating.choose(current, case.tags, wanted, caller.person, at), [])
        )
        return await self.case(caller, figure)

    async def settle(self, caller: Caller, figure: str) -> Case:
        """Makes what was kept the figure's final tags; the same when it was settled already. Raises Conflict while a
        difference is open, or when an assignment was changed meanwhile; Forbidden, NotFound, Erased, TooLarge."""
        case = await self.case(caller, figure)
        if not case.adjudication.waiting:
            return case
        outcomes, at = adjudicating.outcomes(case.tags), now()
        judged = [self._judged(one, caller) for one in case.assignments]
        rounds = {one.id: one.judged.round for one in judged if one.judged}
        self._check(case.review, judged, outcomes, caller)
        approved = [
            await (
                self._workbench.approve_for(caller.person, one)
                if one.state == "submitted"
                else self._writing.settle(one)
            )
            for one in case.assignments
        ]

        def change(review: Review) -> tuple[Review, Sequence[Event]]:
            done, events = reviewing.settle(review, outcomes, rounds, caller.person, at)
            told = [telling.settled(one, done.version + 1, caller.person, at) for one in approved]
            return done, [*events, *told] if events else []

        await self._reviews.update(figure, change)
        return await self.case(caller, figure)

    async def _waiting(self, caller: Caller, figure: str) -> Case:
        case = await self.case(caller, figure)
        if not case.adjudication.waiting:
            raise Conflict(
                "This figure is settled.",
                difference={"waiting": {"yours": True, "theirs": False}},
                remedy="Reopen an assignment of it to change its tags.",
            )
        return case

    def _judged(self, one: Assignment, caller: Caller) -> Assignment:
        return one if one.state == "approved" else reviewing.judge(one, "approved", "", now(), by=caller.person)

    def _check(self, review: Review, judged: list[Assignment], outcomes: list[Outcome], caller: Caller) -> None:
        """That review.done fits into an event, before anything is approved. Raises TooLarge."""
        for one in judged:
            review = reviewing.record(review, one)[0]
        rounds = {one.id: one.judged.round for one in judged if one.judged}
        for event in reviewing.settle(review, outcomes, rounds, caller.person, now())[1]:
            event.body()


def _annotators(adjudication: Adjudication) -> set[str]:
    return {one.annotator for one in adjudication.told.values() if one.state != "released"}


def _settled(review: Review) -> list[Choice]:
    """What was chosen, of a figure that does not wait."""
    settled = review.settled
    return [
        Choice(key=one.tag.key, keep=one.kept, by=one.by, at=settled.at)
        for one in (settled.outcomes if settled else ())
        if settled and one.by is not None
    ]
