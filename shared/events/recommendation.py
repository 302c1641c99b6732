"""recommendations.ready: the concepts that `recommender` suggests for a figure."""

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Body, Event
from shared.events.legend import Assertion

Axis = Literal["anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical"]
State = Literal["ready", "none_found", "no_text", "language_unsupported", "failed"]
Match = Literal["label", "synonym", "abbreviation", "metadata"]


class Span(Body):
    """A mention in the legend: 0-based, half open, in Unicode code points."""

    start: int
    end: int
    text: str


class Equivalent(Body):
    """The same concept in another ontology."""

    iri: str | None
    curie: str
    label: str
    ontology: str


class Recommendation(Body):
    """A concept suggested for a figure, with where it is mentioned and why."""

    id: Annotated[str, Field(description="Unique within the figure: computed from concept and assertion")]
    iri: str | None
    curie: str
    label: str
    ontology: str
    vocabulary_version: str
    axis: Axis
    assertion: Assertion = "present"
    panels: Annotated[list[str], Field(description="Empty: the whole figure")] = []
    spans: list[Span] = []
    match: Match
    score: Annotated[float, Field(ge=0, le=1)]
    model_score: Annotated[
        float | None, Field(ge=0, le=1, description="Before what reviews taught of scores; null: the same")
    ] = None
    why: Annotated[str, Field(description="Which name and rule made it, for people")] = ""
    equivalents: Annotated[list[Equivalent], Field(description="The same in other ontologies of the axis")] = []


class RecommendationsReady(Event):
    """The recommender has finished with a figure's legend. `state` tells an empty answer from a failed one."""

    topic: ClassVar[str] = "recommendations.ready"
    source: ClassVar[str] = "recommender"
    kept: ClassVar[timedelta | None] = timedelta(days=30)

    generation: Annotated[int, Field(ge=0, description="Raised when vocabularies or rules change")] = 0
    state: State
    reason: Annotated[str, Field(description="Why, for people; empty when ready")] = ""
    annotator: Annotated[str, Field(description="Which annotator and version made them")]
    vocabularies: Annotated[dict[str, str], Field(description="Ontology to version")] = {}
    recommendations: list[Recommendation] = []
