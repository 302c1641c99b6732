"""The annotator over compiled vocabularies.

From all names that occur in a text, said as they are or by a rule of `shared.vocabulary.variants`, it keeps those that
are likely enough (`scoring`); of these, in each ontology, the longest of those that overlap. Overlaps between
ontologies stay. An abbreviation that the legend defines means what its long form means, wherever it stands.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from services.recommender.annotator import Annotation
from services.recommender.profiles import TAGGING, Profile
from services.recommender.scoring import besides, features, preferred, probability, weights
from services.recommender.stretches import Stretches
from services.recommender.surroundings import Surroundings
from shared.events.legend import Abbreviation, Analysis
from shared.events.recommendation import Match
from shared.vocabulary.artefact import Concept, Entry, Vocabularies, in_own_case
from shared.vocabulary.variants import AS_NAMED, CONVENTION, RULES
from shared.vocabulary.words import cased, words

VERSION = "2"  # raise it when the same text and vocabularies give other annotations

# An abbreviation is as good as its long form, less the risk that it was paired with the wrong words.
ABBREVIATED: Final = 0.95


# Of figures, not of what they show: nothing within these is a name. A capital form with a number behind a hyphen is a
# gene's or a product's ("PGC-1", "SB-431542"), not what the form alone abbreviates.
_NO_NAME: Final = re.compile(
    r"(?i:\bscale[\s-]+bars?\b|\b(?:control|treatment|age|experimental|study|patient)[\s-]groups?\b"
    r"|\b(?:original|final)\s+magnifications?\b)|\b[A-Z]{2,5}(?=-\d)"
    r"|(?i:\b(?:double|single)[\s-](?:mutant|knockout|knock-out|transgenic|heterozygo\w+|homozygo\w+|label\w*|stain\w*"
    r"|immuno\w+|positive|headed|arrow\w*|asterisk\w*|blind\w*|tagged|copy|cells?)\b)",
)


class _Sense(NamedTuple):
    """What a name may mean, of one ontology, and how likely that is."""

    concept: Concept
    name: str
    scope: str
    rule: str
    score: float


class _Mention(NamedTuple):
    start: int
    end: int
    concept: Concept
    name: str
    scope: str
    rule: str
    score: float
    abbreviated: bool = False


class LocalAnnotator:
    """See `annotator.Annotator`. Safe to share between threads."""

    def __init__(
        self, vocabularies: Vocabularies, profile: Profile = TAGGING, by: Mapping[str, float] | None = None
    ) -> None:
        """`by` are the weights of the scorer, of `weights.json` where none are given."""
        self._vocabularies = vocabularies
        self._profile = profile
        self._weights = weights(profile.name) if by is None else by
        self._senses = lru_cache(maxsize=100_000)(self._weigh)

    @property
    def version(self) -> str:
        return f"local-{VERSION}-{self._profile.name}+{self._vocabularies.identity[:12]}"

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        return [self._annotate(analysis) for analysis in analyses]

    def _annotate(self, analysis: Analysis) -> list[Annotation]:
        text = analysis.text
        mentions = _longest(self._likely(text))
        mentions = _longest(_expanded(mentions, text, analysis.abbreviations))
        around = Surroundings(analysis)
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
                assertion=around.assertion(one.start, one.end),
                panels=around.panels(one.start, one.end),
                rule=one.rule,
            )
            for one in sorted(mentions, key=lambda one: (one.start, one.end, one.concept.ontology, one.concept.curie))
        ]

    def _likely(self, text: str) -> Iterator[_Mention]:
        fixed = Stretches[str](("", one.start(), one.end()) for one in _NO_NAME.finditer(text))
        for start, end, key in self._vocabularies.hits(text):
            if fixed.around(start, end):
                continue
            for concept, name, scope, rule, score in self._senses(key, text[start:end]):
                yield _Mention(start, end, concept, name, scope, rule, score)

    def _weigh(self, key: int, surface: str) -> tuple[_Sense, ...]:
        """Of each ontology the likeliest meaning of what was found, if it is likely enough; several that are equally
        likely share it."""
        by_ontology: dict[str, list[Entry]] = {}
        for entry in self._vocabularies.entries(key):
            concept = self._vocabularies.concept(entry.concept)
            if (
                (entry.rule != CONVENTION or self._profile.conventions)
                and concept.curie not in self._profile.hidden
                and (not entry.said or in_own_case(surface, entry.said))
            ):
                by_ontology.setdefault(concept.ontology, []).append(entry)
        senses = []
        preferring = preferred(self._vocabularies, self._vocabularies.entries(key))
        for ontology, rivals in by_ontology.items():
            elsewhere = besides(preferring, ontology)
            scored = [
                (
                    probability(
                        features(self._vocabularies, entry, rivals, surface, elsewhere=elsewhere), self._weights
                    ),
                    entry,
                )
                for entry in rivals
            ]
            best = max(score for score, _ in scored)
            meant = {entry.concept: entry for score, entry in scored if score == best}
            if best >= self._profile.threshold:
                for entry in meant.values():
                    name, scope = self._vocabularies.name(entry.name)
                    concept = self._vocabularies.concept(entry.concept)
                    senses.append(_Sense(concept, name, scope, RULES[entry.rule], best / len(meant)))
        return tuple(senses)


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
    return "label" if one.scope == "LABEL" and one.rule == RULES[AS_NAMED] else "synonym"
