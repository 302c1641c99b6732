"""The projection of measures: follows what changes in assignments, and keeps the sums that dashboards read.

A change is measured in steps that may all be repeated: each assignment's row is written, then every day that it is or
was counted on is summed anew from its rows, and its month from the days, then how far that went is noted. Whoever dies
in between begins there again. Of two processes that sum a day at the same time, the one that saw fewer rows is refused
and sums again: every row is written before its day is summed.
"""

import asyncio
from calendar import monthrange
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple, TypeVar

import structlog

from services.annotation.agreement import agreement, deciding
from services.annotation.counting import agreed, cells_of, measured, people_of, states_by_person
from services.annotation.filing import Filing
from services.annotation.measured import Agreed, Cell, DayTotals, Followed, Measured, MonthTotals, ProjectTotals
from services.annotation.model import Assignment, Figure, Recommendations
from shared.clock import now
from shared.documents.pages import every, pages
from shared.documents.port import Collection, Documents, In, Range, Where
from shared.errors import Conflict, Duplicate, Erased, MitaggerError, NotFound
from shared.tasks import ended

LOOK_SECONDS: Final = 1.0
# Writes that a slow disk had begun, and clocks that differ between processes.
AGAIN: Final = timedelta(seconds=30)
PAGE: Final = 200
MOST_SHARED: Final = 2_000  # assignments of shared figures that agreement is computed from, the newest

log = structlog.get_logger()


S = TypeVar("S", DayTotals, MonthTotals)


class Period(NamedTuple):
    """Everybody's cells, and the states by day and person."""

    cells: list[Cell]
    states: Mapping[str, Mapping[str, Mapping[str, int]]]


