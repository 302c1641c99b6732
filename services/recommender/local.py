"""The annotator over compiled vocabularies.

From all names that occur in a text it keeps, in each ontology, the longest of those that overlap; overlaps between
ontologies stay. An abbreviation that the legend defines means what its long form means, wherever it stands.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from services.recommender.annotator import Annotation
from services.recommender.stretches import Stretches
from shared.events.legend import Abbreviation, Analysis, Assertion
from shared.vocabulary.artefact import Concept, Occurrence, Vocabularies
from shared.vocabulary.source import SCOPES
from shared.vocabulary.words import cased, words

RULES = "1"  # raise it when the same text and vocabularies give other annotations

# How likely a match by a name of this scope is right: an order by what the scopes promise, not calibrated.
PRIOR = {"LABEL": 0.95, "EXACT": 0.9, "SYNONYM": 0.8, "NARROW": 0.7, "RELATED": 0.6, "BROAD": 0.5}
# An abbreviation is as good as its long form, less the risk that it was paired with the wrong words.
ABBREVIATED = 0.95


class _Found(NamedTuple):
    start: int
    end: int
    concept: Concept
    name: str
    scope: str


class LocalAnnotator:
    """See `annotator.Annotator`. Safe to share between threads."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        self._vocabularies = vocabularies

    @property
    def version(self) -> str:
        return f"local-{RULES}+{self._vocabularies.identity[:12]}"

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        return [self._annotate(analysis) for analysis in analyses]

    def _annotate(self, analysis: Analysis) -> list[Annotation]:
        assertions = Stretches[Assertion]((scope.assertion, scope.start, scope.end) for scope in analysis.scopes)
        panels = Stretches[str]((panel.label, panel.start, panel.end) for panel in analysis.panels)
        found = _longest(self._best(self._vocabularies.occurrences(analysis.text)))
        annotations = [
            Annotation(
                start=one.start,
                end=one.end,
                text=analysis.text[one.start : one.end],
                concept=one.concept,
                match="label" if one.scope == "LABEL" else "synonym",
                name=one.name,
                scope=one.scope,
                score=PRIOR[one.scope],
                assertion="present",
                panels=(),
            )
            for one in found
        ]
        annotations = _expand(annotations, analysis.text, analysis.abbreviations)
        return [
            replace(
                one,
                assertion=_assertion(assertions.around(one.start, one.end)),
                panels=panels.around(one.start, one.end),
            )
            for one in sorted(
                annotations, key=lambda one: (one.start, one.end, one.concept.ontology, one.concept.curie)
            )
        ]

    def _best(self, occurrences: Iterable[Occurrence]) -> list[_Found]:
        """For each stretch and ontology, the concepts whose name there has the best scope."""
        best: dict[tuple[int, int, str], dict[int, _Found]] = {}
        for start, end, number, name in occurrences:
            concept = self._vocabularies.concept(number)
            text, scope = self._vocabularies.name(name)
            rivals = best.setdefault((start, end, concept.ontology), {})
            held = next(iter(rivals.values()), None)
            better = -1 if held is None else SCOPES.index(scope) - SCOPES.index(held.scope)
            if better < 0:
                rivals.clear()
            if better <= 0:
                rivals.setdefault(number, _Found(start, end, concept, text, scope))
        return [found for rivals in best.values() for found in rivals.values()]


def _longest(found: Iterable[_Found]) -> list[_Found]:
    """Within each ontology, the longest of those that overlap, the first of equally long ones."""
    kept: list[_Found] = []
    taken: dict[str, dict[int, tuple[int, int]]] = {}
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        held = taken.setdefault(one.concept.ontology, {})
        span = (one.start, one.end)
        if all(held.get(position, span) == span for position in (one.start, one.end - 1)):
            kept.append(one)
            held.update(dict.fromkeys(range(*span), span))
    return kept


def _assertion(scopes: Sequence[Assertion]) -> Assertion:
    """Of what is both negated and uncertain, the negation is what the legend says."""
    if "absent" in scopes:
        return "absent"
    return "uncertain" if "uncertain" in scopes else "present"


def _expand(annotations: list[Annotation], text: str, abbreviations: Sequence[Abbreviation]) -> list[Annotation]:
    """Give short forms the concepts of their long forms; other meanings that a short form may have, it has not here."""
    meant: dict[tuple[str, ...], list[Annotation]] = {}
    at: dict[tuple[int, int], list[Annotation]] = {}
    for one in annotations:
        at.setdefault((one.start, one.end), []).append(one)
    for abbreviation in abbreviations:
        long = at.get((abbreviation.start, abbreviation.end))
        if long:
            meant[tuple(cased(match.group()) for match in words(abbreviation.short))] = long
    if not meant:
        return annotations
    short: list[Annotation] = []
    spans = [match.span() for match in words(text)]
    spoken = [cased(text[start:end]) for start, end in spans]
    lengths = sorted({len(form) for form in meant}, reverse=True)
    for i in range(len(spans)):
        for length in lengths:
            form = tuple(spoken[i : i + length])
            long = meant.get(form) or meant.get((*form[:-1], form[-1].removesuffix("s")))
            if long:
                start, end = spans[i][0], spans[i + len(form) - 1][1]
                short += [
                    replace(
                        one,
                        start=start,
                        end=end,
                        text=text[start:end],
                        match="abbreviation",
                        score=one.score * ABBREVIATED,
                    )
                    for one in long
                ]
                break
    expanded = {(one.start, one.end) for one in short}
    return [one for one in annotations if (one.start, one.end) not in expanded] + short
