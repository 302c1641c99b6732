"""Names that share their end with the next one: "frontal and temporal lobe", "T and B cells", "α- and β-catenin".

Only beside a name that was found: before "temporal lobe" stands "frontal and", so "frontal lobe" is looked up as well.
Pure, and linear in the text: of each name only the few words before it are read.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MOST: Final = 4  # words that share one end, beside the one that has it

_JOINED: Final = (" and ", " or ", " and/or ", " & ")
_JOINED_BY: Final = frozenset(joint[-2] for joint in _JOINED)  # most are told apart by this one character
_SHORTEST: Final = min(map(len, _JOINED)) - 1
_WORD: Final = re.compile(r"[^\W_][\w'’]*(?:-\w+)*-?")
LONGEST: Final = 40  # code points of such a word


class Shared(NamedTuple):
    """A word of the text from `start` to `end`, and what is meant by it: `said`, with the end of the name that follows
    from `whole`."""

    start: int
    end: int
    said: str
    whole: tuple[int, int]


def joined(text: str, start: int) -> bool:
    """Whether what begins there is joined to what stands before."""
    return start > _SHORTEST and text[start - 2] in _JOINED_BY and text.endswith(_JOINED, 0, start)


def shared(text: str, names: Iterable[tuple[int, int]]) -> list[Shared]:
    """What may be meant before names of several words, or with a hyphen, that stand from start to end and are joined
    to what stands before."""
    found: list[Shared] = []
    for start, end in names:
        first = _WORD.match(text, start, end)
        for begin, finish in _words_before(text, text.rindex(" ", 0, start - 1)):
            # "α-" lacks what stands after the hyphen, "frontal" what stands after the first word.
            said = text[begin:finish]
            after = text.find("-", start, end) + 1 if said.endswith("-") else first.end() if first else 0
            if after and text[after:end].strip():
                found.append(Shared(begin, finish, said + text[after:end], (start, end)))
    return found


def _words_before(text: str, end: int) -> Iterator[tuple[int, int]]:
    """The words of an enumeration that ends there, from the last one: "frontal, parietal," has two."""
    for _ in range(MOST):
        finish = end - 1 if end and text[end - 1] == "," else end
        begin = text.rfind(" ", max(0, finish - LONGEST), finish) + 1
        if not begin and finish > LONGEST:
            return
        word = _WORD.match(text, begin, finish)
        if word is None or word.end() != finish:
            return
        yield begin, finish
        end = begin - 1
        if end < 1 or text[end - 1] != ",":
            return
