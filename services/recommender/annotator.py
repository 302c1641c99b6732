"""The annotator port: a batch of analysed texts in, the concepts that each mentions out.

`local` finds them in the compiled vocabularies; other implementations may ask a service.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from shared.events.legend import Analysis, Assertion
from shared.events.recommendation import Match
from shared.vocabulary.artefact import Concept


class Annotation(NamedTuple):
    """A mention of a concept: 0-based, half open, in code points of the text as given.

    `text` is what stands there, `name` the vocabulary's name that was found (of an abbreviation, the long form's),
    `scope` its scope, `score` how likely the mention is right (0 to 1), `panels` those whose description it stands in,
    `rule` how the text says the name (one of `shared.vocabulary.variants.RULES`), `found_by` the annotators that found
    it where there are several, `because` what people decided that made it.
    """

    start: int
    end: int
    text: str
    concept: Concept
    match: Match
    name: str
    scope: str
    score: float
    assertion: Assertion
    panels: tuple[str, ...]
    found_by: tuple[str, ...] = ()
    rule: str = "name"
    because: str = ""


class Annotator(Protocol):
    """Finds concepts in texts. Pure work: callers keep it off the event loop."""

    @property
    def version(self) -> str:
        """Names the annotator, its rules and its vocabularies: equal versions give equal annotations."""
        ...

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        """The annotations of each text, by start. Raises Unavailable where a service that it needs does not answer."""
        ...
