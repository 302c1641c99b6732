"""Tokens of texts: cut by the class of each character, many texts in a few array operations, every offset exact.

It gives the tokens of NLTK's RegexpTokenizer with the pattern that stands in the tests, at twenty times the speed:
docs/decisions/0018-where-nltk-stays.md.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise
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
    """Phrases of ASCII letters, to find the tokens at which one may begin, in any case: hardly another has the same
    length and the same letters at both ends, two each, and is followed by one or two that have those of the next."""

    LONGEST: Final = 3  # words that are looked at
    _FORMS: Final = 2**18

    def __init__(self, phrases: Iterable[Sequence[str]]) -> None:
        self._known = np.zeros((self.LONGEST, self._FORMS), np.bool_)  # by length
        for phrase in phrases:
            ends = np.cumsum([len(word) for word in phrase])
            *_, form = self.forms(codes("".join(phrase)), np.concatenate([[0], ends[:-1]]), ends)
            self._known[min(len(phrase), self.LONGEST) - 1, form[0]] = True

    @classmethod
    def forms(cls, text: Codes, starts: Array, ends: Array) -> list[Array]:
        """Of words, of those with the next, and of those with the next two, as far as there are: numbers below 2¹⁸."""
        form = np.minimum(ends - starts, 31)
        for places in (starts, np.minimum(starts + 1, ends - 1), np.maximum(ends - 2, starts), ends - 1):
            form = form << 5 | text[places] & 31  # these bits of a letter are those of its capital
        forms = [cls._spread(form)]
        for length in range(1, min(len(starts), cls.LONGEST)):
            forms.append(cls._spread(forms[-1][:-1] * 7_919 + forms[0][length:]))
        return forms

    @classmethod
    def _spread(cls, numbers: Array) -> Array:
        """Any large odd factor would do."""
        spread: Array = (numbers * 2_654_435_761 >> 13) % cls._FORMS
        return spread

    def candidates(self, forms: Sequence[Array]) -> Array:
        """Of words with these `forms`, the numbers of those at which one of these may begin."""
        possible = np.zeros(len(forms[0]), np.bool_)
        for known, form in zip(self._known, forms, strict=False):
            possible[: len(form)] |= known[form]
        return np.flatnonzero(possible)


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
    forms = Phrases.forms(characters, starts, ends) if phrases else []
    candidates = [each.candidates(forms) for each in phrases]
    borders = np.searchsorted(starts, begins)
    counts = np.diff(borders, append=len(starts))
    of_text = np.repeat(begins, counts)
    starts, ends = starts - of_text, ends - of_text
    wanted = [_parted(each, borders) for each in candidates]
    limits = [*borders.tolist(), len(starts)]
    return [
        Tokens(starts[first:last], ends[first:last], [of_phrases[number] for of_phrases in wanted])
        for number, (first, last) in enumerate(pairwise(limits))
    ]


def _parted(numbers: Array, borders: Array) -> list[list[int]]:
    """Numbers of tokens by the text in which they are, there counted from its first one."""
    limits = [*np.searchsorted(numbers, borders).tolist(), len(numbers)]
    own = (numbers - borders[np.searchsorted(borders, numbers, side="right") - 1]).tolist()
    return [own[first:last] for first, last in pairwise(limits)]


def tokens(text: str) -> list[tuple[int, int]]:
    """The tokens of one text."""
    return tokens_of([text])[0].spans()
