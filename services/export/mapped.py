"""Tags' concepts in another vocabulary, by the mappings in use: for an export, and before a change of vocabulary.

Tags stay as people made them: what they are elsewhere is looked up each time, and stands beside them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from services.export.merge import final_tags
from services.export.model import FigureRecord
from shared.events.tag import Tag
from shared.vocabulary.mappings import OUTCOMES, Found, Mappings, Outcome, Target
from shared.vocabulary.pairs import canonical, prefix_of

REMEMBERED: Final = 50_000  # concepts; figures of one collection share most of theirs


class ToVocabulary:
    """From concepts to those of one vocabulary."""

    def __init__(self, mappings: Mappings, vocabulary: str) -> None:
        self._mappings = mappings
        self._vocabulary = vocabulary
        self._known: dict[str, Found] = {}

    def found(self, curie: str) -> Found:
        known = self._known.get(curie)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            known = self._known[curie] = self._mappings.to(curie, self._vocabulary)
        return known

    def of(self, tags: Iterable[Tag]) -> dict[str, Target]:
        """Those of the tags' concepts that one other concept can stand for, by CURIE. A tag that is of the vocabulary
        itself stays what it is."""
        targets: dict[str, Target] = {}
        for tag in tags:
            if tag.curie is not None and (target := self.found(tag.curie).target) is not None:
                own = target.curie == canonical(tag.curie)
                targets[tag.curie] = target._replace(iri=tag.iri, label=tag.label) if own else target
        return targets


class Touched(NamedTuple):
    """How many concepts, tags and figures something is about."""

    concepts: int
    tags: int
    figures: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a tagged concept would become."""

    curie: str
    label: str
    tags: int
    figures: int
    found: Found


@dataclass(slots=True)
class Remap:
    """What the final tags of one vocabulary are in another, counted figure by figure."""

    source: str
    mapping: ToVocabulary
    labels: dict[str, str] = field(default_factory=dict)
    tags: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    touched: Counter[Outcome] = field(default_factory=Counter)
    all_figures: int = 0

    def add(self, records: Iterable[FigureRecord]) -> None:
        """Each figure once."""
        prefix = prefix_of(self.source)
        for record in records:
            curies = [
                (tag.curie, tag.label)
                for tag in final_tags(record)
                if tag.curie is not None and canonical(tag.curie).partition(":")[0] == prefix
            ]
            self.labels.update(curies)
            self.tags.update(curie for curie, _ in curies)
            own = {curie for curie, _ in curies}
            self.figures.update(own)
            self.touched.update({self.mapping.found(curie).outcome for curie in own})
            self.all_figures += bool(own)

    def changes(self) -> list[Change]:
        """The concepts with the most tags first."""
        ordered = sorted(self.tags.items(), key=lambda one: (-one[1], one[0]))
        return [
            Change(curie, self.labels[curie], tags, self.figures[curie], self.mapping.found(curie))
            for curie, tags in ordered
        ]

    def totals(self) -> dict[Outcome, Touched]:
        """By outcome; a figure with tags of several counts in each."""
        concepts: Counter[Outcome] = Counter()
        tags: Counter[Outcome] = Counter()
        for curie, count in self.tags.items():
            outcome = self.mapping.found(curie).outcome
            concepts[outcome] += 1
            tags[outcome] += count
        return {one: Touched(concepts[one], tags[one], self.touched[one]) for one in OUTCOMES}
