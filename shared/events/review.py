"""review.done: a reviewer's verdict on a figure, with its final tags."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from shared.events.envelope import Body, Event
from shared.events.recommendation import Axis
from shared.events.tag import Tag

DecisionKind = Literal["accept", "reject", "add", "withdraw"]
Verdict = Literal["approved", "returned"]
RejectReason = Literal["wrong_meaning", "not_about_this_figure", "too_general", "duplicate"]


class RecommendationSet(Body):
    """Which recommendations of a figure: of its `revision`, by the `generation` of what made them."""

    model_config = ConfigDict(frozen=True)

    revision: int
    generation: int


class Decision(Body):
    """What an annotator decided of one concept."""

    kind: DecisionKind
    key: str
    axis: Axis
    curie: str | None = None
    equivalents: Annotated[
        list[str], Field(description="CURIEs of what was recommended as the same in other ontologies: decided with it")
    ] = []
    label: str
    reason: RejectReason | None = None
    bulk: Annotated[bool, Field(description="Accepted at once with all of its axis above a score, not one by one")] = (
        False
    )
    names: Annotated[list[str], Field(description="How the legend says the concept, each once")] = []
    recommended_in: Annotated[
        RecommendationSet | None, Field(description="The recommendations that it answers; null where none is known")
    ] = None
    model_score: Annotated[
        float | None, Field(ge=0, le=1, description="Of that recommendation, before what reviews taught of scores")
    ] = None
    annotator: Annotated[str, Field(description="Whose tag it is: a reviewer may have added it")]
    decided_at: datetime
    by: Annotated[str | None, Field(description="Who decided it so, where a reviewer did")] = None


class SettledTag(Body):
    """What became of a tag where several annotators tagged the figure."""

    key: str
    axis: Axis
    curie: str | None = None
    label: str
    kept: bool
    annotators: Annotated[list[str], Field(description="Whose work had it")]
    by: Annotated[str | None, Field(description="Who chose; null where all annotators had it")] = None


class Adjudication(Body):
    """How an adjudicator settled where annotators differ."""

    adjudicator: str
    decided_at: datetime
    assignments: list[str]
    settled: list[SettledTag]


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
    rule: Annotated[
        Literal["sampling"] | None, Field(description="Approved by this rule: the reviewer did not look")
    ] = None
    blind: Annotated[
        bool, Field(description="Keep the tags from annotators: some tag this figure, or may still be given it")
    ] = False
    adjudication: Annotated[
        Adjudication | None, Field(description="The last one, where several tagged the figure; null before it")
    ] = None
