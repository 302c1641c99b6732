"""legend.tokenized: what `nlp` found in a legend. All offsets are 0-based, half open, in Unicode code points."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from shared.events.envelope import Body, Event

LegendKind = Literal["legend", "report", "none"]
Assertion = Literal["present", "absent", "uncertain"]


class Offsets(Body):
    """Spans in ascending order, packed: `gaps[i]` is the start of span i less the end of span i-1 (may be negative
    where spans overlap), `lengths[i]` its length. Two short numbers a span keep the largest legend's event under
    900 kB."""

    gaps: list[int]
    lengths: list[int]

    @classmethod
    def pack(cls, spans: Iterable[tuple[int, int]]) -> Self:
        gaps, lengths, end = [], [], 0
        for start, stop in spans:
            gaps.append(start - end)
            lengths.append(stop - start)
            end = stop
        return cls(gaps=gaps, lengths=lengths)

    def unpack(self) -> list[tuple[int, int]]:
        spans, end = [], 0
        for gap, length in zip(self.gaps, self.lengths, strict=True):
            start = end + gap
            end = start + length
            spans.append((start, end))
        return spans


class Panel(Body):
    """A panel of the figure and a stretch of the legend that describes it. One panel may have several stretches."""

    label: Annotated[str, Field(description='As a reader would cite it: "A", "B", "left"')]
    start: int
    end: int


class Abbreviation(Body):
    """A short form with its long form, as the legend defines it (Schwartz & Hearst 2003)."""

    short: str
    long: str
    start: Annotated[int, Field(description="Start of the long form where it is defined")]
    end: int


class Scope(Body):
    """A stretch of the legend whose content is negated or uncertain."""

    assertion: Literal["absent", "uncertain"]
    start: int
    end: int
    cue: Annotated[str, Field(description="The words that caused it")]


class Analysis(Body):
    """Everything that the annotators of `recommender` know of a text."""

    text: str
    kind: LegendKind = "legend"
    language: Annotated[str | None, Field(description="BCP 47 tag; null where it cannot be told")] = None
    sentences: Offsets
    tokens: Offsets
    panels: list[Panel] = []
    abbreviations: list[Abbreviation] = []
    scopes: list[Scope] = []


class LegendTokenized(Event):
    """A legend was split into sentences and tokens, and its panels, abbreviations and scopes found."""

    topic: ClassVar[str] = "legend.tokenized"
    source: ClassVar[str] = "nlp"
    kept: ClassVar[timedelta | None] = timedelta(days=30)

    analysis: Analysis
    technical: Annotated[dict[str, str], Field(description="Technical metadata, passed on from image.uploaded")] = {}
