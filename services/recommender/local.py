"""The annotator over compiled vocabularies.

From all names that occur in a text, said as they are or by a rule of `shared.vocabulary.variants`, it keeps those that
are likely enough (`scoring`); of these, in each ontology, the longest of those that overlap. Overlaps between
ontologies stay. An abbreviation that the legend defines means what its long form means, wherever it stands.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple
from unicodedata import is_normalized

from services.recommender.annotator import Annotation
from services.recommender.no_names import no_names
from services.recommender.profiles import TAGGING, Profile
from services.recommender.scoring import Rivals, besides, features, preferred, probability, weights
from services.recommender.surroundings import Surroundings
from shared.batches import in_parts
from shared.events.legend import Abbreviation, Analysis
from shared.events.recommendation import Match
from shared.vocabulary.artefact import Concept, Entry, Vocabularies, in_own_case
from shared.vocabulary.matcher import Hit
from shared.vocabulary.variants import AS_NAMED, CONVENTION, RULES
from shared.vocabulary.words import LETTER, MARK, cased, words

VERSION = "2"  # raise it when the same text and vocabularies give other annotations

# An abbreviation is as good as its long form, less the risk that it was paired with the wrong words.
ABBREVIATED: Final = 0.95


_TOGETHER: Final = 50_000  # code points of the texts that are matched together: what that needs then fits a cache
_MOST_SENSES: Final = 200_000


class _Sense(NamedTuple):
    """What a name may mean, of one ontology, and how likely that is."""

    concept: Concept
    name: str
    scope: str
    rule: str
    match: Match
    score: float


_Mention = tuple[int, int, _Sense]  # start, end


class _Senses(dict[tuple[int, str], tuple[_Sense, ...]]):
    """What a key means where a text says it so, remembered: texts repeat their names. Bounded."""

    def __init__(self, weigh: Callable[[int, str], tuple[_Sense, ...]]) -> None:
        super().__init__()
        self._weigh = weigh

    def __missing__(self, said: tuple[int, str]) -> tuple[_Sense, ...]:
        if len(self) >= _MOST_SENSES:
            self.clear()
        found = self[said] = self._weigh(*said)
        return found


class LocalAnnotator:
    """See `annotator.Annotator`. Safe to share between threads."""

    def __init__(
        self, vocabularies: Vocabularies, profile: Profile = TAGGING, by: Mapping[str, float] | None = None
    ) -> None:
        """`by` are the weights of the scorer, of `weights.json` where none are given."""
        self._vocabularies = vocabularies
        self._profile = profile
        self._weights = weights(profile.name) if by is None else by
        self._senses = _Senses(self._weigh)

    @property
    def version(self) -> str:
        return f"local-{VERSION}-{self._profile.name}+{self._vocabularies.identity[:12]}"

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        return [
            self._annotations(analysis, hits)
            for together in in_parts(analyses, _TOGETHER, lambda analysis: len(analysis.text))
            for analysis, hits in zip(
                together, self._vocabularies.hits([analysis.text for analysis in together]), strict=True
            )
        ]

    def _annotations(self, analysis: Analysis, hits: Sequence[Hit]) -> list[Annotation]:
        text = analysis.text
        mentions = _longest(self._likely(text, hits))
        if analysis.abbreviations:
            mentions = _expanded(mentions, text, analysis.abbreviations)
        mentions.sort(key=_place)
        around = Surroundings(analysis)
        return [
            Annotation(
                start,
                end,
                text[start:end],
                sense.concept,
                sense.match,
                sense.name,
                sense.scope,
                sense.score,
                around.assertion(start, end),
                around.panels(start, end),
                rule=sense.rule,
            )
            for start, end, sense in mentions
        ]

    def _likely(self, text: str, hits: Sequence[Hit]) -> list[_Mention]:
        fixed, senses = no_names(text), self._senses
        found: list[_Mention] = []
        for start, end, key in hits:
            meant = senses[key, text[start:end]]
            if meant and not (fixed and fixed.around(start, end)):
                found += [(start, end, sense) for sense in meant]
        return found

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
        for ontology, entries in by_ontology.items():
            rivals = Rivals(entries)
            elsewhere = besides(preferring, ontology)
            scored = [
                (
                    probability(
                        features(self._vocabularies, entry, rivals, surface, elsewhere=elsewhere), self._weights
                    ),
                    entry,
                )
                for entry in entries
            ]
            best = max(score for score, _ in scored)
            meant = {entry.concept: entry for score, entry in scored if score == best}
            if best >= self._profile.threshold:
                for entry in meant.values():
                    name, scope = self._vocabularies.name(entry.name)
                    concept = self._vocabularies.concept(entry.concept)
                    match: Match = "label" if scope == "LABEL" and entry.rule == AS_NAMED else "synonym"
                    senses.append(_Sense(concept, name, scope, RULES[entry.rule], match, best / len(meant)))
        return tuple(senses)


def _longest(mentions: list[_Mention]) -> list[_Mention]:
    """Within each ontology, the longest of those that overlap, the first of equals; all at one place."""
    kept: list[_Mention] = []
    spans: dict[str, list[tuple[int, int]]] = {}
    mentions.sort(key=_longer_before)
    for one in mentions:
        start, end, sense = one
        ontology, span = sense.concept.ontology, (start, end)
        held = spans.get(ontology)
        if held is None:
            spans[ontology] = [span]
            kept.append(one)
            continue
        after = bisect_right(held, span)
        if after and held[after - 1] == span:
            kept.append(one)
        elif not (after and held[after - 1][1] > start) and not (after < len(held) and held[after][0] < end):
            held.insert(after, span)
            kept.append(one)
    return kept


def _longer_before(mention: _Mention) -> tuple[int, int]:
    return mention[0] - mention[1], mention[0]


def _place(mention: _Mention) -> tuple[int, int, str, str]:
    return mention[0], mention[1], mention[2].concept.ontology, mention[2].concept.curie


def _expanded(mentions: list[_Mention], text: str, abbreviations: Sequence[Abbreviation]) -> list[_Mention]:
    """The mentions, with those by short forms. What else a short form may mean, it does not mean in this legend."""
    at: dict[tuple[int, int], list[_Mention]] = {}
    for one in mentions:
        at.setdefault(one[:2], []).append(one)
    meant = {
        tuple(cased(word.group()) for word in words(abbreviation.short)): long
        for abbreviation in abbreviations
        if (long := at.get((abbreviation.start, abbreviation.end)))
    }
    meant.pop((), None)
    if not meant:
        return mentions
    lengths = sorted({len(form) for form in meant}, reverse=True)
    for spans, said in _windows(text, meant, lengths[0]):
        for length in lengths:
            form = tuple(said[:length])
            long = meant.get(form) or meant.get((*form[:-1], form[-1].removesuffix("s")))
            if long:
                start, end = spans[0][0], spans[len(form) - 1][1]
                at[start, end] = [
                    (start, end, sense._replace(score=sense.score * ABBREVIATED, match="abbreviation"))
                    for _, _, sense in long
                ]
                break
    return _longest([one for here in at.values() for one in here])


def _windows(
    text: str, forms: Iterable[tuple[str, ...]], most: int
) -> Iterator[tuple[Sequence[tuple[int, int]], Sequence[str]]]:
    """At most so many words from every word on at which one of `forms` may stand: their spans, and as `cased`."""
    beginnings = {form[0] for form in forms}
    if is_normalized("NFKD", text) and not any(map(_varies, beginnings)) and not MARK.search(text):
        # Here words are said as they are written.
        for beginning in beginnings:
            at = text.find(beginning)
            while at >= 0:
                if not (at and LETTER.match(text, at - 1)):
                    spans = [word.span() for word in islice(words(text, at), most)]
                    yield spans, [cased(text[start:end]) for start, end in spans]
                at = text.find(beginning, at + 1)
        return
    spans = [word.span() for word in words(text)]
    said = [cased(text[start:end]) for start, end in spans]
    for number in range(len(spans)):
        yield spans[number : number + most], said[number : number + most]


def _varies(beginning: str) -> bool:
    """Whether a word may be this and not begin with it: a Greek letter ("alpha"), a possessive's "s"."""
    return not beginning.isascii() or beginning.islower() or len(beginning) == 1
