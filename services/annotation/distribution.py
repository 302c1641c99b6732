"""How figures come to annotators: a plan that is previewed, then applied; or a pool that they pull from.

Pulling spans two documents and is safe to break off anywhere: the figure's place in the pool says who is `claiming`
it, then the assignment is made, then the claim is closed. An open claim is completed by its owner's next request.
Giving back is removing a name from the pool, then releasing the assignment.
"""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from services.annotation import exits, rules, telling
from services.annotation.assigning import (
    Choice,
    Order,
    Pair,
    Planned,
    Share,
    Together,
    check,
    drawn,
    plan,
    uncertainty,
    with_gold,
)
from services.annotation.giving import ASSIGNED_AT_ONCE, Giving, new_assignment
from services.annotation.holding import Holding
from services.annotation.model import (
    Assignment,
    Figure,
    Guidelines,
    Recommendations,
    Rules,
    Trial,
    Waiting,
)
from services.annotation.quality import Quality
from services.annotation.sheets import Sheet, Sheets
from services.annotation.writing import Writing
from shared.access import OWN, Caller
from shared.clock import now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In, Range, Where
from shared.errors import Conflict, Duplicate, NotFound

LEASE_SECONDS: Final = 7200.0
SKEW: Final = timedelta(minutes=5)  # of the clocks of two machines
PREVIEWED: Final = 100_000
_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Distributed:
    """What a plan comes to. `looked` counts the figures that somebody has, too; `next` continues where the bound was
    met, null at the end."""

    looked: int
    figures: int
    shares: list[Share]
    next: str | None


