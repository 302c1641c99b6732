"""tag.accepted and tag.withdrawn: what an annotator says of a figure, provisional until review."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from shared.events.envelope import Body, Event
from shared.events.legend import Assertion
from shared.events.recommendation import Axis, Span

Trial = Annotated[
    bool, Field(description="Given on a figure whose tags are final, to measure who gave it; it never becomes final")
]

Source = Literal["recommendation", "search", "free_text"]


class Tag(Body):
    """A concept, or free text on an axis, that stands accepted. Free text has neither IRI nor CURIE."""

    key: Annotated[
        str, Field(description="Concept (CURIE) or normalised free text, with the assertion: unique in a figure")
    ]
    axis: Axis
    iri: str | None = None
    curie: str | None = None
    label: str
    ontology: str | None = None
    vocabulary_version: str | None = None
    assertion: Assertion = "present"
    panels: Annotated[list[str], Field(description="Empty: the whole figure")] = []
    spans: list[Span] = []
    source: Source
    score: Annotated[float | None, Field(description="Of the recommendation that it came from")] = None
    bulk: Annotated[bool, Field(description="Accepted at once with all of its axis above a score, not one by one")] = (
        False
    )
    annotator: str
    decided_at: datetime


class TagAccepted(Event):
    """A tag of an assignment was accepted or changed. Shares its entity and revision with tag.withdrawn."""

    topic: ClassVar[str] = "tag.accepted"
    source: ClassVar[str] = "annotation"

    tag_id: str
    assignment: str
    tag: Tag
    trial: Trial = False

    @property
    def entity(self) -> str:
        return self.tag_id


class TagWithdrawn(Event):
    """An accepted tag no longer stands."""

    topic: ClassVar[str] = "tag.withdrawn"
    source: ClassVar[str] = "annotation"

    tag_id: str
    assignment: str
    tag: Tag
    reason: str = ""
    trial: Trial = False

    @property
    def entity(self) -> str:
        return self.tag_id
