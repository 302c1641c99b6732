"""The ways out of daily work: skip or flag with a reason for the administrator, recall what was handed over. Pure.

open, returned --skip--> skipped --recall--> open, returned
              submitted --recall, until its review has begun--> open, returned
all but approved --release, by an administrator--> released --assigned again--> open
"""

from datetime import datetime

from services.annotation.model import Assignment, Concern, ConcernReason, State
from services.annotation.tagging import with_decisions, withdraw_all
from shared.errors import Conflict
from shared.events.envelope import Event


def skip(assignment: Assignment, reason: ConcernReason, comment: str, at: datetime) -> Assignment:
    """The assignment put aside; its tags stay provisional. Raises Conflict unless it is open or returned."""
    if assignment.state == "skipped" and _same(assignment, reason, comment):
        return assignment
    if assignment.state not in ("open", "returned"):
        raise _refused("skip", assignment, remedy="Only what is yours to tag can be skipped.")
    concern = Concern(reason=reason, comment=comment, at=at)
    skipped = assignment.changed(state="skipped", concern=concern, flagged=True, undo=(), redo=())
    return skipped.noted("skip", assignment.annotator, at, comment=comment)


def flag(assignment: Assignment, reason: ConcernReason, comment: str, at: datetime) -> Assignment:
    """The assignment with a concern; its work goes on. Raises Conflict when it is approved or skipped."""
    if assignment.concern and _same(assignment, reason, comment):
        return assignment
    if assignment.state in ("approved", "skipped", "released"):
        raise _refused("flag", assignment, remedy="Ask its reviewer to reopen it, or recall it first.")
    flagged = assignment.changed(concern=Concern(reason=reason, comment=comment, at=at), flagged=True)
    return flagged.noted("flag", assignment.annotator, at, comment=comment)


def unflag(assignment: Assignment, by: str, at: datetime) -> Assignment:
    """The assignment without its concern: it was dealt with. One that was skipped is to be tagged again."""
    if assignment.concern is None:
        return assignment
    state = _before(assignment) if assignment.state == "skipped" else assignment.state
    return assignment.changed(state=state, concern=None, flagged=False).noted("unflag", by, at)


def recall(assignment: Assignment, at: datetime) -> Assignment:
    """The assignment taken back by its annotator. Raises Conflict once its review has begun, or nothing was handed
    over."""
    match assignment.state:
        case "skipped":
            taken = assignment.changed(state=_before(assignment), concern=None, flagged=False)
        case "submitted" if not assignment.review_begun:
            taken = assignment.changed(state=_before(assignment))
        case "submitted":
            raise _refused("recall", assignment, remedy="Its review has begun: ask the reviewer to return it.")
        case "approved":
            raise _refused("recall", assignment, remedy="Ask its reviewer to reopen it.")
        case "released":
            raise _refused("recall", assignment, remedy="Ask an administrator to assign it to you again.")
        case _:
            return assignment
    return taken.noted("recall", assignment.annotator, at)


def release(assignment: Assignment, by: str, at: datetime) -> tuple[Assignment, list[Event]]:
    """The assignment taken from its annotator, its tags withdrawn. Raises Conflict when it is approved."""
    if assignment.state == "released":
        return assignment, []
    if assignment.state == "approved":
        raise _refused("release", assignment, remedy="Reopen it first: its tags are final.")
    gone, events = withdraw_all(assignment, at)
    new = with_decisions(assignment, gone).changed(
        state="released", review_begun=False, concern=None, flagged=False, opened_with=None, undo=(), redo=()
    )
    return new.noted("release", by, at, gone), events


def assign_again(
    assignment: Assignment, reviewer: str, by: str, at: datetime, *, handout: str | None = None
) -> Assignment:
    """A released assignment given to its annotator again; any other as it is."""
    if assignment.state != "released":
        return assignment
    again = assignment.changed(state=_before(assignment), reviewer=reviewer, handout=handout)
    return again.noted("assign", by, at)


def review_by(assignment: Assignment, reviewer: str, by: str, at: datetime) -> Assignment:
    """The assignment with another reviewer; any that is approved, or tagged by that person, as it is."""
    if assignment.state == "approved" or reviewer in (assignment.reviewer, assignment.annotator):
        return assignment
    return assignment.changed(reviewer=reviewer, review_begun=False).noted("assign", by, at)


def _before(assignment: Assignment) -> State:
    return "returned" if assignment.judged and assignment.judged.verdict == "returned" else "open"


def _same(assignment: Assignment, reason: ConcernReason, comment: str) -> bool:
    concern = assignment.concern
    return concern is not None and (concern.reason, concern.comment) == (reason, comment)


def _refused(wish: str, assignment: Assignment, *, remedy: str) -> Conflict:
    return Conflict(
        f"You cannot {wish} an assignment that is {assignment.state}.",
        difference={"state": {"yours": "open", "theirs": assignment.state}},
        remedy=remedy,
    )
