"""Decisions: an assignment and a command make the changed assignment and its events. Pure.

A decision stands on a key: a concept, or free text on an axis, with the assertion. Deciding the same again changes
nothing and causes no event, so a request whose answer was lost can be sent again.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation.model import Action, Assignment, Decided, Step
from shared.errors import Conflict, Invalid, NotFound, TooLarge
from shared.events.envelope import Event, event_id
from shared.events.legend import Assertion
from shared.events.recommendation import Axis, Recommendation, Span
from shared.events.review import RecommendationSet, RejectReason
from shared.events.tag import Tag, TagAccepted, TagWithdrawn

MAX_STEPS: Final = 30  # that can be undone
MAX_DECISIONS: Final = 500  # of one assignment, those withdrawn included
MAX_SPANS: Final = 200
MAX_PANELS: Final = 60
MAX_LEGEND: Final = 50_000  # code points (DESIGN.md, section 2)

CLOSED: Final = {
    "submitted": "Wait until the reviewer returns it.",
    "approved": "Its review is done.",
    "released": "It was taken back from you.",
    "skipped": "Recall it to tag it after all.",
}

_PLAIN: Final = r"^[^\x00-\x1f\x7f]*$"

Plain: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=_PLAIN)
]
Curie: TypeAlias = Annotated[
    str, StringConstraints(max_length=200, pattern=r"^[A-Za-z][A-Za-z0-9_.\-]*:[^\s\x00-\x1f\x7f|]+$")
]
PanelLabel: TypeAlias = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern=_PLAIN)
]
Panels: TypeAlias = Annotated[list[PanelLabel], Field(max_length=MAX_PANELS)]


class Mention(BaseModel):
    """A mention in the legend: 0-based, half open, in Unicode code points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: Annotated[int, Field(ge=0, le=MAX_LEGEND)]
    end: Annotated[int, Field(ge=1, le=MAX_LEGEND)]
    text: Annotated[str, StringConstraints(max_length=1000)] = ""


Mentions: TypeAlias = Annotated[list[Mention], Field(max_length=MAX_SPANS)]


