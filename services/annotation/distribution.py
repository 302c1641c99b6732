"""How figures come to annotators: a plan that is previewed, then applied; or a pool that they pull from.

Pulling spans two documents and is safe to break off anywhere: the figure's place in the pool says who is `claiming`
it, then the assignment is made, then the claim is closed. An open claim is completed by its owner's next request.
Giving back is removing a name from the pool, then releasing the assignment.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from services.annotation import exits
from services.annotation.assigning import Order, Pair, Planned, Together, check, drawn, plan, uncertainty
from services.annotation.model import (
    Assignment,
    Figure,
    Guidelines,
    Member,
    Project,
    Recommendations,
    Waiting,
)
from services.annotation.workbench import ASSIGNED_AT_ONCE, Sheet, Workbench, new_assignment
from shared.access import DEFAULT_PROJECT, Caller
from shared.clock import now
from shared.documents.port import Collection, Documents, In, Range, Where
from shared.errors import Conflict, Duplicate, NotFound

LEASE_SECONDS: Final = 7200.0
PREVIEWED: Final = 100_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """Which figures: these, those of an article, or (neither given) all. Only those that nobody has."""

    figures: tuple[str, ...] | None = None
    article: str | None = None


@dataclass(frozen=True, slots=True)
class Share:
    """What a plan gives one annotator."""

    pair: Pair
    figures: int
    hidden: int


@dataclass(frozen=True, slots=True)
class Distributed:
    """What a plan comes to. `next` continues where the bound was met, null at the end."""

    figures: int
    shares: list[Share]
    next: str | None


class Distribution:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents, workbench: Workbench) -> None:
        self._workbench = workbench
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._waiting: Collection[Waiting] = documents.collection(Waiting)
        self._projects: Collection[Project] = documents.collection(Project)
        self._guidelines: Collection[Guidelines] = documents.collection(Guidelines)

    # Planning

    async def distribute(
        self, caller: Caller, choice: Choice, order: Order, *, after: str | None, apply: bool
    ) -> Distributed:
        """Plans, and with `apply` carries out, at most `ASSIGNED_AT_ONCE` figures; a preview counts `PREVIEWED`.

        Raises Forbidden, Invalid (the order cannot be carried out, a foreign cursor), NotFound.
        """
        caller.require("assignment.create", frozenset({"any"}), DEFAULT_PROJECT)
        check(order)
        loads = await self._loads(order)
        shares: Counter[str] = Counter()
        hidden: Counter[str] = Counter()
        count, at, cursor = 0, now(), after
        papers: dict[str, list[str]] = {}
        async for figures, following in self._free(choice, order.together, after):
            cursor = following
            articles = {figure.article.id for figure in figures}
            if order.together == "article":
                papers = {**await self._holders(articles), **{a: who for a, who in papers.items() if a in articles}}
            planned = plan([(figure.id, figure.article.id) for figure in figures], order, loads, papers)
            if apply:
                await self._carry_out(caller, planned, figures, at)
            by_id = {figure.id: figure.article.id for figure in figures}
            for one in planned:
                loads[one.pair.annotator] += 1
                shares[one.pair.annotator] += 1
                hidden[one.pair.annotator] += one.hidden
                people = papers.setdefault(by_id[one.figure], [])
                if one.pair.annotator not in people:
                    people.append(one.pair.annotator)
            count += len(figures)
            if count >= (ASSIGNED_AT_ONCE if apply else PREVIEWED):
                break
        totals = [Share(pair, shares[pair.annotator], hidden[pair.annotator]) for pair in order.team]
        return Distributed(count, totals, cursor)

    async def offer(
        self, caller: Caller, choice: Choice, order: Order, *, priority: int, after: str | None
    ) -> Distributed:
        """Puts figures that nobody has into the pool; those that are there get the new priority. Raises as
        `distribute`."""
        caller.require("assignment.create", frozenset({"any"}), DEFAULT_PROJECT)
        count, cursor = 0, after
        async for figures, following in self._free(choice, "figure", after):
            cursor = following
            recommended = await self._recommendations.get_many([figure.id for figure in figures])
            unsure = {one.id: uncertainty([item.score for item in one.items]) for one in recommended}
            new = [_waiting(figure, order, priority, unsure.get(figure.id, 0.0)) for figure in figures]
            for outcome in await self._waiting.insert_many(new):
                if isinstance(outcome, Duplicate):
                    await self._prefer(outcome.holder, priority)
            count += len(figures)
            if count >= ASSIGNED_AT_ONCE:
                break
        return Distributed(count, [], cursor)

    # Pulling

    async def next(self, caller: Caller) -> Sheet | None:
        """What the caller should do next: what was returned, what is begun, then a figure of the pool; null when there
        is nothing. Raises Forbidden."""
        caller.require("decision.write", frozenset({"own"}), DEFAULT_PROJECT)
        me = caller.person
        for state in ("returned", "open"):
            mine = await self._assignments.find(
                {"project": DEFAULT_PROJECT, "annotator": me, "state": state}, sort=("created_at", "article"), limit=1
            )
            if mine.items:
                return await self._workbench.sheet_of(mine.items[0])
        member = next((one for one in (await self.project()).members if one.annotator == me), None)
        if member is None:
            return None
        await self._expire()
        half = await self._waiting.find({"project": DEFAULT_PROJECT, "claiming": me}, limit=1)
        for waiting in half.items:
            if assignment := await self._complete(caller, waiting, member):
                return await self._workbench.sheet_of(assignment)
        after: str | None = None
        while True:
            page = await self._waiting.find(
                {"project": DEFAULT_PROJECT, "open": True}, sort=("-priority", "-uncertainty"), after=after, limit=20
            )
            for waiting in page.items:
                if me in waiting.taken or waiting.claiming is not None:
                    continue
                try:
                    claimed = await self._waiting.update(waiting.id, lambda current: (_claimed(current, me), []))
                except (Conflict, NotFound):
                    continue  # somebody was faster, or it was erased
                if assignment := await self._complete(caller, claimed, member):
                    return await self._workbench.sheet_of(assignment)
            after = page.next
            if after is None:
                return None

    # The project

    async def project(self) -> Project:
        """The default project; at version 0 while nothing is set."""
        return next(iter(await self._projects.get_many([DEFAULT_PROJECT])), Project(id=DEFAULT_PROJECT))

    async def read_project(self, caller: Caller, id: str) -> Project:
        """Raises Forbidden, NotFound."""
        _exists(id)
        caller.require("project.read", frozenset({"any"}), id)
        return await self.project()

    async def change_project(
        self, caller: Caller, id: str, members: Sequence[Member], *, version: int | None
    ) -> Project:
        """Raises Conflict, Forbidden, Invalid, NotFound."""
        _exists(id)
        caller.require("project.write", frozenset({"any"}), id)
        check(Order(tuple(Pair(one.annotator, one.reviewer) for one in members)))
        return await self._projects.update(
            id,
            lambda current: (current.changed(members=tuple(members)), []),
            version=version,
            initial=Project(id=id),
        )

    async def guidelines(self, caller: Caller, id: str, number: int | None = None) -> Guidelines | None:
        """A version of the guidelines, the newest without `number`; null where there is none. Raises Forbidden,
        NotFound."""
        _exists(id)
        caller.require("project.read", frozenset({"any"}), id)
        if number is not None:
            return next(iter(await self._guidelines.get_many([f"{id}.{number}"])), None)
        return next(iter((await self._guidelines.find({"project": id}, sort=("-number",), limit=1)).items), None)

    async def write_guidelines(self, caller: Caller, id: str, text: str, *, version: int | None) -> Guidelines:
        """A new version, unless the newest says the same. `version` is the number that the caller saw (0: none).
        Raises Conflict, Forbidden, NotFound."""
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

    # How

    async def _free(
        self, choice: Choice, together: Together, after: str | None
    ) -> AsyncIterator[tuple[list[Figure], str | None]]:
        """Pages of chosen figures that nobody has, with the cursor behind each."""
        if choice.figures is not None:
            known = await self._figures.get_many(list(dict.fromkeys(choice.figures)))
            yield await self._workbench.free(known), None
            return
        where: dict[str, Any] = {"project": DEFAULT_PROJECT}
        if choice.article is not None:
            where["article.id"] = choice.article
        while True:
            page = await self._figures.find(
                where, sort=("article.id",) if together == "article" else (), after=after, limit=_PAGE
            )
            free = await self._workbench.free(page.items)
            after = page.next
            yield (free if choice.article is not None else await self._workbench.workable(free)), after
            if after is None:
                return

    async def _loads(self, order: Order) -> Counter[str]:
        people = In(tuple(pair.annotator for pair in order.team))
        where: Where = {"project": DEFAULT_PROJECT, "annotator": people, "state": In(("open", "returned"))}
        return Counter(await self._assignments.count_by("annotator", where))

    async def _holders(self, articles: set[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        after: str | None = None
        while articles:
            page = await self._assignments.find(
                {"project": DEFAULT_PROJECT, "article": In(tuple(articles))}, after=after, limit=_PAGE
            )
            for one in page.items:
                if one.state != "released" and one.annotator not in found[one.article]:
                    found[one.article].append(one.annotator)
            after = page.next
            if after is None:
                break
        return dict(found)

    async def _carry_out(
        self, caller: Caller, planned: Sequence[Planned], figures: Sequence[Figure], at: datetime
    ) -> None:
        known: Mapping[str, Figure] = {figure.id: figure for figure in figures}
        await self._workbench.insert(
            caller,
            [
                new_assignment(known[one.figure], one.pair.annotator, one.pair.reviewer, at)
                .changed(hidden=one.hidden)
                .noted("assign", caller.person, at)
                for one in planned
            ],
        )

    async def _complete(self, caller: Caller, waiting: Waiting, member: Member) -> Assignment | None:
        """Makes the assignment of a claim and closes it; null when its figure is gone or the person has had it."""
        figure = next(iter(await self._figures.get_many([waiting.id])), None)
        made: list[Assignment] = []
        if figure is not None:
            at = now()
            new = new_assignment(figure, member.annotator, member.reviewer, at).changed(
                hidden=waiting.hidden, leased_until=at.timestamp() + LEASE_SECONDS
            )
            made = (await self._workbench.insert(caller, [new.noted("assign", caller.person, at)])).created
        try:
            await self._waiting.update(waiting.id, lambda current: (current.changed(claiming=None), []))
        except NotFound:
            return None  # erased meanwhile, and the assignment with it
        return made[0] if made else None

    async def _expire(self) -> None:
        """Gives back what was pulled and not begun in time."""
        late = await self._assignments.find(
            {"project": DEFAULT_PROJECT, "leased_until": Range(gte=0.0, lt=now().timestamp())}, limit=20
        )
        for assignment in late.items:
            await self._give_back(assignment.figure, assignment.annotator)
            await self._release(assignment)

    async def _release(self, late: Assignment) -> None:
        at = now()
        with suppress(NotFound):  # erased meanwhile
            await self._assignments.update(late.id, lambda current: _expired(current, late.leased_until, at))

    async def _prefer(self, figure: str, priority: int) -> None:
        with suppress(NotFound):  # erased meanwhile
            await self._waiting.update(figure, lambda current: (current.changed(priority=priority), []))

    async def _give_back(self, figure: str, annotator: str) -> None:
        with suppress(NotFound):  # it was never in the pool, or is erased
            await self._waiting.update(figure, lambda current: (_given_back(current, annotator), []))


def _waiting(figure: Figure, order: Order, priority: int, unsure: float) -> Waiting:
    return Waiting(
        id=figure.id,
        project=figure.project,
        article=figure.article.id,
        priority=priority,
        uncertainty=unsure,
        wanted=order.overlap if drawn("overlap", figure.id) < order.overlap_share else 1,
        hidden=drawn("hidden", figure.id) < order.hidden_share,
    )


def _claimed(waiting: Waiting, annotator: str) -> Waiting:
    if not waiting.open or waiting.claiming is not None or annotator in waiting.taken:
        raise Conflict("Somebody else was faster.")
    taken = (*waiting.taken, annotator)
    return waiting.changed(taken=taken, claiming=annotator, open=len(taken) < waiting.wanted)


def _given_back(waiting: Waiting, annotator: str) -> Waiting:
    taken = tuple(one for one in waiting.taken if one != annotator)
    claiming = None if waiting.claiming == annotator else waiting.claiming
    return waiting.changed(taken=taken, claiming=claiming, open=len(taken) < waiting.wanted)


def _expired(assignment: Assignment, lease: float | None, at: datetime) -> tuple[Assignment, Sequence[Any]]:
    if assignment.leased_until is None or assignment.leased_until != lease:
        return assignment, []  # begun in the last moment
    released, events = exits.release(assignment, assignment.annotator, at)
    return released.changed(leased_until=None), events


def _exists(project: str) -> None:
    if project != DEFAULT_PROJECT:
        raise NotFound(f"There is no project {project}.", remedy=f"There is one: {DEFAULT_PROJECT}.")


def _guidelines_changed(yours: int, theirs: int) -> Conflict:
    return Conflict(
        "The guidelines were changed since you loaded them.", difference={"number": {"yours": yours, "theirs": theirs}}
    )
