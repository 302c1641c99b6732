"""What learning is worth: recommendations on articles never replayed, over the number of legends that people decided.

Simulated annotators decide the legends of development articles by gold: they accept what the corpus has, reject as
wrong in meaning what it does not have under that name, and mark what was missed. Their reviews go through the code that
learns in production; the annotator that knows what follows is measured on the articles kept out.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.recommender import learned
from services.recommender.annotator import Annotation
from services.recommender.following import following
from services.recommender.learned import Thresholds
from services.recommender.local import LocalAnnotator
from services.recommender.model import LearnedName
from services.recommender.profiles import CORPUS
from services.recommender.taught import Taught
from shared.access import DEFAULT_PROJECT
from shared.events.legend import Analysis
from shared.events.recommendation import Axis, Span
from shared.events.review import Decision, ReviewDone
from shared.events.tag import Tag
from shared.vocabulary.artefact import Vocabularies
from tools.quality.corpus import Corpus, Legend
from tools.quality.fit import Learned
from tools.quality.measures import Score, by_ontology, concepts, counted, macro, saved

ORDERS: Final = 10
STEPS: Final = (0, 25, 50, 100, 150, 200, 250, 300)
PEOPLE: Final = ("ada", "bob", "eve")
AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
AXIS: Final[Axis] = "anatomy"  # the corpus's concepts need one to be told apart from each other only


class Known:
    """An annotator whose answers are known already: learning changes what follows, not what the vocabularies have."""

    version = "known"

    def __init__(self, answers: Mapping[str, list[Annotation]]) -> None:
        self._answers = answers

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        return [self._answers[analysis.text] for analysis in analyses]


@dataclass(frozen=True, slots=True)
class Point:
    """Of one order of legends, after so many of them."""

    decided: int
    f1: float
    effort: float
    names: int
    suppressed: int


def approved(legend: Legend, person: str, *, tags: Sequence[Tag] = (), decisions: Sequence[Decision]) -> ReviewDone:
    """The review of a legend that somebody decided."""
    return ReviewDone(
        time=AT,
        project=DEFAULT_PROJECT,
        actor="grace",
        figure=legend.id,
        revision=1,
        review=legend.id,
        article=legend.article,
        assignment=legend.id,
        verdict="approved",
        reviewer="grace",
        annotator=person,
        decided_at=AT,
        tags=list(tags),
        decisions=list(decisions),
    )


def review(legend: Legend, found: Sequence[Annotation], person: str, data: Corpus) -> ReviewDone:
    """What somebody who knows the gold decides of a legend."""
    gold = {(curie, spans[0]) for of_one in legend.gold.values() for _, curie, spans in of_one if len(spans) == 1}
    meant = {curie for curie, _ in gold}
    text = legend.analysis.text
    tags = [
        Tag(
            key=f"{curie}|present",
            axis=AXIS,
            curie=curie,
            label=curie,
            spans=[Span(start=start, end=end, text=text[start:end])],
            source="search",
            annotator=person,
            decided_at=AT,
        )
        for curie, (start, end) in sorted(gold)
    ]
    excluded = {curie for of_one in data.excluded.values() for curie in of_one}
    wrong = {
        (one.concept.curie, one.text)
        for one in found
        if one.concept.curie not in meant and one.concept.curie not in excluded
    }
    decisions = [
        Decision(
            kind="reject",
            key=f"{curie}|present",
            axis=AXIS,
            curie=curie,
            label=curie,
            reason="wrong_meaning",
            names=[said],
            annotator=person,
            decided_at=AT,
        )
        for curie, said in sorted(wrong)
    ]
    return approved(legend, person, tags=tags, decisions=decisions)


def points(data: Corpus, loaded: Vocabularies, answers: Mapping[str, list[Annotation]], order: int) -> Iterator[Point]:
    """One order, from no decided legend to all. `answers`: what the annotator finds, by text."""
    legends = list(data.development)
    random.Random(order).shuffle(legends)  # noqa: S311 - a fixed draw
    known = Known(answers)
    items: dict[str, LearnedName] = {}
    for decided in range(len(legends) + 1):
        if decided in STEPS or decided == len(legends):
            yield _measured(data, loaded, known, items, decided)
        if decided < len(legends):
            legend = legends[decided]
            event = review(legend, answers[legend.analysis.text], PEOPLE[decided % len(PEOPLE)], data)
            for id, lesson in learned.lessons(event).items():
                before = items.get(id) or learned.blank(event.project, id, lesson)
                items[id] = learned.taught(before, event.figure, lesson, event.article)


def _measured(
    data: Corpus, loaded: Vocabularies, known: Known, items: Mapping[str, LearnedName], decided: int
) -> Point:
    force = following(items.values(), loaded, Thresholds()).of(DEFAULT_PROJECT)
    found = data.found(data.kept_out, Taught(known, force).annotate([legend.analysis for legend in data.kept_out]))
    scores: dict[str, Score] = by_ontology(counted(data.kept_out, found, concepts).values())
    return Point(decided, macro(scores), saved(scores, 6), len(force.names), len(force.suppressed))


def drawn(curves: Sequence[Sequence[Point]], path: Path) -> str:
    """Writes the plot; returns the table. Mean and band (lowest to highest) of all orders."""
    steps = [point.decided for point in curves[0]]
    rows = []
    bands: dict[str, list[tuple[float, float, float]]] = {"f1": [], "effort": []}
    for i, decided in enumerate(steps):
        of_step = [curve[i] for curve in curves]
        cells = [str(decided)]
        for name, values in (("f1", [p.f1 for p in of_step]), ("effort", [p.effort for p in of_step])):
            low, mean, high = min(values), sum(values) / len(values), max(values)
            bands[name].append((low, mean, high))
            cells.append(f"{mean:.3f} ({low:.3f} to {high:.3f})")
        cells.append(f"{sum(p.names for p in of_step) / len(of_step):.0f}")
        cells.append(f"{sum(p.suppressed for p in of_step) / len(of_step):.0f}")
        rows.append("| " + " | ".join(cells) + " |")
    path.write_text(_svg(steps, bands), encoding="utf-8")
    head = "| legends decided | F1, set, macro | effort saved, K = 6 | names of the site | suppressed |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _svg(steps: Sequence[int], bands: Mapping[str, Sequence[tuple[float, float, float]]]) -> str:
    """Two curves with their bands, drawn by hand: one picture needs no library."""
    width, height, left, bottom, top = 640, 300, 48, 260, 20
    values = [value for band in bands.values() for step in band for value in step]
    low, high = min(values) - 0.02, max(values) + 0.02

    def x(decided: int) -> float:
        return left + (width - left - 130) * decided / max(steps[-1], 1)

    def y(value: float) -> float:
        return bottom - (bottom - top) * (value - low) / (high - low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="12">'
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for tick in range(5):
        value = low + (high - low) * tick / 4
        parts.append(
            f'<line x1="{left}" x2="{x(steps[-1]):.0f}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>'
        )
    parts += [f'<text x="{x(step):.0f}" y="{bottom + 18}" text-anchor="middle">{step}</text>' for step in steps[::2]]
    for name, colour, label in (("f1", "#1b64a8", "F1 (set, macro)"), ("effort", "#b5420b", "effort saved")):
        band = bands[name]
        ahead = " ".join(f"{x(step):.1f},{y(one[2]):.1f}" for step, one in zip(steps, band, strict=True))
        back = " ".join(f"{x(step):.1f},{y(one[0]):.1f}" for step, one in reversed(list(zip(steps, band, strict=True))))
        line = " ".join(f"{x(step):.1f},{y(one[1]):.1f}" for step, one in zip(steps, band, strict=True))
        parts.append(
            f'<polygon points="{ahead} {back}" fill="{colour}" opacity="0.18"/>'
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
            f'<text x="{x(steps[-1]) + 8:.0f}" y="{y(band[-1][1]) + 4:.1f}" fill="{colour}">{label}</text>'
        )
    parts.append(f'<text x="{x(steps[-1]) / 2:.0f}" y="{height - 4}" text-anchor="middle">legends decided</text></svg>')
    return "\n".join(parts) + "\n"


def curve(data: Corpus, loaded: Vocabularies, learned_before: Learned, path: Path) -> str:
    """The plot and its table."""
    annotator = LocalAnnotator(loaded, CORPUS, learned_before.by, learned_before.by_name)
    everything = [legend.analysis for legend in (*data.development, *data.kept_out)]
    answers = dict(zip((one.text for one in everything), annotator.annotate(everything), strict=True))
    return drawn([list(points(data, loaded, answers, order)) for order in range(ORDERS)], path)
