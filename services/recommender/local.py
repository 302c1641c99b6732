"""The annotator over compiled vocabularies.

From all names that occur in a text it keeps, in each ontology, the longest of those that overlap; overlaps between
ontologies stay. An abbreviation that the legend defines means what its long form means, wherever it stands.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from services.recommender.annotator import Annotation
from services.recommender.stretches import Stretches
from shared.events.legend import Abbreviation, Analysis, Assertion
from shared.events.recommendation import Match
from shared.vocabulary.artefact import Concept, Occurrence, Vocabularies
from shared.vocabulary.source import SCOPES
from shared.vocabulary.words import cased, words

RULES = "1"  # raise it when the same text and vocabularies give other annotations

# How likely a match by a name of this scope is right: an order by what the scopes promise, not calibrated. A name that
# is as good for several concepts of an ontology can mean only one of them: they share it.
PRIOR = {"LABEL": 0.95, "EXACT": 0.9, "SYNONYM": 0.8, "NARROW": 0.7, "RELATED": 0.6, "BROAD": 0.5}
# An abbreviation is as good as its long form, less the risk that it was paired with the wrong words.
ABBREVIATED = 0.95


class _Mention(NamedTuple):
    start: int
    end: int
    concept: Concept
    name: str
    scope: str
    score: float
    abbreviated: bool = False


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
        text = analysis.text
        mentions = _longest(self._best(self._vocabularies.occurrences(text)))
        mentions = _longest(_expanded(mentions, text, analysis.abbreviations))
        assertions = Stretches[Assertion]((scope.assertion, scope.start, scope.end) for scope in analysis.scopes)
        panels = Stretches[str]((panel.label, panel.start, panel.end) for panel in analysis.panels)
        return [
            Annotation(
                start=one.start,
                end=one.end,
                text=text[one.start : one.end],
                concept=one.concept,
                match=_match(one),
                name=one.name,
                scope=one.scope,
                score=one.score,
                assertion=_assertion(assertions.around(one.start, one.end)),
                panels=panels.around(one.start, one.end),
            )
            for one in sorted(mentions, key=lambda one: (one.start, one.end, one.concept.ontology, one.concept.curie))
        ]

    def _best(self, occurrences: Iterable[Occurrence]) -> Iterator[_Mention]:
        """At each place, of each ontology, the concepts whose name there has the best scope."""
        ranks = self._vocabularies.name_scope
        found: dict[tuple[int, int, str], list[tuple[int, Occurrence]]] = {}
        for one in occurrences:
            ontology = self._vocabularies.concept(one.concept).ontology
            found.setdefault((one.start, one.end, ontology), []).append((int(ranks[one.name]), one))
        for rivals in found.values():
            best = min(rank for rank, _ in rivals)
            names = {one.concept: one for rank, one in rivals if rank == best}
            for start, end, number, name in names.values():
                yield _Mention(
                    start=start,
                    end=end,
                    concept=self._vocabularies.concept(number),
                    name=self._vocabularies.name(name)[0],
                    scope=SCOPES[best],
                    score=PRIOR[SCOPES[best]] / len(names),
                )


def _longest(mentions: Iterable[_Mention]) -> list[_Mention]:
    """Within each ontology, the longest of those that overlap, the first of equals; all at one place."""
    kept: list[_Mention] = []
    spans: dict[str, list[tuple[int, int]]] = {}
    for one in sorted(mentions, key=lambda one: (one.start - one.end, one.start)):
        held, span = spans.setdefault(one.concept.ontology, []), (one.start, one.end)
        after = bisect_right(held, span)
        if after and held[after - 1] == span:
            kept.append(one)
        elif not (after and held[after - 1][1] > one.start) and not (after < len(held) and held[after][0] < one.end):
            held.insert(after, span)
            kept.append(one)
    return kept


def _expanded(mentions: list[_Mention], text: str, abbreviations: Sequence[Abbreviation]) -> list[_Mention]:
    """The mentions, with those by short forms. What else a short form may mean, it does not mean in this legend."""
    at: dict[tuple[int, int], list[_Mention]] = {}
    for one in mentions:
        at.setdefault((one.start, one.end), []).append(one)
    meant = {
        tuple(cased(word.group()) for word in words(abbreviation.short)): long
        for abbreviation in abbreviations
        if (long := at.get((abbreviation.start, abbreviation.end)))
    }
    meant.pop((), None)
    if not meant:
        return mentions
    spans = [word.span() for word in words(text)]
    said = [cased(text[start:end]) for start, end in spans]
    lengths = sorted({len(form) for form in meant}, reverse=True)
    for i in range(len(said)):
        for length in lengths:
            form = tuple(said[i : i + length])
            long = meant.get(form) or meant.get((*form[:-1], form[-1].removesuffix("s")))
            if long:
                start, end = spans[i][0], spans[i + len(form) - 1][1]
                at[start, end] = [
                    one._replace(start=start, end=end, score=one.score * ABBREVIATED, abbreviated=True) for one in long
                ]
                break
    return [one for here in at.values() for one in here]


def _match(one: _Mention) -> Match:
    if one.abbreviated:
        return "abbreviation"
    return "label" if one.scope == "LABEL" else "synonym"


def _assertion(scopes: Sequence[Assertion]) -> Assertion:
    """Of what is both negated and uncertain, the negation is what the legend says."""
    if "absent" in scopes:
        return "absent"
    return "uncertain" if "uncertain" in scopes else "present"