class Command(BaseModel):
    """What an annotator decides."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Accept(Command):
    """Accepts a recommendation; assertion, panels and spans are the recommendation's unless given. `shown`, the
    recommendation as the caller saw it, lets it be accepted after a newer set has replaced it. `bulk`: with all of its
    axis above a score, none looked at by itself; measures and samples of reviews tell such tags from the others."""

    kind: Literal["accept"]
    recommendation: Plain
    assertion: Assertion | None = None
    panels: Panels | None = None
    spans: Mentions | None = None
    shown: Recommendation | None = None
    bulk: bool = False


class Reject(Command):
    """Rejects a recommendation. A tag that was accepted from it stands no longer."""

    kind: Literal["reject"]
    recommendation: Plain
    reason: RejectReason | None = None
    shown: Recommendation | None = None


class Add(Command):
    """Adds a concept (`curie` with `label`, `ontology`… as the concept search gave them) or free text (`text`)."""

    kind: Literal["add"]
    axis: Axis
    curie: Curie | None = None
    text: Plain | None = None
    label: Plain | None = None
    iri: Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\s\x00-\x1f\x7f]+$")] | None = None
    ontology: Plain | None = None
    vocabulary_version: Plain | None = None
    assertion: Assertion = "present"
    panels: Panels | None = None
    spans: Mentions | None = None


class Withdraw(Command):
    """Takes a decision back: its tag no longer stands, its recommendation is undecided again."""

    kind: Literal["withdraw"]
    key: Annotated[str, StringConstraints(min_length=1, max_length=700)]


DecisionCommand: TypeAlias = Annotated[Accept | Reject | Add | Withdraw, Field(discriminator="kind")]


def concept_key(curie: str, assertion: Assertion) -> str:
    """The key of a concept."""
    return f"{curie}|{assertion}"


def text_key(text: str, axis: Axis, assertion: Assertion) -> str:
    """The key of free text: equal for texts that differ in case, width, or spacing only (Unicode NFKC, casefold)."""
    folded = " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
    return f"text/{axis}/{folded}|{assertion}"


def tag_id(assignment: str, key: str) -> str:
    """The id of a provisional tag, unique by assignment and key; computed, for it stands in no URL."""
    return event_id("annotation", "tag", assignment, key)


def decide(
    assignment: Assignment,
    command: DecisionCommand,
    recommended: Recommendation | None,
    at: datetime,
    recommended_in: RecommendationSet | None = None,
    *,
    by: str | None = None,
) -> tuple[Assignment, list[Event]]:
    """The assignment after the decision, with the tag events that it causes; the same assignment when it changes
    nothing.

    `recommended` is the content of the recommendation that the command names, `recommended_in` the set it stands in,
    where that is known. The annotator decides while it is open or returned; the reviewer, named as `by`, while it is
    submitted: that begins the review, and the tags are the reviewer's. Raises Conflict in other states, Invalid,
    NotFound (nothing to withdraw), TooLarge (too many decisions).
    """
    match command:
        case Accept() | Reject():
            if recommended is None:
                raise ValueError("accepting or rejecting needs the recommendation's content")
            decisions = _answer(assignment, command, recommended, at, recommended_in)
        case Add():
            decisions = [_add(assignment, command, at)]
        case Withdraw():
            decisions = [_withdraw(assignment, command.key, at)]
    changed = [decided for decided in decisions if not _same(decided, assignment.decided(decided.tag.key))]
    if not changed:
        return assignment, []
    if by is not None:
        return _corrected(assignment, command.kind, changed, at, by)
    if assignment.state not in ("open", "returned"):
        raise Conflict(
            f"The assignment is {assignment.state}; its decisions are closed.",
            difference={"state": {"yours": "open", "theirs": assignment.state}},
            remedy=CLOSED[assignment.state],
        )
    return _decided(assignment, command.kind, changed, at)


def revert(
    assignment: Assignment, past: Sequence[Decided], number: int, at: datetime
) -> tuple[Assignment, list[Event]]:
    """The assignment with the decisions that it had at its version `number` (`past`, see `history.stood`), as one step
    that can be undone; whose decisions they were stays. Unchanged where it says the same already. Raises Conflict when
    it is closed.
    """
    before = {decided.tag.key: decided for decided in past}
    restored = [
        _at(before[decided.tag.key], at) if decided.tag.key in before else _withdrawn(decided, at)
        for decided in assignment.decisions
        if decided.tag.key in before or decided.kind != "withdraw"
    ]
    changed = [decided for decided in restored if not _same(decided, assignment.decided(decided.tag.key))]
    if not changed:
        return assignment, []
    if assignment.state not in ("open", "returned"):
        raise Conflict(
            f"The assignment is {assignment.state}; its decisions are closed.",
            difference={"state": {"yours": "open", "theirs": assignment.state}},
            remedy=CLOSED[assignment.state],
        )
    return _decided(assignment, "revert", changed, at, to=number)


def _decided(
    assignment: Assignment, action: Action, changed: Sequence[Decided], at: datetime, to: int | None = None
) -> tuple[Assignment, list[Event]]:
    """The annotator's change, as a step."""
    counted = [_counted(decided, assignment.decided(decided.tag.key)) for decided in changed]
    new = assignment.changed(
        decisions=_replaced(assignment.decisions, counted),
        undo=(*assignment.undo, _step(assignment, counted))[-MAX_STEPS:],
        redo=(),
        no_tag_applies=assignment.no_tag_applies and not any(decided.stands for decided in counted),
    )
    return _bounded(new).noted(action, assignment.annotator, at, counted, to=to), _told(new, counted)


def _corrected(
    assignment: Assignment, action: Action, changed: Sequence[Decided], at: datetime, by: str
) -> tuple[Assignment, list[Event]]:
    """The reviewer's change of what was submitted."""
    if assignment.state != "submitted":
        raise Conflict(
            f"The assignment is {assignment.state}; a reviewer changes what is submitted.",
            difference={"state": {"yours": "submitted", "theirs": assignment.state}},
            remedy="Reopen it first." if assignment.state == "approved" else "Wait until it is submitted.",
        )
    counted = [
        _counted(_signed(decided, before, by), before)
        for decided in changed
        for before in [assignment.decided(decided.tag.key)]
    ]
    new = assignment.changed(
        decisions=_replaced(assignment.decisions, counted),
        review_begun=True,
        no_tag_applies=assignment.no_tag_applies and not any(decided.stands for decided in counted),
    )
    return _bounded(new).noted(action, by, at, counted), _told(new, counted)


def _signed(decided: Decided, before: Decided | None, by: str) -> Decided:
    """As the reviewer's decision. Taking somebody's tag back, or to another panel, does not make it one's own."""
    stays = before is not None and (decided.kind == "withdraw" or (before.stands and decided.stands))
    annotator = before.tag.annotator if stays and before else by
    return decided.model_copy(update={"by": by, "tag": decided.tag.model_copy(update={"annotator": annotator})})


