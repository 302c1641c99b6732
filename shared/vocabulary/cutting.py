"""The words of many texts at once: as `words.words` gives them, in a few array operations."""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from shared.characters import Codes, classes, codes, joined
from shared.vocabulary.words import GREEK, MARKS, words

Array = npt.NDArray[np.int64]

_LETTER, _GREEK, _OTHER, _WORD, _MARK = 1, 2, 4, 8, 16
_APOSTROPHE, _QUOTE, _S, _BLANK = ord("'"), ord("’"), ord("s"), ord(" ")


@cache
def _classes() -> npt.NDArray[np.uint8]:
    """The parts of the pattern of `words.words`."""
    return classes(
        rf"[^\W_{GREEK}]+", rf"[{GREEK}]+", rf"[^\w\s\-\u2010-\u2015\u2212{MARKS}{GREEK}]+", r"\w+", rf"[{MARKS}]+"
    )


class Cut(NamedTuple):
    """Texts as one, and where their words are in it: text after text, after the words of each a line feed, so that no
    name reaches from one text into the next. `begins` says where each text begins, `characters` are the code
    points. `words` are those of letters and digits, the others are one sign each; `spelled`
    tells them apart."""

    begins: Array
    starts: Array
    ends: Array
    characters: Codes
    spelled: npt.NDArray[np.bool_]
    words: list[str]


def cut(texts: Sequence[str]) -> Cut:
    """The words of texts, one at least."""
    text, begins = joined(texts)
    characters = codes(text)
    kinds = _classes()[characters]
    letter, other = (kinds & _LETTER).astype(np.bool_), (kinds & (_OTHER | _GREEK)).astype(np.bool_)
    borders = np.append(begins[1:], len(text)) - 1
    other[borders] = True
    for at in _possessives(characters, kinds):
        letter[at], other[at] = True, False
    first, last = other.copy(), other
    first[:1] |= letter[:1]
    first[1:] |= letter[1:] & ~letter[:-1]
    last[:-1] |= letter[:-1] & ~letter[1:]
    starts, ends = np.flatnonzero(first), np.flatnonzero(last) + 1
    marked = np.flatnonzero(kinds & _MARK != 0)
    if len(marked):
        # Combining and invisible marks, rare as they are, stand within words: their texts are cut one by one.
        apart = np.unique(np.searchsorted(begins, marked, side="right") - 1)
        starts, ends = _again(texts, apart.tolist(), begins, (starts, ends))
        spelled = letter[starts] | (ends - starts > 1)
        spans = zip(starts[spelled].tolist(), ends[spelled].tolist(), strict=True)
        return Cut(begins, starts, ends, characters, spelled, [text[start:end] for start, end in spans])
    # Words of letters do not touch: what parts them is made blank, and they are split in one go.
    blank = np.where(letter, characters, characters.dtype.type(_BLANK)).tobytes()
    words_ = blank.decode("ascii" if characters.itemsize == 1 else "utf-32-le").split()
    return Cut(begins, starts, ends, characters, letter[starts], words_)


def _possessives(characters: Codes, kinds: npt.NDArray[np.uint8]) -> list[int]:
    """Where an apostrophe belongs to a word: after a letter, before an "s" that ends a word."""
    signs = np.flatnonzero((characters == _APOSTROPHE) | (characters == _QUOTE))
    signs = signs[(signs > 0) & (signs < len(characters) - 2)]
    fits = (
        (kinds[signs - 1] & _LETTER).astype(np.bool_)
        & (characters[signs + 1] == _S)
        & ~(kinds[signs + 2] & _WORD).astype(np.bool_)
    )
    found: list[int] = []
    for at in signs[fits].tolist():
        if not (found and found[-1] == at - 2):  # the "s" before is that of another one, whose word ends there
            found.append(at)
    return found


def _again(texts: Sequence[str], apart: list[int], begins: Array, spans: tuple[Array, Array]) -> tuple[Array, Array]:
    """The spans of words, those of the texts `apart` as the pattern cuts them."""
    starts, ends = spans
    parts: list[tuple[Array, Array]] = []
    reached = 0
    for number in apart:
        begin, border = int(begins[number]), int(begins[number]) + len(texts[number])
        first, after = np.searchsorted(starts, [begin, border]).tolist()
        own = np.array([word.span() for word in words(texts[number])], np.int64).reshape(-1, 2) + begin
        parts += [(starts[reached:first], ends[reached:first]), (own[:, 0], own[:, 1])]
        reached = after
    parts.append((starts[reached:], ends[reached:]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
