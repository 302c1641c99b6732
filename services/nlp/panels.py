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
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from services.nlp.sentences import Span
from shared.events.legend import Panel

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
_PLACES = rf"{_PLACE}(?:\s(?:and|or)\s{_PLACE})?"
_FRAME = r"(?:panels?|images?|pictures?|rows?|columns?|inset)"
# What may stand beside a label in its brackets: "(A, arrows)", "(left panel; green)".
_BESIDE = r"(?:\s?[,;:]\s[^();]{1,40})?"

_BRACKETED = re.compile(rf"[(\[](?:panels?\s)?({_LIST}){_BESIDE}[)\]]")
_NAMED = re.compile(rf"\bpanels?\s[(]?({_LIST})[)]?", re.IGNORECASE)
# The lower-case word after "C." is a species.
_OPENING = re.compile(rf"({_LIST})(?:\)|\s?[:,](?=\s)|\.(?=\s+[^\W_a-z]))")
_BRACKETED_PLACE = re.compile(rf"\(({_PLACES})(?:\s{_FRAME})?{_BESIDE}\)", re.IGNORECASE)
_NAMED_PLACE = re.compile(rf"\b({_PLACES})[ -]{_FRAME}\b", re.IGNORECASE)
_OPENING_PLACE = re.compile(rf"({_PLACES})(?:\s{_FRAME})?\s?[:,](?=\s)", re.IGNORECASE)

