"""Submitting and reviewing: an assignment and a verdict make the changed assignment; the figure's review follows. Pure.

    open --submit--> submitted --approve--> approved
                       |    ^                  |
                     return submit           reopen
                       v    |                  |
                      returned <---------------+

Until the reviewer has begun, the annotator may recall what was submitted. `exits` has the ways out of daily work.

The assignment is where a verdict is decided. The figure's review, another document, records it afterwards: `record` may
run any number of times, and `unrecorded` stands on the assignment until it has.
"""

from datetime import datetime
from typing import Final

from services.annotation.model import Approved, Assignment, Decided, Judged, Recorded, Review
from services.annotation.tagging import tag_event, with_decisions, withdraw_all
from shared.errors import Conflict, Invalid
from shared.events.envelope import Event
from shared.events.review import Decision, ReviewDone, Verdict

_NEEDS: Final = {"submit": "open", "review": "submitted", "reopen": "approved"}
MAX_COMMENT: Final = 5_000  # characters


def submit(assignment: Assignment, no_tag_applies: bool, at: datetime) -> Assignment:
    """The assignment handed to its reviewer; the same when it was submitted so already.

    Raises Invalid unless a tag stands or the annotator says that none applies, Conflict when it is approved.
    """
    if assignment.state in ("approved", "skipped", "released"):
        raise _closed("submit", assignment)
    if no_tag_applies and assignment.tags:
        raise Invalid(
            f"{len(assignment.tags)} tags stand, so a tag applies.",
            field="no_tag_applies",
            remedy="Withdraw the tags, or submit without `no_tag_applies`.",
        )
    if not no_tag_applies and not assignment.tags:
        raise Invalid(
            "Nothing is tagged yet.",
            field="no_tag_applies",
            remedy="Accept or add at least one tag, or submit with `no_tag_applies`: that is an answer too.",
        )
    if assignment.state == "submitted":
        if assignment.no_tag_applies != no_tag_applies:
            raise _closed("submit", assignment)
        return assignment
    submitted = assignment.changed(
        state="submitted", no_tag_applies=no_tag_applies, review_begun=False, undo=(), redo=()
    )
    return submitted.noted("submit", assignment.annotator, at)


def begin(assignment: Assignment, at: datetime) -> Assignment:
    """The assignment once its reviewer looks at it: from now on it is not recalled. Raises Conflict unless it is
    submitted."""
    if assignment.state != "submitted":
        raise _closed("review", assignment)
    if assignment.review_begun:
        return assignment
    return assignment.changed(review_begun=True).noted("begin_review", assignment.reviewer, at)


def reopen(assignment: Assignment, by: str, reason: str, at: datetime) -> tuple[Assignment, list[Event]]:
    """An approved assignment back with its annotator: its tags are final no longer.

    Each standing tag is withdrawn and provisional again, so that whoever follows the tags hears of it. Raises Conflict
    unless it is approved, Invalid without a reason.
    """
    if not reason.strip():
        raise Invalid("Reopening needs a reason.", field="reason", remedy="Say what has to change.")
    before = assignment.judged
    if assignment.state == "returned" and before and (before.by, before.comment) == (by, reason):
        return assignment, []
    if assignment.state != "approved" or before is None:
        raise _closed("reopen", assignment)
    gone, withdrawals = withdraw_all(assignment, at)
    standing = [decided for decided in assignment.decisions if decided.stands]
    back = [
        one.model_copy(update={"tag": withdrawn.tag, "revision": withdrawn.revision + 1})
        for one, withdrawn in zip(standing, gone, strict=True)
    ]
    new = with_decisions(assignment, back).changed(
        state="returned",
        review_begun=False,
        judged=Judged(round=before.round + 1, verdict="returned", comment=reason, decided_at=at, by=by),
        unrecorded=True,
    )
    provisional = [tag_event(new, decided) for decided in back]
    return new.noted("reopen", by, at, back, comment=reason), [*withdrawals, *provisional]


