"""How figures are given out: by a plan that is previewed, then applied, or into the pool that `pulling` takes from."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

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
from services.annotation.model import (
    Assignment,
    Figure,
    Recommendations,
    Trial,
    Waiting,
)
from services.annotation.quality import Quality
from shared.access import Caller
from shared.clock import now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In, Range, Where
from shared.errors import Duplicate, NotFound

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
    """Over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._waiting: Collection[Waiting] = documents.collection(Waiting)
        self._quality = Quality(documents)
        self._giving = Giving(documents)

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

    async def _prefer(self, figure: str, priority: int) -> None:
        with suppress(NotFound):  # erased meanwhile
            await self._waiting.update(figure, lambda current: (current.changed(priority=priority), []))


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
