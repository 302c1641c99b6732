"""review.done: a reviewer's verdict on a figure, with its final tags."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Body, Event
from shared.events.recommendation import Axis
from shared.events.tag import Tag

DecisionKind = Literal["accept", "reject", "add", "withdraw"]
Verdict = Literal["approved", "returned"]
RejectReason = Literal["wrong_meaning", "not_about_this_figure", "too_general", "duplicate"]


class Decision(Body):
    """What an annotator decided of one concept."""

    kind: DecisionKind
    key: str
    axis: Axis
    curie: str | None = None
    label: str
    reason: RejectReason | None = None
    names: Annotated[list[str], Field(description="How the legend says the concept, each once")] = []
    annotator: str
    decided_at: datetime


class ReviewDone(Event):
    """A figure's review ended. `tags` are authoritative: they replace all that were final before."""

    topic: ClassVar[str] = "review.done"
    source: ClassVar[str] = "annotation"

    review: str
    article: Annotated[str, Field(description="The figure's, by its id")] = ""
    assignment: str
    verdict: Verdict
    comment: str = ""
    reviewer: str
    annotator: str
    decided_at: datetime
    no_tag_applies: Annotated[bool, Field(description="The annotator says that nothing applies")] = False
    tags: list[Tag] = []
    decisions: list[Decision] = []
