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
from shared.events.legend import Scope

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
def rules() -> dict[str, tuple[Rule, ...]]:
    """The rules of assertions.tsv by their first word, the longest first."""
    by_word: dict[str, list[Rule]] = {}
    with (files(__package__) / "assertions.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        for row in rows:
            phrase = tuple(row["phrase"].split())
            rule = Rule(phrase, cast(Kind, row["kind"]), row["concerns"] != "before", int(row["reach"] or REACH))
            by_word.setdefault(phrase[0], []).append(rule)
    return {word: tuple(sorted(each, key=lambda rule: -len(rule.phrase))) for word, each in by_word.items()}


def scopes(text: str, tokens: Sequence[Span], sentences: Sequence[Span], borders: Sequence[int] = ()) -> list[Scope]:
    """The scopes in order, cues not included; they may overlap. `borders`, ascending, end scopes. At most 1,000."""
    words = [text[start:end].lower() for start, end in tokens]
    starts = [start for start, _ in tokens]
    matches = list(_matches(words))
    found: list[Scope] = []
    ends = {at for at, rule in matches if rule.kind == "end"}
    for at, rule in matches:
        if rule.kind in ("look-alike", "end"):
            continue
        after = at + len(rule.phrase)
        sentence = sentences[bisect_right(sentences, (starts[at], len(text))) - 1]
        low, high = sentence
        border = bisect_right(borders, starts[at])
        low = max(low, borders[border - 1]) if border else low
        high = min(high, borders[border]) if border < len(borders) else high
        if rule.forward:
            first, last = _forward(words, ends, after, bisect_left(starts, high), rule.reach)
        else:
            first, last = _backward(words, ends, at, bisect_left(starts, low), rule.reach)
        if first < last:
            cue = text[starts[at] : tokens[after - 1][1]]
            found.append(Scope(assertion=_assertion(rule), start=starts[first], end=tokens[last - 1][1], cue=cue))
        if len(found) >= MOST_SCOPES:
            break
    return sorted(found, key=lambda scope: (scope.start, scope.end))


def _assertion(rule: Rule) -> Literal["absent", "uncertain"]:
    return "absent" if rule.kind == "absent" else "uncertain"


def _matches(words: Sequence[str]) -> Iterator[tuple[int, Rule]]:
    """Phrases found, from left to right, the longest of each place, without overlap."""
    by_word = rules()
    reached = 0
    for at in [at for at, word in enumerate(words) if word in by_word]:
        if at < reached:
            continue
        for rule in by_word[words[at]]:
            if tuple(words[at : at + len(rule.phrase)]) == rule.phrase:
                reached = at + len(rule.phrase)
                yield at, rule
                break


def _forward(words: Sequence[str], ends: set[int], start: int, stop: int, reach: int) -> tuple[int, int]:
    at = start
    while at < stop and reach and at not in ends and words[at] != _SEMICOLON and words[at] not in PLACES:
        reach -= words[at][0].isalnum()
        at += 1
    return _trim(words, start, at)


def _backward(words: Sequence[str], ends: set[int], stop: int, start: int, reach: int) -> tuple[int, int]:
    at = stop
    while at > start and reach and at - 1 not in ends and words[at - 1] != _SEMICOLON:
        at -= 1
        reach -= words[at][0].isalnum()
    if words[at] in PLACES and "," in words[at:stop]:
        at = words.index(",", at, stop) + 1
    places = [place for place in range(at + 1, stop) if words[place] in PLACES]
    return _trim(words, at, places[0] if places else stop)


def _trim(words: Sequence[str], first: int, last: int) -> tuple[int, int]:
    """Without the signs at either end."""
    while first < last and not words[first][0].isalnum():
        first += 1
    while first < last and not words[last - 1][0].isalnum():
        last -= 1
    return first, last
