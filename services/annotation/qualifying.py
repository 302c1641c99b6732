"""Whether a newcomer has passed: attempts of several gold figures, each scored on its own. Pure.

An attempt is passed when the mean of its figures' F1, each figure counting the same, reaches the threshold. A figure
that was put aside or taken back, or is gold no longer, does not count; another takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Literal, TypeAlias

from services.annotation.model import Assignment, Qualification, Trial

State: TypeAlias = Literal["newcomer", "passed", "failed"]

_BEGUN: Final = ("open", "returned")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far somebody is. `attempt` counts from 1; of its figures `given` were handed out, `scored` of them submitted,
    with a mean `f1` (null before the first). `best` is that of the best attempt that was completed."""

    state: State
    attempt: int
    given: int
    scored: int
    f1: float | None
    best: float | None


def progress(trials: Sequence[Assignment], needed: Qualification) -> Progress:
    """From somebody's trials to qualify, in any order."""
    best: float | None = None
    attempt, given, scores = 0, 0, list[float]()
    for attempt in range(1, needed.attempts + 1):
        mine = [trial for one in trials if (trial := _trial(one)) and trial.attempt == attempt]
        given, scores = len(mine), [trial.score.f1 for trial in mine if trial.score]
        if len(scores) < needed.figures:
            return Progress("newcomer", attempt, given, len(scores), _mean(scores), best)
        best = max(fmean(scores), best or 0.0)
        if fmean(scores) >= needed.threshold:
            return Progress("passed", attempt, given, len(scores), _mean(scores), best)
    return Progress("failed", attempt, given, len(scores), _mean(scores), best)


def _trial(assignment: Assignment) -> Trial | None:
    trial = assignment.trial
    if trial is None or trial.purpose != "qualify":
        return None
    return trial if trial.score is not None or assignment.state in _BEGUN else None


def _mean(scores: Sequence[float]) -> float | None:
    return fmean(scores) if scores else None