# "as in (A)" cites a panel and describes none; "vitamin (A)" is a name.
_CITING = re.compile(
    r"(?:(?<![\w-])(?:in|see|from|of|to|with|than|cf\.?|vitamin|hepatitis|type|class|factor|figs?\.?|figures?)|=)\s*$",
    re.IGNORECASE,
)
_JOINING = re.compile(r"(?:[,;:]|\b(?:and|or|while|whereas))\s*$", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[,;:]\s")
_PREPOSITION = re.compile(r"[,;:]\s|\b(?:of|in|from|for|with|and|or|at|by|to|between|versus|vs\.?)\s", re.IGNORECASE)
_ARTICLE = re.compile(r"(?:in\s)?(?:the\s)?", re.IGNORECASE)
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
# Enough to see the word before a label.
_BEFORE = 12

_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv")
_UPPER = tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_LOWER = tuple("abcdefghijklmnopqrstuvwxyz")


class Mention(NamedTuple):
    """Labels named together, where that is, and the sentence they stand in. `opens`: at the start of it."""

    start: int
    end: int
    labels: tuple[str, ...]
    sentence: Span
    opens: bool


def panels(text: str, sentences: Sequence[Span]) -> list[Panel]:
    """The stretches that describe single panels, in order of their start. At most 1,000."""
    mentions = _lettered(text, sentences) or _placed(text, sentences)
    stretches = _stretches(text, mentions)
    return [Panel(label=label, start=start, end=end) for label, start, end in stretches[:MOST_STRETCHES]]


def _lettered(text: str, sentences: Sequence[Span]) -> list[Mention]:
    anywhere = (_BRACKETED, _NAMED) if "anel" in text else (_BRACKETED,)
    found = list(islice(_mentions(text, sentences, anywhere, _OPENING), MOST_STRETCHES))
    best: list[Mention] = []
    begun = {mention.labels[0][0] for mention in found}
    for alphabet in (_UPPER, _LOWER, _ROMANS):
        if begun.isdisjoint(alphabet):
            continue
        named = [
            mention._replace(labels=labels) for mention in found if (labels := _expand(mention.labels[0], alphabet))
        ]
        sequence = _sequence({label.rstrip("′'’") for mention in named for label in mention.labels}, alphabet)
        kept = [m for m in named if all(label.rstrip("′'’") in sequence for label in m.labels)]
        if len(kept) > len(best):
            best = kept
    return best


def _placed(text: str, sentences: Sequence[Span]) -> list[Mention]:
    lowered = text.lower()
    if not any(word in lowered for word in _PLACE_WORDS):
        return []
    found = [
        mention._replace(labels=tuple(_AND.split(mention.labels[0].lower())))
        for mention in islice(
            _mentions(text, sentences, (_BRACKETED_PLACE, _NAMED_PLACE), _OPENING_PLACE), MOST_STRETCHES
        )
    ]
    named = any(_NAMED_PLACE.search(text, mention.start, mention.end) for mention in found)
    return found if named or len({label for mention in found for label in mention.labels}) > 1 else []


def _mentions(
    text: str, sentences: Sequence[Span], anywhere: Sequence[re.Pattern[str]], opening: re.Pattern[str]
) -> Iterator[Mention]:
    """Mentions in order, without overlap; `labels` still holds the one list as written."""
    for sentence in sentences:
        start, end = sentence
        matches = [match for pattern in anywhere for match in pattern.finditer(text, start, end)]
        first = opening.match(text, start, end)
        if first:
            matches.append(first)
        if len(matches) > 1:
            matches.sort(key=lambda match: match.start())
        reached = start
        for match in matches:
            opens = match.start() == start or _ARTICLE.fullmatch(text, start, match.start()) is not None
            if match.start() < reached:
                continue
            if opens or not _CITING.search(text, max(start, match.start() - _BEFORE), match.start()):
                yield Mention(start if opens else match.start(), match.end(), (match[1],), sentence, opens)
                reached = match.end()


def _expand(written: str, alphabet: Sequence[str]) -> tuple[str, ...]:
    """ "A–C and F" as A, B, C, F; empty where one of them is not of this alphabet or a range runs backwards."""
    if written[0] not in alphabet:
        return ()
    if len(written) == 1:
        return (written,)
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


def _sequence(labels: set[str], alphabet: Sequence[str]) -> set[str]:
    """The labels that follow each other from the first of the alphabet on, with at most one missing; none if fewer than
    two do."""
    positions = sorted(map(alphabet.index, labels))
    if len(positions) < 2 or positions[0] != 0:
        return set()
    kept = positions[:1]
    for before, after in pairwise(positions):
        if after - before > 2:
            break
        kept.append(after)
    return {alphabet[position] for position in kept} if len(kept) > 1 else set()


def _stretches(text: str, mentions: Sequence[Mention]) -> list[tuple[str, int, int]]:
    if not mentions:
        return []
    leading = mentions[0].opens
    starts = [mention for mention in mentions if mention.opens]
    if leading:
        # "(A) Retina and (B) cornea": a new label that is joined on opens a stretch too.
        starts, seen = [], set[str]()
        for mention in mentions:
            joined = _JOINING.search(text, max(mention.sentence[0], mention.start - _BEFORE), mention.start)
            if mention.opens or (joined and seen.isdisjoint(mention.labels)):
                starts.append(mention)
            seen.update(mention.labels)
    following = dict(pairwise(starts))
    stretches: list[tuple[str, int, int]] = []
    opened, seen = set(starts), set()
    in_sentence = Counter(mention.sentence for mention in mentions)
    for before, mention in zip((None, *mentions), mentions, strict=False):
        if mention in opened:
            after = following.get(mention)
            end = _end(text, mention, after.start if after else len(text), leading=leading)
            stretches += ((label, mention.start, end) for label in mention.labels)
        elif not leading or seen.isdisjoint(mention.labels):
            start = _clause(text, mention, before, alone=in_sentence[mention.sentence] == 1)
            stretches += ((label, start, mention.end) for label in mention.labels)
        seen.update(mention.labels)
        if len(stretches) >= MOST_STRETCHES:
            break
    return sorted(stretches, key=lambda stretch: stretch[1:])


def _end(text: str, mention: Mention, limit: int, *, leading: bool) -> int:
    """Where the stretch that `mention` opens ends: at `limit` or a blank line; among trailing labels, with its sentence
    at the latest."""
    if not leading:
        limit = min(limit, mention.sentence[1])
    blank = _BLANK_LINE.search(text, mention.end, limit)
    return mention.end + len(text[mention.end : blank.start() if blank else limit].rstrip())


def _clause(text: str, mention: Mention, before: Mention | None, *, alone: bool) -> int:
    """Where the clause starts that a trailing label describes: after the last comma, semicolon or colon.

    In "sections of retina (A) and cornea (B)" the words "sections of" are shared: with several labels in a sentence,
    a preposition or conjunction starts a clause too.
    """
    start = mention.sentence[0]
    if before and before.sentence == mention.sentence:
        start = before.end
    for cut in (_PUNCTUATION if alone else _PREPOSITION).finditer(text, start, mention.start):
        start = cut.end()
    return start + len(text[start : mention.start]) - len(text[start : mention.start].lstrip())