def _bounded(assignment: Assignment) -> Assignment:
    if len(assignment.decisions) > MAX_DECISIONS:
        raise TooLarge(
            f"An assignment holds at most {MAX_DECISIONS} decisions.", remedy="Keep to the concepts that matter."
        )
    return assignment


def _told(assignment: Assignment, counted: Sequence[Decided]) -> list[Event]:
    return [tag_event(assignment, decided) for decided in counted if decided.revision]


def undo(assignment: Assignment, at: datetime) -> tuple[Assignment, list[Event]]:
    """The assignment without its last command since it was opened, with the tag events that this causes.

    Raises Conflict when it is closed or nothing is left to undo.
    """
    return _stepped(assignment, "undo", at)


def redo(assignment: Assignment, at: datetime) -> tuple[Assignment, list[Event]]:
    """The assignment with what was undone last; a new decision forgets what was undone. Raises Conflict as `undo`."""
    return _stepped(assignment, "redo", at)


def _stepped(assignment: Assignment, way: Literal["undo", "redo"], at: datetime) -> tuple[Assignment, list[Event]]:
    steps = assignment.undo if way == "undo" else assignment.redo
    if assignment.state not in ("open", "returned") or not steps:
        raise Conflict(
            f"There is nothing to {way}.",
            difference={"state": {"yours": "open", "theirs": assignment.state}},
            remedy=f"Steps go back to when the assignment was opened, {MAX_STEPS} at most.",
        )
    step = steps[-1]
    gone = [_withdrawn(decided, at) for key in step.new if (decided := assignment.decided(key))]
    back = [_at(decided, at) for decided in step.former]
    counted = [_counted(decided, assignment.decided(decided.tag.key)) for decided in (*gone, *back)]
    inverse = _step(assignment, counted)
    new = assignment.changed(
        decisions=_replaced(assignment.decisions, counted),
        undo=steps[:-1] if way == "undo" else (*assignment.undo, inverse)[-MAX_STEPS:],
        redo=steps[:-1] if way == "redo" else (*assignment.redo, inverse)[-MAX_STEPS:],
    )
    return new.noted(way, assignment.annotator, at, counted), _told(new, counted)


def _step(assignment: Assignment, changed: Sequence[Decided]) -> Step:
    """What leads back from `changed` to what the assignment says now."""
    keys = [decided.tag.key for decided in changed]
    former = tuple(decided for key in keys if (decided := assignment.decided(key)))
    return Step(former=former, new=tuple(key for key in keys if assignment.decided(key) is None))


def tag_event(assignment: Assignment, decided: Decided) -> TagAccepted | TagWithdrawn:
    """The event that tells the tag's current state. The same state always makes the same event."""
    key = decided.tag.key
    common = {
        "time": decided.tag.decided_at,
        "project": assignment.project,
        "actor": decided.by or assignment.annotator,
        "figure": assignment.figure,
        "revision": decided.revision,
        "tag_id": tag_id(assignment.id, key),
        "assignment": assignment.id,
        "tag": decided.tag,
        "trial": assignment.trial is not None,
    }
    if decided.stands:
        return TagAccepted.model_validate(common)
    return TagWithdrawn.model_validate({**common, "reason": decided.reason or decided.kind})


def withdraw_all(assignment: Assignment, at: datetime) -> tuple[list[Decided], list[Event]]:
    """Every tag that stands, withdrawn, with the events of that."""
    gone = [_counted(_withdrawn(decided, at), decided) for decided in assignment.decisions if decided.stands]
    return gone, [tag_event(assignment, decided) for decided in gone]


def with_decisions(assignment: Assignment, changed: Sequence[Decided]) -> Assignment:
    """The assignment with these decisions in place of those on the same keys."""
    return assignment.changed(decisions=_replaced(assignment.decisions, changed))


