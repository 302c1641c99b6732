"""What people look at: an assignment with all that belongs to it, lists of them, how they stood."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.annotation import adjudicating, history, holding, rights, rules
from services.annotation.adjudicating import Settled
from services.annotation.filing import Filing
from services.annotation.history import Stood
from services.annotation.holding import Holding
from services.annotation.model import Assignment, Entry, Figure, Look, Recommendations, Review, Rules, State
from shared.access import Caller, Relation
from shared.documents.port import Collection, Documents, In, Page
from shared.errors import Erased, Forbidden, NotFound


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that an annotator or reviewer looks at. `recommendations` is null until they have arrived; `newer` are those
    that their annotator may take instead. `look` is not for the annotator; `settled` where several tagged the figure
    and it was settled."""

    assignment: Assignment
    figure: Figure
    recommendations: Recommendations | None
    rules: Rules
    newer: Recommendations | None = None
    look: Look | None = None
    settled: Settled | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of assignments with their figures, and how many there are in each state. `own`: an annotator's."""

    page: Page[Assignment]
    figures: dict[str, Figure]
    counts: dict[str, int]
    own: bool


class Sheets:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._reviews: Collection[Review] = documents.collection(Review)
        self._rules: Collection[Rules] = documents.collection(Rules)
        self._filing = Filing(documents)
        self._holding = Holding(documents)

    async def show(self, caller: Caller, id: str) -> Sheet:
        """Raises Forbidden, NotFound, Erased."""
        assignment = await self._assignments.get(id)
        rights.require(caller, "assignment.read", assignment)
        sheet = replace(await self.of(assignment), settled=await self._settled(caller, assignment))
        return sheet if caller.person == assignment.annotator else replace(sheet, look=assignment.look)

    async def of(self, assignment: Assignment) -> Sheet:
        """Raises Erased when the figure went meanwhile."""
        # One after the other: the embedded engine answers at once, where tasks would wait for everybody else's turns.
        figure = await self._figures.get(assignment.figure)
        newest = next(iter(await self._recommendations.get_many([assignment.figure])), None)
        named = assignment.opened_with
        held = await self._holding.of(figure.id) if named and newest and holding.name_of(newest) != named else ()
        shown = holding.shown(assignment, figure, newest, held)
        rules_now = await self.rules(assignment.project)
        return Sheet(assignment, figure, shown, rules_now, holding.newer(shown, figure, newest))

    async def _settled(self, caller: Caller, assignment: Assignment) -> Settled | None:
        """What settling made of the work, for who may know: who tags the figure themselves, and whose own work was not
        settled with it, must not see what the others gave."""
        if assignment.state != "approved":
            return None
        review = next(iter(await self._reviews.get_many([assignment.figure])), None)
        found = adjudicating.settled_of(assignment, review)
        if found is None or caller.person == assignment.annotator:
            return found
        where = {"project": assignment.project, "figure": assignment.figure, "annotator": caller.person}
        own = (await self._assignments.find(where, limit=1)).items
        return None if own and own[0].state != "released" and not adjudicating.settled_of(own[0], review) else found

    async def rules(self, project: str) -> Rules:
        """At version 0 while nothing is set."""
        return next(iter(await self._rules.get_many([project])), Rules(id=project))

    async def recommendations(self, caller: Caller, figure: str) -> tuple[Figure, Recommendations | None]:
        """Raises Forbidden, NotFound, Erased."""
        found = await self.figure(figure)
        related: set[Relation] = set()
        if not caller.may("figure.read", project=found.project):
            for assignment in (await self._assignments.find({"figure": figure}, limit=1000)).items:
                related |= assignment.relations(caller.person)
                if assignment.hidden and assignment.annotator == caller.person:
                    raise Forbidden(
                        "Recommendations are hidden for this figure, to measure what they do.",
                        remedy="Tag it by the concept search.",
                    )
        rights.allow(caller, "figure.read", frozenset(related), found.project)
        made = next(iter(await self._recommendations.get_many([figure])), None)
        return found, made and rules.preferring(await self.rules(found.project), made)

    async def listing(
        self,
        caller: Caller,
        project: str,
        *,
        relation: Relation | None = None,
        state: State | None = None,
        flagged: bool | None = None,
        figures: Sequence[str] = (),
        article: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Listing:
        """The caller's assignments, oldest first: those to annotate (`own`), to review (`review`) or, for an
        administrator, all (`any`). Without `relation`, the widest that the caller has. Raises Forbidden, Invalid."""
        where: dict[str, Any] = {"project": project}
        match _relation(caller, project, relation):
            case "own":
                where["annotator"] = caller.person
            case "review":
                where["reviewer"] = caller.person
            case "any":
                pass
        if figures:
            where["figure"] = In(tuple(figures))
        if article is not None:
            where["article"] = article
        if flagged is not None:
            where["flagged"] = flagged
        counts = await self._assignments.count_by("state", where)
        page = await self._assignments.find(
            {**where, "state": state} if state else where,
            # A reviewer's queue: what has to be looked at first.
            sort=("place", "created_at", "article") if "reviewer" in where and state else ("created_at", "article"),
            after=after,
            limit=limit,
        )
        shown = await self._figures.get_many(list({assignment.figure for assignment in page.items}))
        return Listing(page, {found.id: found for found in shown}, counts, own="annotator" in where)

    async def history(self, caller: Caller, id: str, *, start: int = 1, limit: int = 50) -> list[Entry]:
        """At most `limit` entries from number `start`, in order. Raises Forbidden, NotFound, Erased."""
        assignment = await self._assignments.get(id)
        rights.require(caller, "assignment.read", assignment)
        return await self._filing.entries(assignment, start=start, limit=limit)

    async def stood(self, caller: Caller, id: str, *, number: int | None = None, at: datetime | None = None) -> Stood:
        """As it stood at its version `number`, or at a time. Raises Forbidden, NotFound (it was not there yet),
        Erased."""
        assignment = await self._assignments.get(id)
        rights.require(caller, "assignment.read", assignment)
        return await self.stood_of(assignment, until=number, at=at)

    async def stood_of(self, assignment: Assignment, *, until: int | None = None, at: datetime | None = None) -> Stood:
        """As `stood`, for whoever has made sure that the caller may."""
        entries = await self._filing.all(assignment)
        past = history.stood(
            entry for entry in entries if (until is None or entry.number <= until) and (at is None or entry.at <= at)
        )
        if past is None or (until is not None and until > assignment.version):
            raise NotFound(
                "The assignment was not there at that time.", remedy="Take a number or a time from its history."
            )
        return past

    async def figure(self, id: str) -> Figure:
        """Raises NotFound, Erased."""
        try:
            return await self._figures.get(id)
        except Erased:
            raise
        except NotFound as error:
            raise NotFound(
                f"The figure {id} is not known here.",
                remedy="Check the id; if you have just sent the figure, try again in a moment.",
            ) from error


def _relation(caller: Caller, project: str, wanted: Relation | None) -> Relation:
    """The relation to list by. Raises Forbidden when the caller has not got it."""
    relation = wanted or _widest(caller.relations("assignment.read", project))
    caller.require("assignment.read", frozenset({relation}), project)
    return relation


def _widest(granted: frozenset[Relation]) -> Relation:
    if "any" in granted or not granted:
        return "any"
    return "own" if "own" in granted else "review"
