"""Panels of a figure: where a legend speaks of panel A, of panels B to D, of the left panel.

Our own rules, from the conventions of journals:

- A label is a letter (with primes) or a small Roman numeral, alone or in a list ("A, B", "A and C", "A–C"); it stands
  in brackets, after "panel", or at the start of a sentence before ")", ".", ":" or ",".
- Labels count only in a sequence: at least two, from A (or a, or i) on, with at most one missing in between. So
  "vitamin (A)", "(n)" or a lane "(M)" are no panels. A legend has one kind of labels, the one with the most mentions.
- Without letters, places do ("left", "upper right", "bottom row"), if there are two or if they say "panel".
- A legend whose first label stands at the start of a sentence has *leading* labels: each describes what follows, up to
  the next label or a blank line. Other legends have *trailing* labels: each describes the clause before it.
- What no stretch covers belongs to the whole figure.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice, pairwise
from typing import NamedTuple

from services.nlp.sentences import Span
from services.nlp.signs import Signs, signs_of
from shared.findings import Panel

# No legend has more stretches; it bounds the size of the event.
MOST_STRETCHES = 1_000

_LETTER = r"[A-Za-z](?!\w)[′'’]{0,2}"
_ROMAN = r"[ivx]{2,5}(?!\w)"
_ONE = rf"(?:{_LETTER}|{_ROMAN})"
_RANGE = rf"{_ONE}(?:\s?(?:[-–—−]|to)\s?{_ONE})?"
_LIST = rf"{_RANGE}(?:(?:\s?[,;]\s?(?:and\s|or\s)?|\s?(?:and|or|&|/)\s?){_RANGE}){{0,25}}"
_SIDE = r"(?:left|right|middle|cent(?:er|re))"
_PLACE = rf"(?:far[ -])?(?:(?:upper|lower|top|bottom)(?:[ -]{_SIDE})?|{_SIDE})(?:[ -]?most)?"
_AND = re.compile(r"\s?[,;]\s?(?:and\s|or\s)?|\s?(?:\band\b|\bor\b|&|/)\s?")
_TO = re.compile(r"\s?(?:[-–—−]|\bto\b)\s?")
_PLACE_WORDS = ("left", "right", "upper", "lower", "top", "bottom", "middle", "cent")
_PLACE_LETTERS = frozenset("fultbrmc")  # with which places begin
_PLACES = rf"{_PLACE}(?:\s(?:and|or)\s{_PLACE})?"
_FRAME = r"(?:panels?|images?|pictures?|rows?|columns?|inset)"
_FRAME_WORDS = tuple(
    f"{before}{word}" for word in ("panel", "image", "picture", "row", "column", "inset") for before in " -"
)
# What may stand beside a label in its brackets: "(A, arrows)", "(left panel; green)".
_BESIDE = r"(?:\s?[,;:]\s[^();]{1,40})?"

_BRACKETED = re.compile(rf"[(\[](?:panels?\s)?({_LIST}){_BESIDE}[)\]]")
# Patterns begin with letters, not with a border of words: so most places are passed over without trying them.
_NAMED = re.compile(rf"[Pp](?<!\w[Pp])(?i:anels?\s[(]?({_LIST})[)]?)")
# The lower-case word after "C." is a species.
_OPENING = re.compile(rf"({_LIST})(?:\)|\s?[:,](?=\s)|\.(?=\s+[^\W_a-z]))")
_BRACKETED_PLACE = re.compile(rf"\(({_PLACES})(?:\s{_FRAME})?{_BESIDE}\)", re.IGNORECASE)
_NAMED_PLACE = re.compile(rf"(?=[fultbrmc])(?<!\w)({_PLACES})[ -]{_FRAME}\b", re.IGNORECASE)
_OPENING_PLACE = re.compile(rf"({_PLACES})(?:\s{_FRAME})?\s?[:,](?=\s)", re.IGNORECASE)

# "as in (A)" cites a panel and describes none; "vitamin (A)" is a name.
_CITING = re.compile(
    r"(?:(?<![\w-])(?:in|see|from|of|to|with|than|cf\.?|vitamin|hepatitis|type|class|factor|figs?\.?|figures?)|=)\s*$",
    re.IGNORECASE,
)
# How what `_CITING` finds ends, in lower case.
_CITES = (
    "in", "see", "from", "of", "to", "with", "than", "cf", "cf.", "vitamin", "hepatitis", "type", "class", "factor",
    "fig", "fig.", "figs", "figs.", "figure", "figures", "=",
)  # fmt: skip
_JOINING = re.compile(r"(?:[,;:]|\b(?:and|or|while|whereas))\s*$", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[,;:]\s")
_PREPOSITION = re.compile(r"[,;:]\s|\b(?:of|in|from|for|with|and|or|at|by|to|between|versus|vs\.?)\s", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:in\s)?(?:the\s)?", re.IGNORECASE)
_LONGEST_ARTICLE = len("in the ")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
# Enough to see the word before a label.
_BEFORE = 12
# Where the beginning of a clause is sought first.
_NEAR = 60

_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv")
_UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = tuple("abcdefghijklmnopqrstuvwxyz")
_ALPHABETS = (_UPPER, _LOWER, _ROMANS)


class Mention(NamedTuple):
    """Labels named together, where that is, and the sentence they stand in. `opens`: at the start of it."""

    start: int
    end: int
    labels: tuple[str, ...]
    sentence: Span
    opens: bool


class _Written(NamedTuple):
    """A mention as it is written: one label or a list of them."""

    start: int
    end: int
    labels: str
    sentence: Span
    opens: bool

    def of(self, labels: tuple[str, ...]) -> Mention:
        return Mention(self.start, self.end, labels, self.sentence, self.opens)


def panels(text: str, sentences: Sequence[Span], signs: Signs | None = None) -> list[Panel]:
    """The stretches that describe single panels, in order of their start. At most 1,000. `signs` are those of the text
    by `signs_of`."""
    signs = signs or signs_of([text])[0]
    mentions = _lettered(text, sentences, signs) or _placed(text, sentences, signs)
    return [Panel(*stretch) for stretch in _stretches(text, mentions)[:MOST_STRETCHES]] if mentions else []


def _lettered(text: str, sentences: Sequence[Span], signs: Signs) -> list[Mention]:
    named = _NAMED if "anel" in text else None
    written = list(islice(_mentions(text, sentences, signs.labels, (_BRACKETED, named, _OPENING)), MOST_STRETCHES))
    if not written:
        return []
    read = [_read(one.labels) for one in written]
    best: list[Mention] = []
    for alphabet in range(len(_ALPHABETS)):
        positions = {position for one in read for position in one[alphabet].positions}
        if len(positions) < 2 or 0 not in positions:
            continue
        follow = _sequence(positions)
        kept = [
            one.of(labels)
            for one, (labels, at) in zip(written, (each[alphabet] for each in read), strict=True)
            if labels and at <= follow
        ]
        if len(kept) > len(best):
            best = kept
    return best


def _placed(text: str, sentences: Sequence[Span], signs: Signs) -> list[Mention]:
    lowered = text.lower()
    if not any(word in lowered for word in _PLACE_WORDS):
        return []
    named = _NAMED_PLACE if any(word in lowered for word in _FRAME_WORDS) else None
    brackets = [left for left, _ in signs.brackets if text[left + 1].lower() in _PLACE_LETTERS]
    patterns = _BRACKETED_PLACE, named, _OPENING_PLACE
    found = [
        one.of(tuple(_AND.split(one.labels.lower())))
        for one in islice(_mentions(text, sentences, brackets, patterns), MOST_STRETCHES)
    ]
    framed = any(_NAMED_PLACE.search(text, mention.start, mention.end) for mention in found)
    return found if framed or len({label for mention in found for label in mention.labels}) > 1 else []


def _mentions(
    text: str,
    sentences: Sequence[Span],
    brackets: Sequence[int],
    patterns: tuple[re.Pattern[str], re.Pattern[str] | None, re.Pattern[str]],
) -> Iterator[_Written]:
    """Mentions in order, without overlap: what stands in one of `brackets`, anywhere, or opens a sentence, by the
    patterns for these."""
    bracketed, anywhere, opening = patterns
    matches: list[tuple[int, int, str, Span]] = []
    at, count, reached = 0, len(brackets), 0
    for sentence in sentences:
        start, end = sentence
        if match := opening.match(text, start, end):
            matches.append((start, match.end(), match[1], sentence))
        while at < count and (bracket := brackets[at]) < end:
            at += 1
            if bracket >= reached and (match := bracketed.match(text, bracket, end)):
                reached = match.end()
                matches.append((bracket, reached, match[1], sentence))
        if anywhere:
            matches += [(*match.span(), match[1], sentence) for match in anywhere.finditer(text, start, end)]
    matches.sort()
    reached = 0
    for begin, after, labels, sentence in matches:
        if begin < reached:
            continue
        start = sentence[0]
        opens = begin == start or (begin - start <= _LONGEST_ARTICLE and bool(_ARTICLE.fullmatch(text, start, begin)))
        if opens or not _cited(text, max(start, begin - _BEFORE), begin):
            yield _Written(start if opens else begin, after, labels, sentence, opens)
            reached = after


def _cited(text: str, start: int, end: int) -> bool:
    """Whether what stands there before a label says that it is no description."""
    before = text[start:end].rstrip()
    # Most is told by its end, without the pattern.
    may = before.lower().endswith(_CITES) if before.isascii() else True
    return may and _CITING.search(text, start, end) is not None


class _Read(NamedTuple):
    """Labels of an alphabet, and their positions in it; none where what is written is not of this alphabet."""

    labels: tuple[str, ...] = ()
    positions: frozenset[int] = frozenset()


@lru_cache(maxsize=10_000)
def _read(written: str) -> tuple[_Read, ...]:
    """By each of the alphabets."""
    read = []
    for alphabet in _ALPHABETS:
        labels = _expand(written, alphabet)
        read.append(_Read(labels, frozenset(alphabet.index(label.rstrip("′'’")) for label in labels)))
    return tuple(read)


def _expand(written: str, alphabet: Sequence[str]) -> tuple[str, ...]:
    """ "A–C and F" as A, B, C, F; empty where one of them is not of this alphabet or a range runs backwards."""
    if written[0] not in alphabet:
        return ()
    labels: list[str] = []
    for part in _AND.split(written):
        ends = _TO.split(part)
        bare = [end.rstrip("′'’") for end in ends]
        if any(end not in alphabet for end in bare):
            return ()
        if len(ends) == 1:
            labels.append(ends[0])
            continue
        first, last = alphabet.index(bare[0]), alphabet.index(bare[1])
        if first >= last:
            return ()
        labels += alphabet[first : last + 1]
    return tuple(dict.fromkeys(labels))


def _sequence(positions: set[int]) -> set[int]:
    """Those that follow each other from the first of the alphabet on, with at most one missing; none if fewer than two
    do. At least two, the first among them."""
    kept = {0}
    for before, after in pairwise(sorted(positions)):
        if after - before > 2:
            break
        kept.add(after)
    return kept if len(kept) > 1 else set()


def _stretches(text: str, mentions: Sequence[Mention]) -> list[tuple[str, int, int]]:
    leading = mentions[0].opens
    starts = [mention for mention in mentions if mention.opens]
    if leading:
        # "(A) Retina and (B) cornea": a new label that is joined on opens a stretch too.
        starts, seen = [], set[str]()
        for mention in mentions:
            joined = mention.opens or (
                seen.isdisjoint(mention.labels)
                and _JOINING.search(text, max(mention.sentence[0], mention.start - _BEFORE), mention.start)
            )
            if joined:
                starts.append(mention)
            seen.update(mention.labels)
    limits = {mention.start: after.start for mention, after in pairwise(starts)}
    if starts:
        limits[starts[-1].start] = len(text)
    stretches: list[tuple[str, int, int]] = []
    seen = set()
    for before, mention, after in zip((None, *mentions), mentions, (*mentions[1:], None), strict=False):
        limit = limits.get(mention.start)
        if limit is not None:
            end = _end(text, mention, limit, leading=leading)
            stretches += [(label, mention.start, end) for label in mention.labels]
        elif not leading or seen.isdisjoint(mention.labels):
            reached = before.end if before and before.sentence == mention.sentence else mention.sentence[0]
            alone = reached == mention.sentence[0] and not (after and after.sentence == mention.sentence)
            start = _clause(text, reached, mention.start, alone=alone)
            stretches += [(label, start, mention.end) for label in mention.labels]
        seen.update(mention.labels)
        if len(stretches) >= MOST_STRETCHES:
            break
    return sorted(stretches, key=_place)


def _place(stretch: tuple[str, int, int]) -> tuple[int, int]:
    return stretch[1], stretch[2]


def _end(text: str, mention: Mention, limit: int, *, leading: bool) -> int:
    """Where the stretch that `mention` opens ends: at `limit` or a blank line; among trailing labels, with its sentence
    at the latest."""
    if not leading:
        limit = min(limit, mention.sentence[1])
    if blank := _BLANK_LINE.search(text, mention.end, limit):
        limit = blank.start()
    while limit > mention.end and text[limit - 1].isspace():
        limit -= 1
    return max(limit, mention.end)


def _clause(text: str, start: int, end: int, *, alone: bool) -> int:
    """Where the clause starts that a trailing label at `end` describes: after the last comma, semicolon or colon.

    In "sections of retina (A) and cornea (B)" the words "sections of" are shared: with several labels in a sentence,
    a preposition or conjunction starts a clause too.
    """
    pattern = _PUNCTUATION if alone else _PREPOSITION
    begin, near = end, _NEAR
    while begin > start:  # the last one is near, mostly
        begin, near = max(start, end - near), near * 4
        if cuts := [*pattern.finditer(text, begin, end)]:
            start = cuts[-1].end()
            break
    while start < end and text[start].isspace():
        start += 1
    return start
