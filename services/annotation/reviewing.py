"""Submitting and reviewing: an assignment and a verdict make the changed assignment; the figure's review follows. Pure.

    open --submit--> submitted --approve--> approved
                       |    ^                  |
                     return submit           reopen
                       v    |                  |
                      returned <---------------+

Until the reviewer has begun, the annotator may recall what was submitted. `exits` has the ways out of daily work.

The assignment is where a verdict is decided. The figure's review, another document, records it afterwards: `record` may
run any number of times, and `unrecorded` stands on the assignment until it has. Where several tagged a figure, `settle`
puts an adjudicator's choices in the place of the union of their tags.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from services.annotation.model import (
    Action,
    Approved,
    Assignment,
    Decided,
    Judged,
    Outcome,
    Reason,
    Recorded,
    Review,
    Rule,
    Settlement,
)
from services.annotation.tagging import tag_event, with_decisions, withdraw_all
from shared.errors import Conflict, Invalid
from shared.events.envelope import Event
from shared.events.recommendation import Axis
from shared.events.review import Adjudication, Decision, ReviewDone, SettledTag, Verdict

_NEEDS: Final = {"submit": "open", "review": "submitted", "reopen": "approved"}
MAX_COMMENT: Final = 5_000  # characters
MAX_REASONS: Final = 50  # of one verdict


def unreviewed(assignment: Assignment) -> Review:
    """The review of a figure on which no verdict was given yet."""
    return Review(id=assignment.figure, project=assignment.project)


def submit(
    assignment: Assignment, no_tag_applies: bool, at: datetime, *, no_tag_on: tuple[Axis, ...] = ()
) -> Assignment:
    """The assignment handed to its reviewer; the same when it was submitted so already. `no_tag_on`: axes on which its
    annotator says that no tag applies.

    Raises Invalid unless a tag stands or the annotator says that none applies, Conflict when it is approved.
    """
    if assignment.state == "approved" and assignment.judged and assignment.judged.rule:
        if assignment.no_tag_applies == no_tag_applies:
            return assignment  # the answer to an earlier try was lost
        raise _closed("submit", assignment)
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
        if (assignment.no_tag_applies, assignment.no_tag_on) != (no_tag_applies, no_tag_on):
            raise _closed("submit", assignment)
        return assignment
    submitted = assignment.changed(
        state="submitted", no_tag_applies=no_tag_applies, no_tag_on=no_tag_on, review_begun=False, undo=(), redo=()
    )
    return submitted.noted("submit", assignment.annotator, at)


def by_rule(assignment: Assignment, rule: Rule, at: datetime) -> Assignment:
    """What was just submitted, approved without anybody's look; the submission's entry in the history says so."""
    round = assignment.judged.round + 1 if assignment.judged else 1
    *before, entry = assignment.recent
    return assignment.changed(
        state="approved",
        judged=Judged(round=round, verdict="approved", comment="", decided_at=at, rule=rule),
        unrecorded=True,
        recent=(*before, entry.model_copy(update={"state": "approved"})),
    )


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
        inspected_at=at.timestamp(),
    )
    provisional = [tag_event(new, decided) for decided in back]
    return new.noted("reopen", by, at, back, comment=reason), [*withdrawals, *provisional]


def judge(
    assignment: Assignment,
    verdict: Verdict,
    comment: str,
    at: datetime,
    *,
    reasons: Sequence[Reason] = (),
    by: str | None = None,
) -> Assignment:
    """The assignment with the verdict; the same when it was given already. `reasons` say what has to change by tag;
    `by` is who judges in the reviewer's place. Approved without a tag, it says that none applies.

    Raises Conflict unless it is submitted, Invalid when it is returned without a comment or reason, or a reason is of a
    tag that is not there.
    """
    if verdict == "returned" and not comment.strip() and not reasons:
        raise Invalid(
            "A returned assignment needs a comment.", field="comment", remedy="Say what the annotator should change."
        )
    if verdict == "approved" and reasons:
        raise Invalid("What is approved needs no change.", field="reasons", remedy="Return it, or leave them out.")
    if unknown := next((reason.key for reason in reasons if assignment.decided(reason.key) is None), None):
        raise Invalid(
            f"There is no decision with the key {unknown[:80]!r}.",
            field="reasons",
            remedy="Take the decisions' keys; what is missing goes into the comment.",
        )
    before = assignment.judged
    given = (verdict, comment, tuple(reasons), by)
    if before and assignment.state == verdict and given == (before.verdict, before.comment, before.reasons, before.by):
        return assignment
    if assignment.state != "submitted":
        raise _closed("review", assignment)
    judged = Judged(
        round=before.round + 1 if before else 1,
        verdict=verdict,
        comment=comment,
        decided_at=at,
        by=by,
        reasons=tuple(reasons),
    )
    new = assignment.changed(
        state=verdict,
        judged=judged,
        unrecorded=True,
        review_begun=False,
        inspected_at=at.timestamp(),
    )
    if verdict == "approved":
        new = new.changed(no_tag_applies=not new.tags)
    action: Action = "approve" if verdict == "approved" else "return"
    return new.noted(action, by or assignment.reviewer, at, comment=comment)


def awaited(siblings: Sequence[Assignment]) -> bool:
    """Whether one of several assignments of a figure is not handed over yet: its annotator must not find what the
    others gave."""
    return len(siblings) > 1 and any(one.state in ("open", "returned", "skipped") for one in siblings)


def follow(review: Review, assignment: Assignment, siblings: Sequence[Assignment]) -> tuple[Review, list[Event]]:
    """As `record`; its tags are kept from annotators as long as one of the siblings is awaited."""
    new, events = record(review.changed(awaited=awaited(siblings)), assignment)
    if new.awaited == review.awaited or events:
        return (new if events else review), events
    event = review_event(new, revision=review.version + 1)
    return new, [event] if event else []


def record(review: Review, assignment: Assignment) -> tuple[Review, list[Event]]:
    """The figure's review with the assignment's last verdict, and review.done; unchanged when it has that verdict, or
    the assignment is a trial: that says nothing of its figure."""
    judged = assignment.judged
    if assignment.trial is not None or judged is None or review.rounds.get(assignment.id, 0) >= judged.round:
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


def settle(
    review: Review, outcomes: Sequence[Outcome], rounds: Mapping[str, int], by: str, at: datetime
) -> tuple[Review, list[Event]]:
    """The figure's review with what an adjudicator settled, and review.done; unchanged when it was settled so already.

    Raises Conflict unless the assignments of these rounds, and no others, stand approved.
    """
    if {one.assignment: review.rounds[one.assignment] for one in review.approved} != rounds or review.last is None:
        raise Conflict(
            "The figure's assignments were changed meanwhile.", remedy="Load the figure again, then settle it."
        )
    before = review.settled
    if before and (before.rounds, before.outcomes) == (rounds, tuple(outcomes)):
        return review, []
    judged = Judged(round=review.last.judged.round, verdict="approved", comment="", decided_at=at, by=by)
    new = review.changed(
        settled=Settlement(by=by, at=at, rounds=dict(rounds), outcomes=tuple(outcomes)),
        last=review.last.model_copy(update={"reviewer": by, "judged": judged}),
    )
    new = new.changed(last=new.last and new.last.model_copy(update={"no_tag_applies": not new.tags}))
    event = review_event(new, revision=review.version + 1)
    return new, [event] if event else []


def recorded(assignment: Assignment, seen: Assignment) -> Assignment:
    """The assignment once the figure's review and adjudication have what `seen` says, unless it was changed since."""
    return assignment.changed(unrecorded=False) if assignment.version == seen.version else assignment


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
        blind=review.blind,
        rule="sampling" if last.judged.rule == "sampling" else None,
        adjudication=_adjudication(review.settled) if review.settled else None,
    )


def _adjudication(settled: Settlement) -> Adjudication:
    return Adjudication(
        adjudicator=settled.by,
        decided_at=settled.at,
        assignments=sorted(settled.rounds),
        settled=[
            SettledTag(
                key=outcome.tag.key,
                axis=outcome.tag.axis,
                curie=outcome.tag.curie,
                label=outcome.tag.label,
                kept=outcome.kept,
                annotators=list(outcome.annotators),
                by=outcome.by,
            )
            for outcome in settled.outcomes
        ],
    )


def _decision(decided: Decided) -> Decision:
    tag = decided.tag
    return Decision(
        kind=decided.kind,
        key=tag.key,
        axis=tag.axis,
        curie=tag.curie,
        equivalents=list(decided.equivalents),
        label=tag.label,
        reason=decided.reason,
        bulk=tag.bulk,
        names=list(dict.fromkeys(span.text for span in tag.spans)),
        recommended_in=decided.recommended_in,
        model_score=decided.model_score,
        annotator=tag.annotator,
        decided_at=tag.decided_at,
        by=decided.by,
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
