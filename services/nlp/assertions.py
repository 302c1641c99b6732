"""Stretches of a text whose content is negated or uncertain.

The algorithm of NegEx (Chapman et al., J Biomed Inform 2001, 34:301-310) and ConText (Harkema et al., J Biomed Inform
2009, 42:839-851): cues before or after what they concern, look-alikes that are no cue ("no increase"), words that end a
scope, and a limit in words. The rules are data, `assertions.tsv`, each with its source. Two things are ours, since in
figures the place of an absent thing is still in the picture: a word of place ends a scope ("no tumour | in the liver"),
and so does the border of a panel. The rules are English.
"""

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple, cast

from services.nlp.sentences import Span
from services.nlp.tokens import Phrases, Tokens
from shared.findings import Scope

# NegEx took five words or phrases, ConText the whole sentence. Ten words hold five phrases of two.
REACH = 10
# It bounds the size of the event.
MOST_SCOPES = 1_000

# In a scope after a cue they end it; in one before a cue they end what is asserted: "A in B was not detected".
# fmt: off
PLACES = frozenset((
    "in", "within", "at", "on", "from", "by", "after", "during", "throughout", "under", "near", "inside",
    "outside", "into", "across",
))
# fmt: on
_SEMICOLON = ";"

Kind = Literal["absent", "uncertain", "look-alike", "end"]


class Rule(NamedTuple):
    """A phrase in lower case, as tokens. `before` (after): what it concerns stands after (before) the phrase."""

    phrase: tuple[str, ...]
    kind: Kind
    forward: bool
    reach: int


@cache
def rules() -> dict[str, Rule]:
    """The rules of assertions.tsv by their phrase, its tokens parted by blanks."""
    with (files(__package__) / "assertions.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        return {
            row["phrase"]: Rule(
                tuple(row["phrase"].split()),
                cast(Kind, row["kind"]),
                row["concerns"] != "before",
                int(row["reach"] or REACH),
            )
            for row in rows
        }


@cache
def _lengths() -> dict[str, list[int]]:
    """By their first word, how many words phrases have, the most first."""
    lengths: dict[str, set[int]] = {}
    for rule in rules().values():
        lengths.setdefault(rule.phrase[0], set()).add(len(rule.phrase))
    return {word: sorted(of_word, reverse=True) for word, of_word in lengths.items()}


@cache
def cues() -> tuple[Phrases, Phrases]:
    """The phrases of the rules: what may be a cue, and what only ends scopes."""
    every = rules().values()
    return (
        Phrases(rule.phrase for rule in every if rule.kind != "end"),
        Phrases(rule.phrase for rule in every if rule.kind == "end"),
    )


def scopes(text: str, tokens: Tokens, sentences: Sequence[Span], borders: Sequence[int] = ()) -> list[Scope]:
    """The scopes in order, cues not included; they may overlap. `borders`, ascending, end scopes. At most 1,000.

    `tokens` are those of `tokens_of` with `cues()`.
    """
    cued, ending = tokens.candidates
    if not cued:
        return []
    words = _Words(text, tokens)
    if not any(rule for _, rule in _matches(words, cued)):
        return []
    matches = list(_matches(words, sorted({*cued, *ending})))
    starts, stops = words.starts, words.stops
    found: list[Scope] = []
    ends = {at for at, rule in matches if rule.kind == "end"}
    for at, rule in matches:
        if rule.kind in ("look-alike", "end"):
            continue
        after = at + len(rule.phrase)
        low, high = sentences[bisect_right(sentences, (starts[at], len(text))) - 1]
        border = bisect_right(borders, starts[at])
        low = max(low, borders[border - 1]) if border else low
        high = min(high, borders[border]) if border < len(borders) else high
        if rule.forward:
            first, last = _forward(words, ends, after, bisect_left(starts, high), rule.reach)
        else:
            first, last = _backward(words, ends, at, bisect_left(starts, low), rule.reach)
        if first < last:
            cue = text[starts[at] : stops[after - 1]]
            found.append(Scope(_assertion(rule), starts[first], stops[last - 1], cue))
        if len(found) >= MOST_SCOPES:
            break
    return sorted(found, key=lambda scope: (scope.start, scope.end))


class _Words:
    """The tokens of a text in lower case, each read when it is asked for: rules look at few."""

    def __init__(self, text: str, tokens: Tokens) -> None:
        self._text = text
        self.starts: list[int] = tokens.starts.tolist()
        self.stops: list[int] = tokens.ends.tolist()

    def __getitem__(self, number: int) -> str:
        return self._text[self.starts[number] : self.stops[number]].lower()

    def __len__(self) -> int:
        return len(self.starts)


def _assertion(rule: Rule) -> Literal["absent", "uncertain"]:
    return "absent" if rule.kind == "absent" else "uncertain"


def _matches(words: _Words, candidates: Sequence[int]) -> Iterator[tuple[int, Rule]]:
    """Phrases found, from left to right, the longest of each place, without overlap."""
    by_phrase, by_word = rules(), _lengths()
    reached, count = 0, len(words)
    for at in candidates:
        if at < reached:
            continue
        phrase = words[at]
        lengths = by_word.get(phrase)
        if not lengths:
            continue
        # Most begin no phrase of several words here.
        if lengths[0] > 1:
            said = [phrase, *[words[number] for number in range(at + 1, min(at + lengths[0], count))]]
            phrases = [" ".join(said[:length]) for length in lengths if length <= len(said)]
        else:
            phrases = [phrase]
        for phrase in phrases:
            if rule := by_phrase.get(phrase):
                reached = at + len(rule.phrase)
                yield at, rule
                break


def _forward(words: _Words, ends: set[int], start: int, stop: int, reach: int) -> tuple[int, int]:
    at = start
    while at < stop and reach and at not in ends:
        word = words[at]
        if word == _SEMICOLON or word in PLACES:
            break
        reach -= word[0].isalnum()
        at += 1
    return _trim(words, start, at)


def _backward(words: _Words, ends: set[int], stop: int, start: int, reach: int) -> tuple[int, int]:
    at = stop
    while at > start and reach and at - 1 not in ends and words[at - 1] != _SEMICOLON:
        at -= 1
        reach -= words[at][0].isalnum()
    said = [words[number] for number in range(at, stop)]
    skipped = said.index(",") + 1 if said and said[0] in PLACES and "," in said else 0
    place = next((number for number in range(skipped + 1, len(said)) if said[number] in PLACES), len(said))
    return _trim(words, at + skipped, at + place)


def _trim(words: _Words, first: int, last: int) -> tuple[int, int]:
    """Without the signs at either end."""
    while first < last and not words[first][0].isalnum():
        first += 1
    while first < last and not words[last - 1][0].isalnum():
        last -= 1
    return first, last