class Distribution:
    """The use cases over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._waiting: Collection[Waiting] = documents.collection(Waiting)
        self._rules: Collection[Rules] = documents.collection(Rules)
        self._guidelines: Collection[Guidelines] = documents.collection(Guidelines)
        self._quality = Quality(documents)
        self._holding = Holding(documents)
        self._sheets = Sheets(documents)
        self._giving = Giving(documents)
        self._writing = Writing(documents)

    # Planning

    async def distribute(
        self, caller: Caller, project: str, choice: Choice, order: Order, *, after: str | None, apply: bool
    ) -> Distributed:
        """Plans, and with `apply` carries out, at most `ASSIGNED_AT_ONCE` figures; a preview counts `PREVIEWED`.

        Raises Forbidden, Invalid (the order cannot be carried out, a foreign cursor), NotFound.
        """
        await self.require_possible(caller, project, order)
        return await self.hand_out(caller, project, choice, order, after=after, apply=apply)

    async def require_possible(self, caller: Caller, project: str, order: Order) -> None:
        """Raises Forbidden, Invalid (the order cannot be carried out)."""
        caller.require("assignment.create", frozenset({"any"}), project)
        check(order)
        await self._quality.require_qualified(project, [pair.annotator for pair in order.team])

    async def size(self, project: str, article: str | None) -> int:
        """How many figures an article has, or (null) the project."""
        return await self._figures.count(_chosen(project, article))

    async def hand_out(
        self,
        caller: Caller,
        project: str,
        choice: Choice,
        order: Order,
        *,
        after: str | None,
        apply: bool,
        step: str | None = None,
    ) -> Distributed:
        """As `distribute`, for whoever has made sure that it is possible. `step`: the name to note in what is given."""
        standards = await self._quality.standards(project)
        spare = await self._quality.spare(standards, order.team) if standards.gold_share else {}
        gold: Counter[str] = Counter()
        loads = await self.loads(project, order)
        shares: Counter[str] = Counter()
        hidden: Counter[str] = Counter()
        count, looked, at, cursor = 0, 0, now(), after
        papers: dict[str, list[str]] = {}
        async for figures, following, passed in self._free(project, choice, order.together, after):
            cursor = following
            looked += passed
            articles = {figure.article.id for figure in figures}
            if order.together == "article":
                papers = {
                    **await self._holders(project, articles),
                    **{a: who for a, who in papers.items() if a in articles},
                }
            planned = plan([(figure.id, figure.article.id) for figure in figures], order, loads, papers)
            planned, spare = with_gold(planned, standards.gold_share, standards.seed, spare)
            if apply:
                await self._carry_out(caller, planned, figures, at, step)
            gold.update(one.pair.annotator for one in planned if one.trial)
            planned = [one for one in planned if not one.trial]
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
        totals = [
            Share(pair, shares[pair.annotator], hidden[pair.annotator], gold[pair.annotator]) for pair in order.team
        ]
        return Distributed(looked, count, totals, cursor)

    async def given(self, project: str, team: Sequence[Pair], step: str, since: datetime) -> tuple[int, list[Share]]:
        """The figures that a step gave, which began then, and to whom: as is stored."""
        figures: set[str] = set()
        shares, hidden, gold = Counter[str](), Counter[str](), Counter[str]()
        where: Where = {"project": project, "updated_at": Range(gte=(since - SKEW).isoformat())}
        async for one in every(self._assignments, where, limit=_PAGE):
            if one.handout != step:
                continue
            if one.trial is not None:
                gold[one.annotator] += 1
                continue
            figures.add(one.figure)
            shares[one.annotator] += 1
            hidden[one.annotator] += one.hidden
        people = [Share(pair, shares[pair.annotator], hidden[pair.annotator], gold[pair.annotator]) for pair in team]
        return len(figures), people

    async def offer(
        self, caller: Caller, project: str, choice: Choice, order: Order, *, priority: int, after: str | None
    ) -> Distributed:
        """Puts figures that nobody has into the pool; those that are there get the new priority. Raises as
        `distribute`."""
        caller.require("assignment.create", frozenset({"any"}), project)
        count, looked, cursor = 0, 0, after
        async for figures, following, passed in self._free(project, choice, "figure", after):
            cursor = following
            looked += passed
            recommended = await self._recommendations.get_many([figure.id for figure in figures])
            unsure = {one.id: uncertainty([item.score for item in one.items]) for one in recommended}
            new = [_waiting(figure, order, priority, unsure.get(figure.id, 0.0)) for figure in figures]
            for outcome in await self._waiting.insert_many(new):
                if isinstance(outcome, Duplicate):
                    await self._prefer(outcome.holder, priority)
            count += len(figures)
            if count >= ASSIGNED_AT_ONCE:
                break
        return Distributed(looked, count, [], cursor)

    # Pulling

    async def next(self, caller: Caller, project: str) -> Sheet | None:
        """What the caller should do next: what was returned, what is begun, for a newcomer a figure to qualify with,
        else one of the pool, or gold in between; null when there is nothing. Raises Forbidden."""
        caller.require("decision.write", OWN, project)
        assignment = await self._begun(project, caller.person)
        reviewer = caller.reviewers.get(project)
        if assignment is None and reviewer is not None:
            assignment = await self._another(caller, project, Pair(caller.person, reviewer))
        return await self._sheets.of(assignment) if assignment else None

    async def _begun(self, project: str, annotator: str) -> Assignment | None:
        for state in ("returned", "open"):
            mine = await self._assignments.find(
                {"project": project, "annotator": annotator, "state": state},
                sort=("created_at", "article"),
                limit=1,
            )
            if mine.items:
                return mine.items[0]
        return None

    async def _another(self, caller: Caller, project: str, member: Pair) -> Assignment | None:
        newcomer = await self._quality.newcomer(project, member.annotator)
        if newcomer is not None and newcomer.progress.state != "passed":
            trial, figure = await self._quality.to_qualify(project, member.annotator, newcomer.progress)
            return await self._on_trial(caller, member, figure, trial)
        await self._expire(project)
        half = await self._waiting.find({"project": project, "claiming": member.annotator}, limit=1)
        for waiting in half.items:
            if assignment := await self._complete(caller, waiting, member):
                return assignment
        return await self._pulled(caller, project, member)

    async def _pulled(self, caller: Caller, project: str, member: Pair) -> Assignment | None:
        standards, me = await self._quality.standards(project), member.annotator
        gold_is_due = await self._quality.due(standards, me)
        after: str | None = None
        while True:
            page = await self._waiting.find(
                {"project": project, "open": True}, sort=("-priority", "-uncertainty"), after=after, limit=20
            )
            for waiting in page.items:
                if me in waiting.taken or waiting.claiming is not None:
                    continue
                if gold_is_due:
                    gold_is_due = False
                    spare = await self._quality.spare(standards, [Pair(me, member.reviewer)])
                    if spare[me]:
                        return await self._on_trial(caller, member, spare[me][0], Trial(purpose="measure"))
                try:
                    claimed = await self._waiting.update(waiting.id, lambda current: (_claimed(current, me), []))
                except (Conflict, NotFound):
                    continue  # somebody was faster, or it was erased
                if assignment := await self._complete(caller, claimed, member):
                    return assignment
            after = page.next
            if after is None:
                return None

    # The project

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

    async def give_back(self, assignment: Assignment) -> None:
        """To the pool, where its figure came from there."""
        await self._give_back(assignment.figure, assignment.annotator)

    async def loads(self, project: str, order: Order) -> Counter[str]:
        """What everybody of the team has to tag."""
        people = In(tuple(pair.annotator for pair in order.team))
        where: Where = {"project": project, "annotator": people, "state": In(("open", "returned"))}
        return Counter(await self._assignments.count_by("annotator", where))

    # How

    async def _free(
        self, project: str, choice: Choice, together: Together, after: str | None
    ) -> AsyncIterator[tuple[list[Figure], str | None, int]]:
        """Pages of chosen figures that nobody has, with the cursor behind each and how many were looked at."""
        if choice.figures is not None:
            known = await self._figures.get_many(list(dict.fromkeys(choice.figures)))
            free = await self._giving.free([figure for figure in known if figure.project == project])
            yield free, None, len(choice.figures)
            return
        where = _chosen(project, choice.article)
        while True:
            page = await self._figures.find(
                where, sort=("article.id",) if together == "article" else (), after=after, limit=_PAGE
            )
            free = await self._giving.free(page.items)
            after = page.next
            yield (free if choice.article is not None else await self._giving.workable(free)), after, len(page.items)
            if after is None:
                return

    async def _holders(self, project: str, articles: set[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        if not articles:
            return {}
        async for one in every(self._assignments, {"project": project, "article": In(tuple(articles))}, limit=_PAGE):
            if one.state != "released" and one.trial is None and one.annotator not in found[one.article]:
                found[one.article].append(one.annotator)
        return dict(found)

    async def _carry_out(
        self, caller: Caller, planned: Sequence[Planned], figures: Sequence[Figure], at: datetime, step: str | None
    ) -> None:
        gold = await self._figures.get_many([one.figure for one in planned if one.trial])
        known: Mapping[str, Figure] = {figure.id: figure for figure in (*figures, *gold)}
        await self._giving.insert(
            caller,
            [
                new_assignment(known[one.figure], one.pair.annotator, one.pair.reviewer, at)
                .changed(hidden=one.hidden, trial=Trial(purpose="measure") if one.trial else None, handout=step)
                .noted("assign", caller.person, at)
                for one in planned
                if one.figure in known
            ],
        )

    async def _complete(self, caller: Caller, waiting: Waiting, member: Pair) -> Assignment | None:
        """Makes the assignment of a claim and closes it; null when its figure is gone or the person has had it."""
        figure = next(iter(await self._figures.get_many([waiting.id])), None)
        made: list[Assignment] = []
        if figure is not None:
            at = now()
            new = new_assignment(figure, member.annotator, member.reviewer, at).changed(
                hidden=waiting.hidden, leased_until=at.timestamp() + LEASE_SECONDS
            )
            made = (await self._giving.insert(caller, [new.noted("assign", caller.person, at)])).created
        try:
            await self._waiting.update(waiting.id, lambda current: (current.changed(claiming=None), []))
        except NotFound:
            return None  # erased meanwhile, and the assignment with it
        return made[0] if made else None

    async def _on_trial(self, caller: Caller, member: Pair, figure: str, trial: Trial) -> Assignment | None:
        """Gives somebody a gold figure; whoever asks twice at once gets the same."""
        at, found = now(), await self._figures.get(figure)
        lease = at.timestamp() + LEASE_SECONDS if trial.purpose == "measure" else None
        new = new_assignment(found, member.annotator, member.reviewer, at).changed(trial=trial, leased_until=lease)
        made = (await self._giving.insert(caller, [new.noted("assign", caller.person, at)])).created
        where = {"project": found.project, "figure": figure, "annotator": member.annotator}
        return next(iter(made or (await self._assignments.find(where, limit=1)).items), None)

    async def _expire(self, project: str) -> None:
        """Gives back what was pulled and not begun in time."""
        late = await self._assignments.find(
            {"project": project, "leased_until": Range(gte=0.0, lt=now().timestamp())}, limit=20
        )
        for assignment in late.items:
            await self._give_back(assignment.figure, assignment.annotator)
            await self._release(assignment)

    async def _release(self, late: Assignment) -> None:
        at = now()
        with suppress(NotFound):  # erased meanwhile
            released = await self._assignments.update(late.id, lambda current: _expired(current, late.leased_until, at))
            await self._writing.settle(released)
            await self._holding.let_go(late.figure)

    async def _prefer(self, figure: str, priority: int) -> None:
        with suppress(NotFound):  # erased meanwhile
            await self._waiting.update(figure, lambda current: (current.changed(priority=priority), []))

    async def _give_back(self, figure: str, annotator: str) -> None:
        with suppress(NotFound):  # it was never in the pool, or is erased
            await self._waiting.update(figure, lambda current: (_given_back(current, annotator), []))


def _chosen(project: str, article: str | None) -> Where:
    return {"project": project} if article is None else {"project": project, "article.id": article}


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
    written = released.changed(leased_until=None, unrecorded=True)
    return written, [*events, telling.changed(written)]


def _guidelines_changed(yours: int, theirs: int) -> Conflict:
    return Conflict(
        "The guidelines were changed since you loaded them.", difference={"number": {"yours": yours, "theirs": theirs}}
    )
