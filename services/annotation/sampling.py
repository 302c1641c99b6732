"""Which submitted work a reviewer looks at, and in which order. Pure.

The rule follows continuous sampling (Dodge 1943, "A Sampling Inspection Plan for Continuous Production", Annals of
Mathematical Statistics 14(3): 264-279): everything of a producer is inspected until enough in a row was good, then a
fraction, and everything again once it is not. We allow a share of returns in a window in place of none, for a returned
figure is often a matter of one tag; what the reviewer corrected in place of returning it counts the same, and so does a
low score on gold. What was sent back once is always looked at again.

Which are drawn depends on the assignment's id and the project's seed, so that submitting again, or recalling first,
draws the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from services.annotation.assigning import drawn
from services.annotation.model import Assignment, Look, Sampling

# What is wanted back comes first, then what was decided by the dozen, then the work of whom one has to watch.
PLACES: Final[dict[Look, int]] = {"resubmitted": 0, "bulk": 1, "quality": 2, "new": 3, "drawn": 4, "everything": 4}


@dataclass(frozen=True, slots=True)
class Record:
    """An annotator's last work, at most the window of each: how much of it a reviewer looked at, how much of that was
    sent back or corrected, and F1 on gold figures that they did not know for such."""

    inspected: int
    returned: int
    f1: Sequence[float]


def look(assignment: Assignment, rules: Sampling, record: Record, seed: str) -> Look | None:
    """Why a reviewer has to look at what is submitted; null: nobody has to. Tags that were accepted in bulk, not one by
    one, are said to be so where nothing else makes it urgent."""
    why = _look(assignment, rules, record, seed)
    bulk = any(tag.bulk for tag in assignment.tags)
    return "bulk" if bulk and why in ("new", "drawn", "everything") else why


def _look(assignment: Assignment, rules: Sampling, record: Record, seed: str) -> Look | None:
    if assignment.judged is not None:
        return "resubmitted"
    if rules.share >= 1:
        return "everything"
    if record.inspected < rules.window:
        return "new"
    if record.returned > rules.returned * record.inspected or (record.f1 and fmean(record.f1) < rules.f1):
        return "quality"
    return "drawn" if drawn(f"{seed}/review", assignment.id) < rules.share else None


def in_queue(assignment: Assignment, why: Look) -> Assignment:
    """The assignment with its place in its reviewer's queue."""
    return assignment.changed(look=why, place=PLACES[why])
