"""Names by the beginnings of their words: what is asked for at each key that a person types.

Names have a rank, the shorter and the more general the better. The words of all names stand in alphabetical order, so
that those with a beginning are a stretch, and so are the ranks of their names: a query marks them, word by word, in an
array with a byte a name, and what all words have marked is read off in order of rank. Time is linear in how many names
a word begins in, some nanoseconds each; memory is 16 bytes a word, four a word of a name, and five a name.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from shared.vocabulary.source import SCOPES
from shared.vocabulary.words import spoken

LENGTH: Final = 16  # bytes of a word; what follows is compared in the names themselves
MOST_WORDS: Final = 12  # of a query; the longest count
SHORTEST_MISTYPED: Final = 4  # characters
FEW: Final = 16  # of the names, one in so many is looked at first
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_FAR: Final = 40  # what a scope that is no other name for the concept costs, in bytes of length
_GENERAL: Final = 3.0  # what doubling the number of names that a concept's name is part of is worth, in the same

Marks = npt.NDArray[np.bool_]


def packed(
    texts: Sequence[str], scopes: Sequence[int], used: npt.NDArray[np.generic], axes: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[np.generic]]:
    """The index of names, in order of their numbers. `scopes`: indexes of `source.SCOPES`; `used`: for each name, in
    how many preferred names that of its concept is a part; `axes`: its number."""
    lengths = np.fromiter((len(text) for text in texts), np.float32, len(texts))
    far = np.array(scopes, np.uint8) >= SCOPES.index("NARROW")
    cost = lengths + _FAR * far - _GENERAL * np.log2(1 + used.astype(np.float32))
    names = np.argsort(cost, kind="stable").astype(np.uint32)
    known: dict[bytes, int] = {}
    of_posting: list[int] = []
    counts = np.zeros(len(names), np.uint32)
    for rank, name in enumerate(names.tolist()):
        found = {_cut(word) for word in spoken(texts[name])} - {b""}
        of_posting += [known.setdefault(word, len(known)) for word in found]
        counts[rank] = len(found)
    words = np.array(list(known), f"S{LENGTH}")
    order = np.argsort(words, kind="stable")
    place = np.empty(len(words), np.uint32)
    place[order] = np.arange(len(words), dtype=np.uint32)
    placed = place[np.array(of_posting, np.uint32)]
    ranks = np.repeat(np.arange(len(names), dtype=np.uint32), counts)
    return {
        "beginning_words": words[order],
        "beginning_start": np.concatenate([[0], np.cumsum(np.bincount(placed, minlength=len(words)))]).astype(
            np.uint32
        ),
        "beginning_ranks": ranks[np.argsort(placed, kind="stable")],
        "beginning_names": names,
        "beginning_axes": axes[names],
    }


class Beginnings:
    """The index, loaded. Immutable, safe to share between threads."""

    def __init__(self, arrays: NpzFile) -> None:
        self._words: npt.NDArray[np.bytes_] = arrays["beginning_words"]
        self._start: npt.NDArray[np.uint32] = arrays["beginning_start"]
        self._ranks: npt.NDArray[np.uint32] = arrays["beginning_ranks"]
        self._names: npt.NDArray[np.uint32] = arrays["beginning_names"]
        self._axes: npt.NDArray[np.uint8] = arrays["beginning_axes"]

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return sum(array.nbytes for array in (self._words, self._start, self._ranks, self._names, self._axes))

    def names(self, beginnings: Sequence[str], axis: int | None = None, *, enough: int) -> npt.NDArray[np.uint32]:
        """The names (on an axis) that have, for each of the beginnings, a word that begins so: the best first, and not
        all where there are more than enough."""
        wanted = [[word] for word in _longest(beginnings)]
        return self._best(lambda upto: self._all_marked(wanted, upto), axis, enough)

    def mistyped(self, beginnings: Sequence[str], axis: int | None = None, *, enough: int) -> npt.NDArray[np.uint32]:
        """As `names`, with one letter of one of the beginnings wrong, missing, too much, or swapped with the next."""
        words = _longest(beginnings)
        wanted = [
            [*([other] for other in (*words[:place], *words[place + 1 :])), list(dict.fromkeys(_edited(word)))]
            for place, word in enumerate(words)
            if len(word) >= SHORTEST_MISTYPED
        ]

        def marked(upto: int) -> Marks:
            marks = np.zeros(upto, np.bool_)
            for ways in wanted:
                marks |= self._all_marked(ways, upto)
            return marks

        return self._best(marked, axis, enough) if wanted else self._names[:0]

    def _best(self, marked: Callable[[int], Marks], axis: int | None, enough: int) -> npt.NDArray[np.uint32]:
        """Looks among the best names first: marking all of those with a short beginning would take most of the time."""
        for upto in (len(self._names) // FEW, len(self._names)):
            marks = marked(upto)
            if axis is not None:
                marks &= self._axes[:upto] == axis
            found = np.flatnonzero(marks)
            if len(found) >= enough:
                break
        return self._names[found]

    def _all_marked(self, wanted: Sequence[Sequence[str]], upto: int) -> Marks:
        """Which of the best `upto` names have a word with one of the beginnings, of each of those wanted."""
        marks = np.ones(upto, np.bool_)
        for ways in wanted:
            marks &= self._marked(ways, upto)
            if not marks.any():
                break
        return marks

    def _marked(self, ways: Sequence[str], upto: int) -> Marks:
        marks = np.zeros(upto, np.bool_)
        cut = np.array([_cut(word) for word in ways], f"S{LENGTH}")
        last = np.array([_cut(word).ljust(LENGTH, b"\xff") for word in ways], f"S{LENGTH}")
        begin, end = np.searchsorted(self._words, cut), np.searchsorted(self._words, last, side="right")
        for first, after in zip(self._start[begin].tolist(), self._start[end].tolist(), strict=True):
            if first < after:
                ranks = self._ranks[first:after]
                marks[ranks if upto == len(self._names) else ranks[ranks < upto]] = True
        return marks


def _cut(word: str) -> bytes:
    """A trailing zero byte would be lost in numpy's strings."""
    return word.encode(errors="replace")[:LENGTH].rstrip(b"\0")


def _longest(beginnings: Sequence[str]) -> list[str]:
    return sorted(set(beginnings), key=lambda word: (-len(word), word))[:MOST_WORDS]


def _edited(word: str) -> Iterator[str]:
    """All words at one edit (Damerau 1964) from a word."""
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        for letter in _ALPHABET:
            yield before + letter + after
            if after:
                yield before + letter + after[1:]
        if after:
            yield before + after[1:]
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