def _answer(
    assignment: Assignment,
    command: Accept | Reject,
    recommended: Recommendation,
    at: datetime,
    recommended_in: RecommendationSet | None,
) -> list[Decided]:
    accepting = isinstance(command, Accept)
    assertion = (command.assertion if isinstance(command, Accept) else None) or recommended.assertion
    panels = command.panels if isinstance(command, Accept) else None
    spans = command.spans if isinstance(command, Accept) else None
    tag = Tag(
        key=concept_key(recommended.curie, assertion),
        axis=recommended.axis,
        iri=recommended.iri,
        curie=recommended.curie,
        label=recommended.label,
        ontology=recommended.ontology,
        vocabulary_version=recommended.vocabulary_version,
        assertion=assertion,
        panels=recommended.panels if panels is None else sorted(set(panels)),
        spans=recommended.spans if spans is None else _spans(spans),
        source="recommendation",
        score=recommended.score,
        bulk=isinstance(command, Accept) and command.bulk,
        annotator=assignment.annotator,
        decided_at=at,
    )
    decided = Decided(
        kind="accept" if accepting else "reject",
        tag=tag,
        equivalents=tuple(other.curie for other in recommended.equivalents),
        recommendation=command.recommendation,
        recommended_in=recommended_in,
        model_score=recommended.score if recommended.model_score is None else recommended.model_score,
        reason=None if isinstance(command, Accept) else command.reason,
    )
    # A recommendation carries one decision: accepting it with another assertion, or rejecting it, replaces the former.
    former = [
        _withdrawn(other, at)
        for other in assignment.decisions
        if other.recommendation == command.recommendation and other.tag.key != tag.key and other.kind != "withdraw"
    ]
    return [*former, decided]


def _add(assignment: Assignment, command: Add, at: datetime) -> Decided:
    if (command.curie is None) == (command.text is None):
        raise Invalid(
            "A tag is either a concept or free text.", field="curie", remedy="Send `curie` or `text`, not both."
        )
    if command.curie is not None and command.label is None:
        raise Invalid("A concept needs its label.", field="label", remedy="Send it as the concept search gave it.")
    key = (
        concept_key(command.curie, command.assertion)
        if command.curie is not None
        else text_key(command.text or "", command.axis, command.assertion)
    )
    before = assignment.decided(key)
    if before is not None and before.stands:
        # It stands already: where it came from stays, only what the command says of panels and spans changes.
        panels = before.tag.panels if command.panels is None else sorted(set(command.panels))
        spans = before.tag.spans if command.spans is None else _spans(command.spans)
        tag = before.tag.model_copy(update={"panels": panels, "spans": spans, "decided_at": at})
        return before.model_copy(update={"tag": tag, "by": None})
    concept = command.curie is not None
    tag = Tag(
        key=key,
        axis=command.axis,
        iri=command.iri if concept else None,
        curie=command.curie,
        label=(command.label if concept else None) or re.sub(r"\s+", " ", command.text or ""),
        ontology=command.ontology if concept else None,
        vocabulary_version=command.vocabulary_version if concept else None,
        assertion=command.assertion,
        panels=sorted(set(command.panels or [])),
        spans=_spans(command.spans or []),
        source="search" if concept else "free_text",
        annotator=assignment.annotator,
        decided_at=at,
    )
    return Decided(kind="add", tag=tag)


def _withdraw(assignment: Assignment, key: str, at: datetime) -> Decided:
    before = assignment.decided(key)
    if before is None:
        raise NotFound(
            "There is no decision with this key to withdraw.", remedy="Take the key from the assignment's decisions."
        )
    return _withdrawn(before, at)


def _withdrawn(before: Decided, at: datetime) -> Decided:
    return _at(before, at).model_copy(update={"kind": "withdraw", "reason": None, "by": None})


def _at(decided: Decided, at: datetime) -> Decided:
    return decided.model_copy(update={"tag": decided.tag.model_copy(update={"decided_at": at})})


def _same(decided: Decided, before: Decided | None) -> bool:
    """Whether deciding so again would say nothing new; when it was said, by whom, and of which set, does not count."""
    if before is None:
        return False
    known = ("decided_at", "annotator", "score")
    tag = decided.tag.model_copy(update={field: getattr(before.tag, field) for field in known})
    same = {
        field: getattr(before, field) for field in ("revision", "by", "recommended_in", "model_score", "equivalents")
    }
    return before == decided.model_copy(update={"tag": tag, **same})


def _counted(decided: Decided, before: Decided | None) -> Decided:
    """With the tag's revision: it rises with every change once the tag has stood."""
    revision = before.revision if before else 0
    return decided.model_copy(update={"revision": revision + 1 if revision or decided.stands else 0})


def _replaced(decisions: Sequence[Decided], changed: Sequence[Decided]) -> tuple[Decided, ...]:
    """`decisions` with those of the same key replaced where they are, new ones at the end."""
    by_key = {decided.tag.key: decided for decided in decisions}
    by_key.update({decided.tag.key: decided for decided in changed})
    return tuple(by_key.values())


def _spans(mentions: Sequence[Mention]) -> list[Span]:
    if any(mention.end <= mention.start for mention in mentions):
        raise Invalid("A span ends before it starts.", field="spans", remedy="Offsets are 0-based and half open.")
    return [Span(start=mention.start, end=mention.end, text=mention.text) for mention in mentions]
