"""What an assignment counts in the measures, and what sums of that say. Pure. docs/measures.md defines every number."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from services.annotation.agreement import Agreement, Deciding
from services.annotation.measured import BANDS, Agreed, Cell, Count, Interval, Measured, Spread
from services.annotation.model import Assignment, Decided, Entry, Recommendations
from shared.events.recommendation import Axis

SETTLED: Final = ("submit", "skip", "approve", "return", "reopen", "recall", "release", "assign")
# A longer pause between two actions is none of the work: whoever looks at one figure for five minutes without a click
# has left. (Counted so by eye tracking and keystroke studies of translators as "pauses"; the number is ours.)
LONGEST_PAUSE: Final = timedelta(minutes=5)
K: Final = (3, 6, 10)  # keystrokes to search and add a concept
PACE_DAYS: Final = 14
Z: Final = 1.96  # of a 95 % interval, by the normal distribution


def band_of(score: float) -> int:
    """0 for scores below 0.2, 4 from 0.8 on."""
    return min(BANDS - 1, int(score * BANDS))


def shown_in(assignment: Assignment, recommendations: Recommendations | None) -> dict[Axis, tuple[int, ...]]:
    """How many recommendations its annotator has before them, by axis and band of score."""
    if assignment.hidden or recommendations is None:
        return {}
    counts: dict[Axis, list[int]] = defaultdict(lambda: [0] * BANDS)
    for item in recommendations.items:
        counts[item.axis][band_of(item.score)] += 1
    return {axis: tuple(bands) for axis, bands in counts.items()}


def measured(
    assignment: Assignment,
    entries: Sequence[Entry],
    *,
    shared: bool,
    same: Mapping[str, str],
    former: Measured | None = None,
) -> Measured | None:
    """What it counts, from its history (`entries`, oldest first); null while it was never submitted or put aside, and
    of a trial, which measures its annotator. `same`: CURIEs of the preferred ontology by those of their equivalents."""
    if assignment.trial is not None or not any(entry.action in ("submit", "skip") for entry in entries):
        return None
    settled = next((entry for entry in reversed(entries) if entry.action in SETTLED), entries[-1])
    day = settled.at.date().isoformat()
    axes: dict[Axis, Count] = defaultdict(Count)
    bands = [Count()] * BANDS
    for axis, shown in assignment.shown.items():
        axes[axis] += Count(shown=sum(shown))
        bands = [band + Count(shown=number) for band, number in zip(bands, shown, strict=True)]
    for decided in assignment.decisions:
        if decided.stands:
            accepted = decided.recommendation is not None and not assignment.hidden
            axes[decided.tag.axis] += Count(accepted=1) if accepted else Count(added=1)
            if accepted and decided.tag.score is not None:
                bands[band_of(decided.tag.score)] += Count(accepted=1)
    return Measured(
        id=assignment.id,
        project=assignment.project,
        figure=assignment.figure,
        annotator=assignment.annotator,
        state=assignment.state,
        hidden=assignment.hidden,
        seen=assignment.version,
        day=day,
        former_day=former.day if former and former.day != day else former.former_day if former else None,
        shared=shared,
        concepts=tuple(sorted({_concept(decided, same) for decided in assignment.decisions if decided.stands}))
        if shared
        else (),
        decided=_verdicts(assignment) if shared else {},
        axes=dict(sorted(axes.items())),
        bands=tuple(bands),
        tags=len(assignment.tags),
        seconds=_seconds(assignment.annotator, entries),
    )


def cells_of(rows: Iterable[Measured]) -> tuple[Cell, ...]:
    """The sums of a day's assignments, in order of person."""
    return people_of(_cell(row) for row in rows if not row.erased)


def states_by_person(cells: Iterable[Cell]) -> dict[str, dict[str, int]]:
    """The states alone, of each person."""
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for cell in cells:
        states[cell.person].update(cell.states)
    return {person: dict(sorted(of.items())) for person, of in sorted(states.items())}


