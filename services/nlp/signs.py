"""Signs that something may begin with, found in many texts at once, so that patterns are tried there alone."""

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.characters import classes, codes, joined

LONGEST: Final = 200  # code points within a bracket in which an abbreviation may be defined

_WORD, _LETTER, _ROMAN, _OPENS, _ROUND = 1, 2, 4, 8, 16
_P, _A, _OPEN = ord("p"), ord("a"), ord("(")


@cache
def _classes() -> npt.NDArray[np.uint8]:
    return classes(r"\w+", r"[A-Za-z]+", r"[ivx]+", r"[(\[]+", r"[()]+")


class Signs(NamedTuple):
    """Of a text, in order: `labels`, the brackets in which a label may stand, "(A)", "[iv" or "(panel"; `brackets`,
    round ones without others in them, from sign to sign."""

    labels: list[int]
    brackets: list[tuple[int, int]]


def signs_of(texts: Sequence[str]) -> list[Signs]:
    """The signs of each text."""
    if not texts:
        return []
    text, begins = joined(texts)
    characters = codes(text)
    kinds = _classes()[characters]
    opening = np.flatnonzero(kinds & _OPENS != 0)
    opening = opening[opening < len(kinds) - 2]  # at least one character and a line feed follow
    first, second = kinds[opening + 1], kinds[opening + 2]
    may = (first & _LETTER != 0) & (
        (second & _WORD == 0)
        | (first & second & _ROMAN != 0)
        | ((characters[opening + 1] == _P) & (characters[opening + 2] == _A))
    )
    labels = opening[may]
    round_ = np.flatnonzero(kinds & _ROUND != 0)
    opens = characters[round_] == _OPEN
    gaps = np.diff(round_)
    pairs = np.flatnonzero(opens[:-1] & ~opens[1:] & (gaps > 1) & (gaps <= LONGEST + 1))
    left, right = round_[pairs], round_[pairs + 1]
    whole = np.searchsorted(begins, left, side="right") == np.searchsorted(begins, right, side="right")
    left, right = left[whole], right[whole]  # in one text
    return [
        Signs(of_labels, list(zip(of_left, of_right, strict=True)))
        for of_labels, of_left, of_right in zip(
            _parted(labels, labels, begins), _parted(left, left, begins), _parted(right, left, begins), strict=True
        )
    ]


def _parted(places: npt.NDArray[np.int64], by: npt.NDArray[np.int64], begins: npt.NDArray[np.int64]) -> list[list[int]]:
    """The places in each text, counted from its beginning; it is the text in which `by` lies."""
    borders = [*np.searchsorted(by, begins).tolist(), len(by)]
    within = (places - begins[np.searchsorted(begins, by, side="right") - 1]).tolist()
    return [within[borders[number] : borders[number + 1]] for number in range(len(begins))]
