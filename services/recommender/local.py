"""The annotator over compiled vocabularies.

From all names that occur in a text, said as they are or by a rule of `shared.vocabulary.variants`, it keeps those that
are likely enough (`scoring`); of these, in each ontology, the longest of those that overlap. Overlaps between
ontologies stay. An abbreviation that the legend defines means what its long form means, wherever it stands.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import islice
from typing import Final, NamedTuple
from unicodedata import is_normalized

from services.recommender.annotator import Annotation
from services.recommender.coordination import Shared, joined, shared
from services.recommender.no_names import no_names
from services.recommender.parts import parts
from services.recommender.profiles import TAGGING, Profile
from services.recommender.scoring import Names, Rivals, besides, features, names, preferred, probability, weights
from services.recommender.stretches import Stretches
from services.recommender.surroundings import Surroundings
from shared.batches import in_parts
from shared.events.legend import Abbreviation as Defined
from shared.events.legend import Analysis
from shared.events.recommendation import Match
from shared.findings import Abbreviation, Findings
from shared.vocabulary.artefact import Concept, Entry, Vocabularies, in_own_case
from shared.vocabulary.matcher import Hit
from shared.vocabulary.variants import AS_NAMED, CONVENTION, RULES
from shared.vocabulary.words import LETTER, MARK, cased, words
from shared.vocabulary.words import key as folded

VERSION = "4"  # raise it when the same text and vocabularies give other annotations

# An abbreviation is as good as its long form, less the risk that it was paired with the wrong words.
ABBREVIATED: Final = 0.95
# So is what shares its end with another name, less the risk that its word stands alone.
COORDINATED: Final = 0.95


_TOGETHER: Final = 100_000  # code points of the texts that are matched together: what that needs then fits a cache
_MOST_SENSES: Final = 200_000


class _Sense(NamedTuple):
    """What a name may mean, of one ontology, and how likely that is."""

    concept: Concept
    name: str
    scope: str
    rule: str
    match: Match
    score: float


Read = Analysis | Findings  # a text
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
        self,
        vocabularies: Vocabularies,
        profile: Profile = TAGGING,
        by: Mapping[str, float] | None = None,
        by_name: Names | None = None,
    ) -> None:
        """`by` are the weights of the scorer, `by_name` those of single names, which count where the corpus's
        conventions do; where none are given, what ships."""
        self._vocabularies = vocabularies
        self._profile = profile
        self._weights = weights(profile.name) if by is None else by
        learned = names() if by is None and by_name is None else by_name
        self._by_name = learned if profile.conventions and learned else {}
        self._senses = _Senses(self._weigh)
        self._senses_of_part = lru_cache(maxsize=50_000)(self._part)  # texts repeat them

    @property
    def version(self) -> str:
        return f"local-{VERSION}-{self._profile.name}+{self._vocabularies.identity[:12]}"

    def annotate(self, analyses: Sequence[Read]) -> list[list[Annotation]]:
        found: list[list[Annotation]] = []
        for together in in_parts(analyses, _TOGETHER, lambda read: len(read.text)):
            texts = [read.text for read in together]
            found += map(_annotations, together, self._mentions(together, self._vocabularies.hits(texts)))
        return found

    def _mentions(self, together: Sequence[Read], hits: Sequence[Sequence[Hit]]) -> Iterable[Sequence[_Mention]]:
        """Of each text, by place, then ontology and CURIE."""
        # One step for all texts, then the next: what a step needs then stays in the processor's caches.
        texts = [read.text for read in together]
        likely: Iterable[list[_Mention]] = map(self._likely, texts, hits, map(no_names, texts))
        if self._profile.conventions:
            likely = self._with_parts(texts, likely)
        every = list(map(_longest, likely))
        every = [
            _expanded(mentions, read.text, read.abbreviations) if read.abbreviations else mentions
            for read, mentions in zip(together, every, strict=True)
        ]
        return self._coordinated(texts, every) if self._profile.coordination else every

    def _likely(self, text: str, hits: Sequence[Hit], fixed: Stretches[str] | None) -> list[_Mention]:
        senses = self._senses
        found = [(start, end, sense) for start, end, key in hits for sense in senses[key, text[start:end]]]
        return [one for one in found if not fixed.around(one[0], one[1])] if fixed else found

    def _with_parts(self, texts: Sequence[str], every: Iterable[list[_Mention]]) -> Iterator[list[_Mention]]:
        """Of each text the mentions, and the names within words."""
        for text, mentions in zip(texts, every, strict=True):
            found = [
                (start, end, sense) for start, end in parts(text) for sense in self._senses_of_part(text[start:end])
            ]
            yield sorted(mentions + found, key=_place) if found else mentions

    def _part(self, said: str) -> tuple[_Sense, ...]:
        """What a part of a word means."""
        [hits] = self._vocabularies.hits([said])
        whole = [key for start, end, key in hits if (start, end) == (0, len(said))]
        return tuple(sense._replace(rule="part") for key in whole for sense in self._senses[key, said])

    def _coordinated(self, texts: Sequence[str], every: Sequence[list[_Mention]]) -> Iterator[Sequence[_Mention]]:
        """Of each text the mentions, and what shares its end with a name that was found, of the same ontology; it
        stands where its own word does."""
        candidates = list(map(_candidates, texts, every))
        hits = iter(self._vocabularies.hits([one.said for of_text in candidates for one in of_text]))
        for mentions, of_text in zip(every, candidates, strict=True):
            meant = [
                (one, senses)
                for one, said in zip(of_text, hits, strict=False)
                for start, end, key in said
                if (start, end) == (0, len(one.said)) and (senses := self._senses[key, one.said])
            ]
            yield self._with_coordinated(mentions, meant) if meant else mentions

    def _with_coordinated(
        self, mentions: list[_Mention], meant: Iterable[tuple[Shared, Sequence[_Sense]]]
    ) -> list[_Mention]:
        taken: dict[str, list[tuple[int, int]]] = {}
        ontologies: dict[tuple[int, int], set[str]] = {}
        for start, end, sense in mentions:
            taken.setdefault(sense.concept.ontology, []).append((start, end))
            ontologies.setdefault((start, end), set()).add(sense.concept.ontology)
        found: list[_Mention] = []
        for one, senses in meant:
            for sense in senses:
                ontology = sense.concept.ontology
                if ontology in ontologies[one.whole] and not any(
                    begin < one.end and one.start < finish for begin, finish in taken[ontology]
                ):
                    score = sense.score * COORDINATED
                    if score >= self._profile.threshold:
                        found.append((one.start, one.end, sense._replace(score=score, rule="coordinated")))
        return sorted(mentions + found, key=_place) if found else mentions

    def _weigh(self, number: int, surface: str) -> tuple[_Sense, ...]:
        """Of each ontology the likeliest meaning of a key that was found, if it is likely enough; several that are
        equally likely share it."""
        by_ontology: dict[str, list[Entry]] = {}
        for entry in self._vocabularies.entries(number):
            concept = self._vocabularies.concept(entry.concept)
            if (
                (entry.rule != CONVENTION or self._profile.conventions)
                and concept.curie not in self._profile.hidden
                and (not entry.said or in_own_case(surface, entry.said))
            ):
                by_ontology.setdefault(concept.ontology, []).append(entry)
        senses = []
        preferring = preferred(self._vocabularies, self._vocabularies.entries(number))
        by_name, said = self._by_name, folded(surface) if self._by_name else ""
        for ontology, entries in by_ontology.items():
            rivals = Rivals(entries)
            elsewhere = besides(preferring, ontology)
            scored = [
                (
                    probability(
                        features(self._vocabularies, entry, rivals, surface, elsewhere=elsewhere),
                        self._weights,
                        by_name.get((self._vocabularies.concept(entry.concept).curie, said), 0.0) if by_name else 0.0,
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
        senses.sort(key=lambda sense: (sense.concept.ontology, sense.concept.curie))
        return tuple(senses)


def _annotations(read: Read, mentions: Sequence[_Mention]) -> list[Annotation]:
    text, around = read.text, Surroundings(read)
    assertion, panels = around.assertion, around.panels
    return [
        Annotation(
            start, end, text[start:end], concept, match, name, scope, score,
            assertion(start, end), panels(start, end), (), rule,
        )
        for start, end, (concept, name, scope, rule, match, score) in mentions
    ]  # fmt: skip


def _longest(mentions: list[_Mention]) -> list[_Mention]:
    """Within each ontology, the longest of those that overlap, the first of equals; all at one place. In their order,
    which is that of their places."""
    reached: dict[str, int] = {}  # by those of an ontology
    last: dict[str, int] = {}
    contested: set[int] = set()
    for number, (start, end, sense) in enumerate(mentions):
        ontology = sense.concept.ontology
        if start < reached.get(ontology, 0):
            contested.add(last[ontology])
            contested.add(number)
            reached[ontology] = max(reached[ontology], end)
        else:
            reached[ontology] = end
        last[ontology] = number
    if not contested:
        return mentions
    dropped: set[int] = set()
    spans: dict[str, list[tuple[int, int]]] = {}
    for number in sorted(contested, key=lambda number: _longer_before(mentions[number])):
        start, end, sense = mentions[number]
        span, held = (start, end), spans.setdefault(sense.concept.ontology, [])
        after = bisect_right(held, span)
        if after and held[after - 1] == span:
            continue
        if (after and held[after - 1][1] > start) or (after < len(held) and held[after][0] < end):
            dropped.add(number)
        else:
            held.insert(after, span)
    return [one for number, one in enumerate(mentions) if number not in dropped]


def _candidates(text: str, mentions: Sequence[_Mention]) -> list[Shared]:
    names = {(start, end) for start, end, _ in mentions if joined(text, start)}
    return shared(text, sorted(names, key=_longer_before)) if names else []


def _longer_before(mention: tuple[int, int] | _Mention) -> tuple[int, int]:
    return mention[0] - mention[1], mention[0]


def _place(mention: _Mention) -> tuple[int, int, str, str]:
    return mention[0], mention[1], mention[2].concept.ontology, mention[2].concept.curie


def _expanded(
    mentions: list[_Mention], text: str, abbreviations: Sequence[Abbreviation] | Sequence[Defined]
) -> list[_Mention]:
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
    return _longest(sorted((one for here in at.values() for one in here), key=_place))


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
                if not (at and LETTER.match(text, at - 1)) and not _LONGER.match(text, at + len(beginning)):
                    spans = [word.span() for word in islice(words(text, at), most)]
                    yield spans, [cased(text[start:end]) for start, end in spans]
                at = text.find(beginning, at + 1)
        return
    spans = [word.span() for word in words(text)]
    said = [cased(text[start:end]) for start, end in spans]
    for number in range(len(spans)):
        yield spans[number : number + most], said[number : number + most]


# After the beginning of a word: what makes it another one, and not its plural.
_LONGER: Final = re.compile(rf"(?!s(?!{LETTER.pattern})){LETTER.pattern}")


@cache
def _greek() -> frozenset[str]:
    """What words of one Greek letter are when `cased`."""
    return frozenset(cased(chr(code)) for code in range(0x370, 0x400))


def _varies(beginning: str) -> bool:
    """Whether a word may be this and not begin with it, a Greek letter ("alpha"), or begin with it and not be a word of
    its own, a possessive's "s"."""
    return not beginning.isascii() or beginning in _greek() or beginning == "s"
