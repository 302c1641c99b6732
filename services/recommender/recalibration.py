"""What approved reviews say of scores: how often recommendations of a score were accepted, by project. Pure.

A score is the scorer's opinion of how likely a recommendation is right; what is right differs between sites and axes.
From decided recommendations, a slope and an offset over the score's log odds (Platt 1999) and an offset for each axis
are fitted, each drawn towards saying nothing (a Gaussian prior), so that few decisions change little. They are fitted
over scores before recalibration, so that what was taught does not feed itself, and over whole numbers of decisions, so
that any order of the same reviews gives the same. docs/decisions/0032-newer-recommendations.md.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.recommender.model import Judged, Judgement
from shared.events.recommendation import Axis
from shared.events.review import ReviewDone
from shared.vocabulary.axes import AXES

LEAST_DECISIONS: Final = 200
LEAST_OF_EACH: Final = 25  # accepted, and rejected: who only accepts says nothing of scores
MOST_FIGURES: Final = 2_000  # the newest: what people want changes
LOWEST, HIGHEST = 0.01, 0.99
LEAST_SLOPE: Final = 0.2  # what scored higher stays higher
# Standard deviations of the prior: how far decisions may move slope, offset and axes before they must be many.
SLOPE_SPREAD, OFFSET_SPREAD, AXIS_SPREAD = 0.5, 0.5, 0.3
_ROUNDS: Final = 50
_STILL: Final = 1e-9
_FIXED: Final = 1e9


@dataclass(frozen=True, slots=True)
class Recalibration:
    """`slope` and `offset` of the log odds, `axes` by which an axis is moved besides."""

    slope: float
    offset: float
    axes: Mapping[Axis, float]
    version: str = field(init=False)

    def __post_init__(self) -> None:
        said = "\n".join(
            (str(self.slope), str(self.offset), *(f"{axis} {by}" for axis, by in sorted(self.axes.items())))
        )
        object.__setattr__(self, "version", hashlib.sha256(said.encode()).hexdigest()[:8])

    def of(self, axis: Axis, score: float) -> float:
        """What a score on an axis becomes. Of one axis, higher scores stay higher."""
        odds = self.slope * _log_odds(score) + self.offset + self.axes.get(axis, 0.0)
        return round(min(HIGHEST, max(LOWEST, 1 / (1 + math.exp(-odds)))), 4)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What figures say together: decisions (accepted, rejected) by axis and score, and by how many that was."""

    cells: Mapping[tuple[Axis, float], tuple[int, int]]
    figures: int
    articles: int
    people: int

    @property
    def accepted(self) -> int:
        return sum(accepted for accepted, _ in self.cells.values())

    @property
    def rejected(self) -> int:
        return sum(rejected for _, rejected in self.cells.values())

    def enough(self, *, articles: int, people: int) -> bool:
        """Whether a recalibration may follow."""
        return (
            self.accepted + self.rejected >= LEAST_DECISIONS
            and min(self.accepted, self.rejected) >= LEAST_OF_EACH
            and self.articles >= articles
            and self.people >= people
        )


def judgement(event: ReviewDone) -> Judgement:
    """What a figure's review says of scores; nothing unless it was approved. A duplicate is right as such, so that
    rejecting one says nothing."""
    accepted: Counter[tuple[Axis, float]] = Counter()
    rejected: Counter[tuple[Axis, float]] = Counter()
    for decision in event.decisions if event.verdict == "approved" else ():
        if decision.model_score is None or decision.kind not in ("accept", "reject") or decision.reason == "duplicate":
            continue
        cell = (decision.axis, round(decision.model_score, 2))
        (accepted if decision.kind == "accept" else rejected)[cell] += 1
    return Judgement(
        id=event.figure,
        project=event.project,
        revision=event.revision,
        at=event.decided_at,
        article=event.article,
        person=event.annotator,
        cells=tuple(
            Judged(axis=axis, score=score, accepted=accepted[axis, score], rejected=rejected[axis, score])
            for axis, score in sorted({*accepted, *rejected})
        ),
    )