class Measures:
    """Over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._filing = Filing(documents)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._rows: Collection[Measured] = documents.collection(Measured)
        self._days: Collection[DayTotals] = documents.collection(DayTotals)
        self._months: Collection[MonthTotals] = documents.collection(MonthTotals)
        self._totals: Collection[ProjectTotals] = documents.collection(ProjectTotals)
        self._followed: Collection[Followed] = documents.collection(Followed)
        self._task: asyncio.Task[None] | None = None
        self._looked: datetime | None = None  # when `follow` began last
        self._seen: dict[str, int] = {}  # versions of assignments that it saw, of those that may come again

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow_on(), name="measures")

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def follow(self) -> int:
        """Measures what changed since the last time, everything where a rebuild was asked for. Returns how many
        assignments it looked at."""
        begun = now()
        followed = await self.followed()
        until, asked = followed.until, followed.asked_at
        if asked is not None:
            until, self._looked, self._seen = None, None, {}
        # What this process has looked at needs no second look once no write of then can still come.
        since = max(filter(None, (until, self._looked)), default=None)
        recent = Range(gte=(since - AGAIN).isoformat() if since else "")
        latest, changed = until, 0
        projects: set[str] = set()
        overlapping: set[str] = set()
        seen: dict[str, int] = {}
        async for page in pages(self._assignments, {"updated_at": recent}, sort=("updated_at",), limit=PAGE):
            new = [one for one in page if self._seen.get(one.id) != one.version]
            # One that was only handed out counts nothing yet.
            overlapping |= await self._measure({one.figure for one in new if one.version > 1})
            projects |= {one.project for one in new}
            changed += len(new)
            seen |= {one.id: one.version for one in page if one.updated_at >= begun - AGAIN}
            if page:
                latest = max(filter(None, (latest, page[-1].updated_at)))
        if asked is not None:
            projects |= await self._sum_again()
            overlapping |= projects
        for project in sorted(projects):
            await self._sum_project(project, agreed_anew=project in overlapping)
        if latest != until or asked is not None:
            await self._followed.update(
                Followed.ID, lambda one: (_followed(one, latest, asked, begun), ()), initial=Followed(id=Followed.ID)
            )
        self._looked, self._seen = begun, seen
        return changed

    async def followed(self) -> Followed:
        """How far measuring is."""
        return next(iter(await self._followed.get_many([Followed.ID])), Followed(id=Followed.ID))

    async def ask(self) -> Followed:
        """Everything will be measured again, from the first assignment, beside what is read meanwhile: by whoever
        follows next, and by whoever starts next where that one dies. Asked again before it is done is asked once."""
        at = now()
        return await self._followed.update(
            Followed.ID,
            lambda one: (one.changed(asked_at=one.asked_at or at), ()),
            initial=Followed(id=Followed.ID),
        )

    async def rebuild(self) -> None:
        """Measures every assignment again, from the first."""
        await self.ask()
        await self.follow()

    async def _sum_again(self) -> set[str]:
        """Sums every day that there is, also those of which no row is left. Returns the projects."""
        days = {(one.project, one.day) async for one in every(self._days, {}, limit=200)}
        for project, day in sorted(days):
            await self._sum_day(project, day)
        for project, month in sorted({(project, day[:7]) for project, day in days}):
            await self._sum_month(project, month)
        return {project for project, _ in days}

    async def forget(self, figures: Sequence[str]) -> None:
        """What erased figures counted goes. The sums go first: a row that is left tells that they have to."""
        rows = await self._of_figures(figures)
        for row in rows:
            await self._rows.update(row.id, lambda one: (_emptied(one), ()))
        await self._sum_days(rows)
        for project in sorted({row.project for row in rows}):
            await self._sum_project(project, agreed_anew=any(row.shared for row in rows if row.project == project))
        for row in rows:
            await self._rows.erase(row.id)

    async def period(self, project: str, since: date, until: date) -> Period:
        """What counts from one day to another: of whole months their sums, of the rest the days'."""
        cells: list[Cell] = []
        states: dict[str, dict[str, dict[str, int]]] = {}
        where: Where = {"project": project, "month": Range(gte=_month(since), lt=_month(until) + "~")}
        async for one in every(self._months, where, sort=("month",)):
            first = date.fromisoformat(f"{one.month}-01")
            last = first + timedelta(days=monthrange(first.year, first.month)[1] - 1)
            if since <= first and last <= until:
                cells += one.cells
                states |= one.states
                continue
            for day in await self._days_of(project, max(first, since), min(last, until)):
                cells += day.cells
                states[day.day] = states_by_person(day.cells)
        return Period(cells, states)

    async def _days_of(self, project: str, since: date, until: date) -> list[DayTotals]:
        where: Where = {"project": project, "day": Range(gte=since.isoformat(), lt=until.isoformat() + "~")}
        return (await self._days.find(where, sort=("day",), limit=1000)).items

    async def totals(self, project: str) -> ProjectTotals:
        try:
            return await self._totals.get(project)
        except NotFound:
            return ProjectTotals(id=project)

    async def _measure(self, figures: Iterable[str]) -> set[str]:
        """Writes the rows of all assignments of these figures: who shares a figure counts for both. Returns the
        projects in which a figure is, or was, shared."""
        wanted = sorted(figures)
        if not wanted:
            return set()
        assignments: dict[str, list[Assignment]] = defaultdict(list)
        for start in range(0, len(wanted), PAGE):
            of = In(tuple(wanted[start : start + PAGE]))
            async for one in every(self._assignments, {"figure": of}, limit=1000):
                assignments[one.figure].append(one)
        ids = [one.id for several in assignments.values() for one in several]
        former = {row.id: row for row in await self._rows.get_many(ids)}
        same = {one.id: _same(one) for one in await self._recommendations.get_many(list(assignments))}
        rows = []
        for figure, several in assignments.items():
            taken = [one for one in several if one.state != "released"]
            for one in several:
                entries = await self._filing.all(one)
                row = measured(
                    one, entries, shared=len(taken) > 1, same=same.get(figure, {}), former=former.get(one.id)
                )
                if row is not None:
                    rows.append(row)
        for row in rows:
            await self._put(row)
        await self._sum_days(rows)
        # Erased meanwhile: its erasure may have looked for rows before these were there.
        alive = {figure.id for figure in await self._figures.get_many(list(assignments))}
        await self.forget([figure for figure in assignments if figure not in alive])
        return {row.project for row in (*rows, *former.values()) if row.shared}

    async def _put(self, row: Measured) -> None:
        try:
            await self._rows.update(
                row.id,
                lambda one: (
                    one if one.seen > row.seen or one.erased else row.model_copy(update={"version": one.version}),
                    (),
                ),
                initial=Measured(**{**row.model_dump(), "seen": 0, "version": 0}),
            )
        except Erased:
            return

    async def _of_figures(self, figures: Sequence[str]) -> list[Measured]:
        rows: list[Measured] = []
        for figure in figures:
            rows += (await self._rows.find({"figure": figure}, limit=1000)).items
        return rows

    async def _sum_days(self, rows: Sequence[Measured]) -> None:
        """Days first, then their months, each from what was written before it."""
        days = {(row.project, day) for row in rows for day in (row.day, row.former_day) if day is not None}
        for project, day in sorted(days):
            await self._sum_day(project, day)
        for project, month in sorted({(project, day[:7]) for project, day in days}):
            await self._sum_month(project, month)

    async def _sum_day(self, project: str, day: str) -> None:
        async def add_up() -> dict[str, Any]:
            rows = [row async for row in every(self._rows, {"project": project, "day": day}, limit=1000)]
            return {"cells": await asyncio.to_thread(cells_of, rows)}

        await _renewed(self._days, DayTotals(id=f"{project}.{day}", project=project, day=day), add_up)

    async def _sum_month(self, project: str, month: str) -> None:
        async def add_up() -> dict[str, Any]:
            first = date.fromisoformat(f"{month}-01")
            days = await self._days_of(project, first, first + timedelta(days=30))
            days = [day for day in days if day.day.startswith(month)]
            cells = await asyncio.to_thread(people_of, [cell for day in days for cell in day.cells])
            return {"cells": cells, "states": {day.day: states_by_person(day.cells) for day in days if day.cells}}

        await _renewed(self._months, MonthTotals(id=f"{project}.{month}", project=project, month=month), add_up)

    async def _sum_project(self, project: str, *, agreed_anew: bool) -> None:
        """Its states, and where figures that several have may have changed, agreement on these: it takes seconds."""
        fields: dict[str, Any] = {"states": await self._assignments.count_by("state", {"project": project})}
        if agreed_anew:
            rows: list[Measured] = []
            async for page in pages(self._rows, {"project": project, "shared": True}, sort=("-day",), limit=1000):
                rows += page
                if len(rows) >= MOST_SHARED:
                    break
            done = [row for row in rows if row.state in ("submitted", "approved") and not row.erased]
            for name, hidden in (("shown", False), ("hidden", True)):
                fields[name] = await asyncio.to_thread(_agreement, [row for row in done if row.hidden is hidden])
        at = now()

        def change(one: ProjectTotals) -> tuple[ProjectTotals, tuple[()]]:
            changed = one.changed(**fields)
            return (one if changed == one else changed.changed(at=at)), ()

        await self._totals.update(project, change, initial=ProjectTotals(id=project))

    async def _follow_on(self) -> None:
        """As often as its work lets: a tenth of the time at most."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                await self.follow()
            except MitaggerError as error:
                log.warning("measures wait", reason=str(error))
            except Exception:
                log.exception("measures stand still")
            await asyncio.sleep(max(LOOK_SECONDS, 9 * (loop.time() - begun)))


async def _renewed(sums: Collection[S], new: S, add_up: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Writes sums that are added up after the version was read that they replace: who was overtaken adds up again."""
    while True:
        try:
            version = (await sums.get(new.id)).version
        except NotFound:
            try:
                version = (await sums.insert(new)).version
            except Duplicate:
                continue
        change = _replacing(await add_up())
        with suppress(Conflict):
            await sums.update(new.id, change, version=version)
            return