def judge(assignment: Assignment, verdict: Verdict, comment: str, at: datetime) -> Assignment:
    """The assignment with the verdict; the same when it was given already.

    Raises Conflict unless it is submitted, Invalid when it is returned without a comment.
    """
    if verdict == "returned" and not comment.strip():
        raise Invalid(
            "A returned assignment needs a comment.", field="comment", remedy="Say what the annotator should change."
        )
    before = assignment.judged
    if before and assignment.state == before.verdict == verdict and before.comment == comment:
        return assignment
    if assignment.state != "submitted":
        raise _closed("review", assignment)
    judged = Judged(round=before.round + 1 if before else 1, verdict=verdict, comment=comment, decided_at=at)
    new = assignment.changed(state=verdict, judged=judged, unrecorded=True, review_begun=False)
    return new.noted("approve" if verdict == "approved" else "return", assignment.reviewer, at, comment=comment)


def record(review: Review, assignment: Assignment) -> tuple[Review, list[Event]]:
    """The figure's review with the assignment's last verdict, and review.done; unchanged when it has that verdict."""
    judged = assignment.judged
    if judged is None or review.rounds.get(assignment.id, 0) >= judged.round:
        return review, []
    approved = tuple(other for other in review.approved if other.assignment != assignment.id)
    if judged.verdict == "approved":
        approved = (*approved, Approved(assignment=assignment.id, tags=assignment.tags))
    new = review.changed(
        rounds={**review.rounds, assignment.id: judged.round},
        approved=approved,
        last=Recorded(
            assignment=assignment.id,
            article=assignment.article,
            annotator=assignment.annotator,
            reviewer=judged.by or assignment.reviewer,
            judged=judged,
            no_tag_applies=assignment.no_tag_applies,
            decisions=assignment.decisions,
        ),
    )
    event = review_event(new, revision=review.version + 1)
    return new, [event] if event else []


def recorded(assignment: Assignment, round: int) -> Assignment:
    """The assignment once the figure's review has the verdict of `round`."""
    if assignment.judged is None or assignment.judged.round != round:
        return assignment
    return assignment.changed(unrecorded=False)


def review_event(review: Review, *, revision: int) -> ReviewDone | None:
    """The event that tells the review's current state; null before the first verdict."""
    last = review.last
    if last is None:
        return None
    return ReviewDone(
        time=last.judged.decided_at,
        project=review.project,
        actor=last.reviewer,
        figure=review.id,
        revision=revision,
        review=review.id,
        article=last.article,
        assignment=last.assignment,
        verdict=last.judged.verdict,
        comment=last.judged.comment,
        reviewer=last.reviewer,
        annotator=last.annotator,
        decided_at=last.judged.decided_at,
        no_tag_applies=last.no_tag_applies,
        tags=list(review.tags),
        decisions=[_decision(decided) for decided in last.decisions],
    )


def _decision(decided: Decided) -> Decision:
    tag = decided.tag
    return Decision(
        kind=decided.kind,
        key=tag.key,
        axis=tag.axis,
        curie=tag.curie,
        label=tag.label,
        reason=decided.reason,
        names=list(dict.fromkeys(span.text for span in tag.spans)),
        annotator=tag.annotator,
        decided_at=tag.decided_at,
    )


def _closed(wish: str, assignment: Assignment) -> Conflict:
    remedies = {
        "open": "Wait until the annotator submits it.",
        "returned": "Wait until the annotator submits it again.",
        "submitted": "Wait for the reviewer's verdict.",
        "approved": "Its review is done; a reviewer or administrator may reopen it.",
        "released": "It was taken back from its annotator.",
        "skipped": "It was skipped; its annotator may recall it.",
    }
    return Conflict(
        f"You cannot {wish} an assignment that is {assignment.state}.",
        difference={"state": {"yours": _NEEDS[wish], "theirs": assignment.state}},
        remedy=remedies[assignment.state],
    )
