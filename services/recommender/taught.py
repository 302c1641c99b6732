"""An annotator that knows what people taught: names of the site are found, suppressed meanings are not."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.recommender.annotator import Annotation, Annotator
from services.recommender.learned import folded
from services.recommender.surroundings import Surroundings
from shared.events.legend import Analysis
from shared.vocabulary.artefact import Concept
from shared.vocabulary.words import fold, words

# One text in twenty shows a suppressed meaning all the same, so that a wrong suppression can be noticed and accepted.
RESURFACE: Final = 20
SCOPE: Final = "SITE"


@dataclass(frozen=True, slots=True)
class SiteName:
    """A name that people gave to a concept. `name`: its folded words, with a space between."""

    name: str
    said: str
    concept: Concept
    score: float
    because: str


@dataclass(frozen=True, slots=True)
class InForce:
    """What is learned now. `suppressed`: folded name and CURIE. `version` names it; "": nothing is."""

    names: tuple[SiteName, ...] = ()
    suppressed: frozenset[tuple[str, str]] = frozenset()
    version: str = ""
    by_first: Mapping[str, tuple[SiteName, ...]] = field(init=False)

    def __post_init__(self) -> None:
        first: dict[str, list[SiteName]] = {}
        for name in self.names:
            first.setdefault(name.name.partition(" ")[0], []).append(name)
        object.__setattr__(self, "by_first", {word: tuple(names) for word, names in first.items()})


class Taught:
    """Implements `annotator.Annotator` over another one."""

    def __init__(self, annotator: Annotator, learned: InForce) -> None:
        self._annotator = annotator
        self._learned = learned
        self.version = annotator.version + (f"+taught-{learned.version}" if learned.version else "")

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        found = self._annotator.annotate(analyses)
        if not self._learned.version:
            return found
        return [self._changed(analysis, of_one) for analysis, of_one in zip(analyses, found, strict=True)]

    def _changed(self, analysis: Analysis, found: Iterable[Annotation]) -> list[Annotation]:
        kept = [one for one in found if not self._suppressed(one, analysis.text)]
        if self._learned.names:
            around = Surroundings(analysis)
            for start, end, name in self._said(analysis.text):
                concept = name.concept
                # Within an ontology a longer name wins, as everywhere; a shorter one within this one gives way.
                rivals = [
                    one
                    for one in kept
                    if one.concept.ontology == concept.ontology and one.start < end and start < one.end
                ]
                if any(one.end - one.start >= end - start for one in rivals):
                    continue
                kept = [one for one in kept if one not in rivals]
                kept.append(
                    Annotation(
                        start,
                        end,
                        analysis.text[start:end],
                        concept,
                        "synonym",
                        name.said,
                        SCOPE,
                        name.score,
                        around.assertion(start, end),
                        around.panels(start, end),
                        because=name.because,
                    )
                )
            kept.sort(key=lambda one: (one.start, one.end, one.concept.ontology, one.concept.curie))
        return kept

    def _suppressed(self, one: Annotation, text: str) -> bool:
        if not self._learned.suppressed or (folded(one.text), one.concept.curie) not in self._learned.suppressed:
            return False
        return hashlib.sha256(f"{text}\n{one.concept.curie}".encode()).digest()[0] % RESURFACE != 0

    def _said(self, text: str) -> Iterator[tuple[int, int, SiteName]]:
        spans = [(fold(word.group()), *word.span()) for word in words(text)]
        said = [(word, start, end) for word, start, end in spans if word]
        for i, (word, start, _) in enumerate(said):
            for name in self._learned.by_first.get(word, ()):
                parts = name.name.split(" ")
                if [one for one, _, _ in said[i : i + len(parts)]] == parts:
                    yield start, said[i + len(parts) - 1][2], name