def people_of(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """One cell for each person and way, in order."""
    several: dict[tuple[str, bool], list[Cell]] = defaultdict(list)
    for cell in cells:
        several[cell.person, cell.hidden].append(cell)
    return tuple(summed(one) for _, one in sorted(several.items()))


def summed(cells: Iterable[Cell]) -> Cell:
    """One cell of several: of the first's person. In numbers, not in documents: dashboards add up a year."""
    person, hidden = "", False
    states: dict[str, int] = {}
    axes: dict[Axis, list[int]] = {}
    bands = [[0, 0, 0] for _ in range(BANDS)]
    tags, seconds = [0, 0.0, 0.0], [0, 0.0, 0.0]
    for number, cell in enumerate(cells):
        if not number:
            person, hidden = cell.person, cell.hidden
        for state, count in cell.states.items():
            states[state] = states.get(state, 0) + count
        for axis, one in cell.axes.items():
            _add(axes.setdefault(axis, [0, 0, 0]), one.shown, one.accepted, one.added)
        for place, one in enumerate(cell.bands):
            _add(bands[place], one.shown, one.accepted, one.added)
        for spread, of in ((tags, cell.tags), (seconds, cell.seconds)):
            spread[0] += of.n
            spread[1] += of.total
            spread[2] += of.squares
    return Cell(
        person=person,
        hidden=hidden,
        states=dict(sorted(states.items())),
        axes={axis: _count(counts) for axis, counts in sorted(axes.items())},
        bands=tuple(_count(counts) for counts in bands),
        tags=Spread(n=int(tags[0]), total=tags[1], squares=tags[2]),
        seconds=Spread(n=int(seconds[0]), total=seconds[1], squares=seconds[2]),
    )


def _add(counts: list[int], shown: int, accepted: int, added: int) -> None:
    counts[0] += shown
    counts[1] += accepted
    counts[2] += added


def _count(counts: Sequence[int]) -> Count:
    return Count(shown=counts[0], accepted=counts[1], added=counts[2])


def effort_saved(count: Count, k: int) -> float | None:
    """1 - (A + R + K M) / (K (A + M)): A accepted, R shown and not accepted (each costs a look), M added by a search of
    K keystrokes. Null where nothing was tagged. Below 0 recommendations cost more than they save."""
    gold = count.accepted + count.added
    if not gold:
        return None
    rest = max(0, count.shown - count.accepted)
    return 1 - (count.accepted + rest + k * count.added) / (k * gold)


def mean_of(spread: Spread) -> Interval:
    """The mean with its 95 % interval, by the normal distribution, of values that are never below 0; without one for
    fewer than two."""
    if not spread.n:
        return Interval()
    mean = spread.total / spread.n
    if spread.n < 2:
        return Interval(value=mean)
    variance = max(0.0, (spread.squares - spread.n * mean * mean) / (spread.n - 1))
    half = Z * math.sqrt(variance / spread.n)
    return Interval(value=mean, low=max(0.0, mean - half), high=mean + half)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`left` figures are not approved yet; `a_day` were, on average, over the last two weeks; then it ends on `end`."""

    left: int
    a_day: float
    end: date | None


def estimate(states: Mapping[str, int], approved: Mapping[str, int], today: date) -> Estimate:
    """By the pace of the last 14 days, or since the first approval if that is later. `approved`: by ISO day."""
    left = sum(states.get(state, 0) for state in ("open", "submitted", "returned"))
    begin = today - timedelta(days=PACE_DAYS - 1)
    recent = {day: number for day, number in approved.items() if date.fromisoformat(day) >= begin and number}
    if not recent:
        return Estimate(left, 0.0, today if not left else None)
    first = date.fromisoformat(min(recent))
    a_day = sum(recent.values()) / ((today - first).days + 1)
    return Estimate(left, a_day, today + timedelta(days=math.ceil(left / a_day)))


def agreed(found: Agreement, decided: Deciding) -> Agreed:
    """As it is kept."""
    return Agreed(
        figures=found.figures,
        annotators=found.annotators,
        f1=found.f1,
        alpha=found.alpha,
        recommendations=decided.recommendations,
        accepted=decided.accepted,
        kappa=decided.kappa,
        fleiss=decided.fleiss,
    )


def _cell(row: Measured) -> Cell:
    return Cell(
        person=row.annotator,
        hidden=row.hidden,
        states={row.state: 1},
        # What counts is what was approved: that is gold. The rest only shows how far things are.
        axes=row.axes if row.state == "approved" else {},
        bands=row.bands if row.state == "approved" else (),
        tags=Spread().with_(row.tags) if row.state == "approved" else Spread(),
        seconds=Spread().with_(row.seconds) if row.state == "approved" and row.seconds is not None else Spread(),
    )


def _concept(decided: Decided, same: Mapping[str, str]) -> str:
    tag = decided.tag
    return same.get(tag.curie, tag.curie) if tag.curie else f"{tag.axis} {tag.label.casefold()}"


def _verdicts(assignment: Assignment) -> dict[str, bool]:
    return {
        decided.recommendation: decided.kind == "accept"
        for decided in assignment.decisions
        if decided.recommendation is not None and decided.kind in ("accept", "reject")
    }


def _seconds(annotator: str, entries: Sequence[Entry]) -> float | None:
    """Between the annotator's actions, without long pauses; null where there are not two."""
    times = [entry.at for entry in entries if entry.actor == annotator]
    if len(times) < 2:
        return None
    gaps = (later - earlier for earlier, later in pairwise(times))
    return sum(gap.total_seconds() for gap in gaps if gap <= LONGEST_PAUSE)