def _replacing(fields: dict[str, Any]) -> Callable[[S], tuple[S, tuple[()]]]:
    return lambda one: (one.changed(**fields), ())


def _followed(one: Followed, until: datetime | None, asked: datetime | None, begun: datetime) -> Followed:
    """Once measured until then; with the rebuild that was `asked` for done, unless another was asked for meanwhile."""
    if asked is None:
        return one.changed(until=until)
    return one.changed(until=until, rebuilt_at=begun, asked_at=None if one.asked_at == asked else one.asked_at)


def _month(day: date) -> str:
    return day.isoformat()[:7]


def _emptied(row: Measured) -> Measured:
    return row.changed(erased=True, concepts=(), decided={}, axes={}, bands=(), tags=0, seconds=None)


def _same(recommendations: Recommendations) -> dict[str, str]:
    return {other.curie: item.curie for item in recommendations.items for other in item.equivalents}


def _agreement(rows: Sequence[Measured]) -> Agreed:
    by_figure: dict[str, dict[str, Measured]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (row.figure, row.annotator)):
        by_figure[row.figure][row.annotator] = row
    ratings = [{who: frozenset(row.concepts) for who, row in of.items()} for of in by_figure.values()]
    verdicts = [{who: row.decided for who, row in of.items()} for of in by_figure.values()]
    return agreed(agreement(ratings), deciding(verdicts))
