"""Tokens of texts: cut by the class of each character, many texts in a few array operations, every offset exact.

It gives the tokens of NLTK's RegexpTokenizer with the pattern that stands in the tests, at twenty times the speed:
docs/decisions/0018-where-nltk-stays.md.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.characters import Codes, classes, codes, joined
from shared.events.legend import Offsets

Array = npt.NDArray[np.int64]

_WORD, _DIGIT, _SPACE = 1, 2, 4
_POINT: Final = ord(".")
# Combining marks of the scripts in use are all in Unicode's first plane.
_FIRST_PLANE: Final = range(0x300, 0x10000)


@cache
def _classes() -> npt.NDArray[np.uint8]:
    """A word is a run of letters, digits, marks and underscores, with a decimal point between digits ("E13.5").
    Hyphens, slashes, apostrophes and all other signs are tokens of their own, so that the GFP of "GFP-positive" is one.
    """
    marks = "".join(sign for sign in map(chr, _FIRST_PLANE) if unicodedata.category(sign).startswith("M"))
    return classes(rf"[\w{marks}]+", r"\d+", r"\s+")


class Tokens(NamedTuple):
    """The tokens of a text in order, 0-based, half open, in code points; none empty, none overlapping, none with white
    space. `candidates` are, for each of the `Phrases` asked for, the numbers of those at which one may begin."""

    starts: Array
    ends: Array
    candidates: list[list[int]]

    def spans(self) -> list[tuple[int, int]]:
        return list(zip(self.starts.tolist(), self.ends.tolist(), strict=True))

    def packed(self) -> Offsets:
        gaps = self.starts.copy()
        gaps[1:] -= self.ends[:-1]
        return Offsets(gaps=gaps.tolist(), lengths=(self.ends - self.starts).tolist())


class Phrases:
    """Phrases of ASCII letters, to find the tokens at which one may begin, in any case: few others have the same length
    and the same first and last letter, and are followed by one that has those of the second word."""

    _FORMS: Final = 32**3
    _PAIRS: Final = 2**18

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        self._words = np.zeros(self._FORMS, np.bool_)
        self._pairs = np.zeros(self._PAIRS, np.bool_)
        for phrase in phrases:
            ends = np.cumsum([len(word) for word in phrase])
            forms = self._form(codes("".join(phrase)), np.concatenate([[0], ends[:-1]]), ends)
            if len(phrase) == 1:
                self._words[forms] = True
            else:
                self._pairs[self._pair(forms[:2])] = True

    def candidates(self, text: Codes, starts: Array, ends: Array) -> Array:
        """Of the words of a text, the numbers of those at which one of these may begin."""
        forms = self._form(text, starts, ends)
        possible = self._words[forms]
        possible[:-1] |= self._pairs[self._pair(forms)]
        return np.flatnonzero(possible)

    def _form(self, text: Codes, starts: Array, ends: Array) -> Array:
        """A number below 32³. The lower five bits of a letter are those of its capital."""
        first, last = text[starts].astype(np.int64) & 31, text[ends - 1].astype(np.int64) & 31
        form: Array = (first * 32 + last) * 32 + np.minimum(ends - starts, 31)
        return form

    def _pair(self, forms: Array) -> Array:
        """Of neighbours, a number below 2¹⁸. Any odd factor would do."""
        pair: Array = (forms[:-1] * 7_919 + forms[1:]) % self._PAIRS
        return pair


def tokens_of(texts: Sequence[str], phrases: Sequence[Phrases] = ()) -> list[Tokens]:
    """The tokens of each text; for each of `phrases`, at which of them it may begin."""
    if not texts:
        return []
    text, begins = joined(texts)
    characters = codes(text)
    kinds = _classes()[characters]
    word = (kinds & _WORD).astype(np.bool_)
    points = np.flatnonzero(characters == _POINT)
    points = points[points > 0]  # a line feed ends the text
    digit = kinds & _DIGIT
    word[points[(digit[points - 1] & digit[points + 1]).astype(np.bool_)]] = True
    alone = ~word & ~(kinds & _SPACE).astype(np.bool_)
    first, last = alone.copy(), alone
    first[0] |= word[0]
    first[1:] |= word[1:] & ~word[:-1]
    last[:-1] |= word[:-1] & ~word[1:]
    starts, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    candidates = [each.candidates(characters, starts, ends) for each in phrases]
    borders = [*np.searchsorted(starts, begins).tolist(), len(starts)]
    wanted = [np.searchsorted(each, borders).tolist() for each in candidates]
    return [
        Tokens(
            starts[borders[i] : borders[i + 1]] - begin,
            ends[borders[i] : borders[i + 1]] - begin,
            [(each[of[i] : of[i + 1]] - borders[i]).tolist() for each, of in zip(candidates, wanted, strict=True)],
        )
        for i, begin in enumerate(begins.tolist())
    ]


def tokens(text: str) -> list[tuple[int, int]]:
    """The tokens of one text."""
    return tokens_of([text])[0].spans()