def together(judgements: Iterable[Judgement]) -> Evidence:
    """In any order the same."""
    cells: dict[tuple[Axis, float], tuple[int, int]] = {}
    speaking = [one for one in judgements if one.cells]
    for one in speaking:
        for cell in one.cells:
            accepted, rejected = cells.get((cell.axis, cell.score), (0, 0))
            cells[cell.axis, cell.score] = (accepted + cell.accepted, rejected + cell.rejected)
    return Evidence(
        dict(sorted(cells.items())),
        figures=len(speaking),
        articles=len({one.article for one in speaking}),
        people=len({one.person for one in speaking}),
    )


def fitted(evidence: Evidence) -> Recalibration:
    """The likeliest recalibration, by Newton's method with halved steps; rounded, so that no machine's arithmetic
    shows."""
    cells = list(evidence.cells.items())
    known = np.zeros((len(cells), 2 + len(AXES)))
    for row, ((axis, score), _) in enumerate(cells):
        known[row, 0], known[row, 1], known[row, 2 + AXES.index(axis)] = _log_odds(score), 1.0, 1.0
    accepted = np.array([accepted for _, (accepted, _) in cells], dtype=float)
    all_of = accepted + np.array([rejected for _, (_, rejected) in cells], dtype=float)
    before = np.zeros(2 + len(AXES))
    before[0] = 1.0
    tight = np.array([SLOPE_SPREAD, OFFSET_SPREAD, *(AXIS_SPREAD for _ in AXES)]) ** -2.0
    weights = _likeliest(known, accepted, all_of, before, tight)
    if weights[0] < LEAST_SLOPE:
        before[0], tight[0] = LEAST_SLOPE, _FIXED
        weights = _likeliest(known, accepted, all_of, before, tight)
    slope, offset, *axes = (round(float(one), 3) for one in weights)
    seen = {axis for axis, _ in evidence.cells}
    return Recalibration(slope, offset, {axis: by for axis, by in zip(AXES, axes, strict=True) if axis in seen})


def _likeliest(
    known: NDArray[np.float64],
    accepted: NDArray[np.float64],
    all_of: NDArray[np.float64],
    before: NDArray[np.float64],
    tight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Weights of a logistic regression with a Gaussian prior of mean `before` and precisions `tight`."""

    def unlikely(weights: NDArray[np.float64]) -> float:
        odds = known @ weights
        said = np.sum(all_of * np.logaddexp(0, odds) - accepted * odds)
        return float(said + np.sum(tight * (weights - before) ** 2) / 2)

    weights = before
    for _ in range(_ROUNDS):
        likely = 1 / (1 + np.exp(-(known @ weights)))
        slope = known.T @ (accepted - all_of * likely) - tight * (weights - before)
        curve = known.T @ (known * (all_of * likely * (1 - likely))[:, None]) + np.diag(tight)
        step = np.linalg.solve(curve, slope)
        while unlikely(weights + step) > unlikely(weights) and np.abs(step).max() > _STILL:
            step = step / 2
        weights = weights + step
        if np.abs(step).max() < _STILL:
            break
    return weights


def brier(evidence: Evidence, recalibration: Recalibration | None) -> float:
    """The mean squared error of scores as chances of being accepted (Brier 1950): 0 is best, .25 is tossing a coin."""
    wrong = 0.0
    for (axis, score), (accepted, rejected) in evidence.cells.items():
        likely = recalibration.of(axis, score) if recalibration else score
        wrong += accepted * (1 - likely) ** 2 + rejected * likely**2
    return wrong / max(1, evidence.accepted + evidence.rejected)


def _log_odds(score: float) -> float:
    kept = min(HIGHEST, max(LOWEST, score))
    return math.log(kept / (1 - kept))
