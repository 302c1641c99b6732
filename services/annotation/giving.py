"""Who gets which figure: assignments made, taken back, given another reviewer."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.annotation import exits, telling
from services.annotation.holding import Holding
from services.annotation.model import Adjudication, Assignment, Figure, Recommendations, Review
from services.annotation.quality import Quality
from services.annotation.sheets import Sheets
from services.annotation.writing import Changed, Writing
from shared.access import Caller
from shared.clock import new_id, now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In
from shared.errors import Duplicate, Erased, Invalid, NotFound

ASSIGNED_AT_ONCE: Final = 5_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Assigned:
    """What an order to assign came to. `more`: there may be further figures, give the order again."""

    created: list[Assignment]
    existing: int
    more: bool


class Giving:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._adjudications: Collection[Adjudication] = documents.collection(Adjudication)
        self._reviews: Collection[Review] = documents.collection(Review)
        self._quality = Quality(documents)
        self._holding = Holding(documents)
        self._sheets = Sheets(documents)
        self._writing = Writing(documents)

    async def assign_figures(
        self, caller: Caller, project: str, figures: Sequence[str], annotator: str, reviewer: str
    ) -> Assigned:
        """All of these figures, or none. Raises Invalid, NotFound or Erased where one is not there."""
        await self._may_assign(caller, project, annotator, reviewer)
        wanted = list(dict.fromkeys(figures))
        known = [figure for figure in await self._figures.get_many(wanted) if figure.project == project]
        if len(known) < len(wanted):
            found = {figure.id for figure in known}
            missing = next(id for id in wanted if id not in found)
            await self._sheets.figure(missing)
            raise NotFound(f"The figure {missing} is of another project.", remedy=f"Name figures of {project}.")
        return await self._assign(caller, known, annotator, reviewer)

    async def assign_article(
        self, caller: Caller, project: str, article: str, annotator: str, reviewer: str
    ) -> Assigned:
        """All figures of an article or collection that are there so far. Raises Invalid, NotFound."""
        await self._may_assign(caller, project, annotator, reviewer)
        where = {"project": project, "article.id": article}
        if not await self._figures.count(where):
            raise NotFound(
                f"No figure of the article {article} has arrived.",
                remedy="Check the id; if you have just sent its figures, try again in a moment.",
            )
        return await self._assign_all(caller, where, annotator, reviewer, unassigned_only=False)

    async def assign_unassigned(self, caller: Caller, project: str, annotator: str, reviewer: str) -> Assigned:
        """All figures that nobody has. Raises Invalid."""
        await self._may_assign(caller, project, annotator, reviewer)
        return await self._assign_all(caller, {"project": project}, annotator, reviewer, unassigned_only=True)

    async def insert(self, caller: Caller, new: Sequence[Assignment]) -> Assigned:
        """Inserts those that are not there; what was released is given to its annotator again."""
        outcomes = await self._assignments.insert_many(new, [[telling.changed(one)] for one in new])
        created = [outcome for outcome in outcomes if isinstance(outcome, Assignment)]
        again = {
            outcome.holder: wanted
            for outcome, wanted in zip(outcomes, new, strict=True)
            if isinstance(outcome, Duplicate) and outcome.holder
        }
        released = [held for held in await self._assignments.get_many(list(again)) if held.state == "released"]
        created += [await self._assign_again(caller, held, again[held.id]) for held in released]
        reviewed = {review.id for review in await self._reviews.get_many([one.figure for one in created])}
        for one in created:
            if one.figure in reviewed:
                await self._writing.follow(one)
        for adjudication in await self._adjudications.get_many([one.figure for one in created]):
            with suppress(Erased):
                await self._writing.tell(adjudication.id)
        # A figure erased meanwhile: its erasure may have looked for assignments before these were there.
        alive = {figure.id for figure in await self._figures.get_many([one.figure for one in created])}
        for assignment in created:
            if assignment.figure not in alive:
                await self._assignments.erase(assignment.id)
        return Assigned(
            [assignment for assignment in created if assignment.figure in alive],
            existing=sum(isinstance(outcome, Duplicate) for outcome in outcomes) - len(released),
            more=False,
        )

    async def release(self, caller: Caller, id: str, *, version: int | None = None) -> Assignment:
        """Takes it from its annotator. Raises Conflict when it is approved, Forbidden, NotFound, Erased."""
        assignment = await self._writing.allowed(caller, "assignment.create", id)
        at = now()
        released = await self._writing.move(
            assignment, lambda current: exits.release(current, caller.person, at), version=version
        )
        await self._holding.let_go(assignment.figure)
        return released

    async def take_back(self, caller: Caller, assignment: Assignment) -> Assignment:
        """Releases it, for whoever has made sure that this may be done; the same where it is approved by now."""
        at = now()

        def change(current: Assignment) -> Changed:
            return exits.release(current, caller.person, at) if current.state != "approved" else (current, [])

        released = await self._writing.write(assignment, change)
        await self._holding.let_go(assignment.figure)
        return released

    async def review_by(self, caller: Caller, assignment: Assignment, reviewer: str) -> Assignment:
        """Gives it another reviewer, for whoever has made sure that this may be done. Nobody reviews their own work:
        where the reviewer tags it, nothing changes."""
        at = now()
        return await self._writing.write(
            await self._writing.settle(assignment),
            lambda current: (exits.review_by(current, reviewer, caller.person, at), []),
        )

    async def free(self, figures: Sequence[Figure]) -> list[Figure]:
        """Those that nobody has."""
        taken = await self.taken([figure.id for figure in figures])
        return [figure for figure in figures if figure.id not in taken]

    async def workable(self, figures: Sequence[Figure]) -> list[Figure]:
        """Without those of which an annotator would see nothing yet: no picture, as it is withheld, no legend, nothing
        recommended from technical tags."""
        blank = [figure.id for figure in figures if figure.shows_nothing]
        recommended = {one.id for one in await self._recommendations.get_many(blank) if one.items}
        return [figure for figure in figures if not figure.shows_nothing or figure.id in recommended]

    async def taken(self, figures: Sequence[str]) -> set[str]:
        """Those of these that somebody has."""
        if not figures:
            return set()
        of = every(self._assignments, {"figure": In(tuple(figures))}, limit=_PAGE)
        return {one.figure async for one in of if one.state != "released" and one.trial is None}

    # How

    async def _may_assign(self, caller: Caller, project: str, annotator: str, reviewer: str) -> None:
        caller.require("assignment.create", frozenset({"any"}), project)
        if annotator == reviewer:
            raise Invalid(
                "Nobody reviews their own work.", field="reviewer", remedy="Name another person as the reviewer."
            )
        await self._quality.require_qualified(project, [annotator])

    async def _assign_all(
        self, caller: Caller, where: dict[str, Any], annotator: str, reviewer: str, *, unassigned_only: bool
    ) -> Assigned:
        created: list[Assignment] = []
        existing, after = 0, None
        while True:
            page = await self._figures.find(where, after=after, limit=_PAGE)
            figures = page.items
            if unassigned_only:
                figures = await self.workable(await self.free(figures))
            done = await self._assign(caller, figures, annotator, reviewer)
            created += done.created
            existing += done.existing
            after = page.next
            if after is None or len(created) >= ASSIGNED_AT_ONCE:
                return Assigned(created, existing, more=after is not None)

    async def _assign(self, caller: Caller, figures: Sequence[Figure], annotator: str, reviewer: str) -> Assigned:
        at = now()
        return await self.insert(
            caller,
            [new_assignment(figure, annotator, reviewer, at).noted("assign", caller.person, at) for figure in figures],
        )

    async def _assign_again(self, caller: Caller, released: Assignment, wanted: Assignment) -> Assignment:
        at = now()

        def change(current: Assignment) -> Changed:
            return exits.assign_again(current, wanted.reviewer, caller.person, at, handout=wanted.handout), []

        return await self._writing.move(released, change)


def new_assignment(figure: Figure, annotator: str, reviewer: str, at: datetime) -> Assignment:
    """An assignment that is not stored yet."""
    return Assignment(
        id=new_id(),
        project=figure.project,
        figure=figure.id,
        article=figure.article.id,
        annotator=annotator,
        reviewer=reviewer,
        created_at=at,
        updated_at=at,
    )
