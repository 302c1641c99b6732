"""How a project gets on: progress, effort, agreement."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.annotation.api.bodies import IdPath
from services.annotation.counting import K, effort_saved, estimate, mean_of, people_of, summed
from services.annotation.measured import BANDS, Agreed, Cell, Count, Followed, Interval, ProjectTotals
from services.annotation.measures import Measures, Period
from services.annotation.model import State
from services.annotation.sheets import Sheets
from shared.access import Caller
from shared.clock import now
from shared.errors import Invalid
from shared.events.recommendation import Axis
from shared.http import CallerDep

MOST_DAYS: Final = 1_000
USUAL_DAYS: Final = 365


class Effort(BaseModel):
    """Concepts of approved figures: `shown` as recommendations, of these `accepted`, and `added` by search or as free
    text. `saved`: effort saved, by keystrokes that a search takes (3, 6, 10); null where nothing was tagged."""

    shown: int
    accepted: int
    added: int
    saved: dict[int, float | None]


class Band(BaseModel):
    """Recommendations with a score from `low` to `high`."""

    low: float
    high: float
    shown: int
    accepted: int


class Tagging(BaseModel):
    """Approved figures: mean tags a figure and mean seconds of work, with 95 % intervals."""

    figures: int
    tags: Interval
    seconds: Interval


class DayView(BaseModel):
    """Figures that came into a state on this day (UTC) and are in it still."""

    day: date
    states: dict[State, int]


class PersonView(BaseModel):
    """What one annotator did."""

    person: str
    states: dict[State, int]
    effort: Effort
    tagging: Tagging


class EstimateView(BaseModel):
    """`left` assignments are not approved yet; `a_day` were, in the last two weeks; at that pace it ends on `end`."""

    left: int
    a_day: float
    end: date | None


class MeasuresView(BaseModel):
    """A project's measures, or one's own. `states`: all its assignments now (of one's own: those that were submitted or
    put aside). `people`: everybody for managers (unless the project's rules say no),
    oneself for others. docs/measures.md defines every number."""

    since: date
    until: date
    as_of: Annotated[datetime | None, Field(description="When the sums of the project changed last")]
    states: dict[State, int]
    days: list[DayView]
    effort: Effort
    axes: dict[Axis, Effort]
    bands: list[Band]
    assisted: Annotated[Tagging, Field(description="Figures whose recommendations were shown")]
    hidden: Annotated[Tagging, Field(description="Figures whose recommendations were hidden, to measure what they do")]
    people: list[PersonView]
    estimate: EstimateView | None
    agreement: Agreed | None
    agreement_hidden: Agreed | None


class RebuildView(BaseModel):
    """Measuring everything again: `running` since it was asked for, and when the last one that is done began."""

    running: bool
    asked_at: datetime | None
    rebuilt_at: datetime | None


def _rebuild(followed: Followed) -> RebuildView:
    return RebuildView(
        running=followed.asked_at is not None, asked_at=followed.asked_at, rebuilt_at=followed.rebuilt_at
    )


def router(measures: Measures, sheets: Sheets) -> APIRouter:
    """Measures of a project."""
    routes = APIRouter()

    @routes.get("/api/v1/projects/{id}/measures", tags=["projects"], summary="Progress, effort and agreement")
    async def read(
        caller: CallerDep,
        id: IdPath,
        since: Annotated[date | None, Query(description="First day, UTC; a year ago without it")] = None,
        until: Annotated[date | None, Query(description="Last day, UTC; today without it")] = None,
    ) -> MeasuresView:
        """Who manages the project sees all of it; annotators see their own work; observers see it without people."""
        caller.require("measures.read", frozenset({"own"}), id)
        last = until or now().date()
        first = since or last - timedelta(days=USUAL_DAYS)
        if not 0 <= (last - first).days <= MOST_DAYS:
            raise Invalid(
                "These days cannot be measured together.",
                field="since",
                remedy=f"Let `since` be before `until`, by {MOST_DAYS:,} days at most.",
            )
        period = await measures.period(id, first, last)
        everything = caller.may("measures.read", project=id)
        totals = await measures.totals(id) if everything else None
        # Somebody's pace is for them and who manages the project, unless this says no.
        named = caller.may("assignment.read", project=id) and (await sheets.rules(id)).pace
        return _view(first, last, period if everything else _only(period, caller.person), totals, caller, named=named)

    @routes.post(
        "/api/v1/measures/rebuild",
        status_code=202,
        tags=["system"],
        summary="Measure every assignment again, from its history",
    )
    async def start_rebuild(caller: CallerDep) -> RebuildView:
        """The measures of all projects, while those that are there are read. It goes on after a restart."""
        caller.require("system.write")
        return _rebuild(await measures.ask())

    @routes.get("/api/v1/measures/rebuild", tags=["system"], summary="Whether everything is being measured again")
    async def read_rebuild(caller: CallerDep) -> RebuildView:
        caller.require("system.read")
        return _rebuild(await measures.followed())

    return routes


def _only(period: Period, person: str) -> Period:
    return Period(
        [cell for cell in period.cells if cell.person == person],
        {day: {person: people[person]} for day, people in period.states.items() if person in people},
    )


def _view(
    since: date, until: date, period: Period, totals: ProjectTotals | None, caller: Caller, *, named: bool
) -> MeasuresView:
    cells = people_of(period.cells)
    shown, hidden = (summed(cell for cell in cells if cell.hidden is apart) for apart in (False, True))
    by_day = {day: _together(people.values()) for day, people in sorted(period.states.items()) if people}
    approved = {day: states.get("approved", 0) for day, states in by_day.items()}
    states = totals.states if totals else summed(cells).states
    ahead = estimate(states, approved, now().date()) if totals else None
    of: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if named or cell.person == caller.person:
            of[cell.person].append(cell)
    return MeasuresView(
        since=since,
        until=until,
        as_of=totals.at if totals else None,
        states=_states(states),
        days=[DayView(day=date.fromisoformat(day), states=_states(states)) for day, states in by_day.items()],
        effort=_effort(shown),
        axes={axis: _effort_of(count) for axis, count in shown.axes.items()},
        bands=[
            Band(low=place / BANDS, high=(place + 1) / BANDS, shown=count.shown, accepted=count.accepted)
            for place, count in enumerate(shown.bands)
        ],
        assisted=_tagging(shown),
        hidden=_tagging(hidden),
        people=[_person(person, own) for person, own in sorted(of.items())],
        estimate=EstimateView(left=ahead.left, a_day=ahead.a_day, end=ahead.end) if ahead else None,
        agreement=totals.shown if totals else None,
        agreement_hidden=totals.hidden if totals else None,
    )


def _together(several: Iterable[Mapping[str, int]]) -> dict[str, int]:
    states: Counter[str] = Counter()
    for one in several:
        states.update(one)
    return states


def _person(person: str, cells: Sequence[Cell]) -> PersonView:
    every, shown = summed(cells), summed(cell for cell in cells if not cell.hidden)
    return PersonView(person=person, states=_states(every.states), effort=_effort(shown), tagging=_tagging(every))


def _states(counts: dict[str, int]) -> dict[State, int]:
    states: tuple[State, ...] = ("open", "submitted", "returned", "approved", "skipped", "released")
    return {state: counts[state] for state in states if counts.get(state)}


def _tagging(cell: Cell) -> Tagging:
    return Tagging(figures=cell.tags.n, tags=mean_of(cell.tags), seconds=mean_of(cell.seconds))


def _effort(cell: Cell) -> Effort:
    total = Count()
    for count in cell.axes.values():
        total += count
    return _effort_of(total)


def _effort_of(count: Count) -> Effort:
    return Effort(
        shown=count.shown,
        accepted=count.accepted,
        added=count.added,
        saved={k: effort_saved(count, k) for k in K},
    )
