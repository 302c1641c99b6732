"""Sentences of a legend or report, by the rules of Punkt with a list of abbreviations instead of trained data.

Punkt (Kiss & Strunk 2006, doi:10.1162/coli.2006.32.4.485) learns its abbreviations from a corpus; ours are few and
known, so no data is needed, and what remains of its rules is here: it gives the sentences of NLTK's Punkt with the same
list, at several times the speed (docs/decisions/0018-where-nltk-stays.md, tests/unit/services/nlp/test_sentences.py).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from shared.characters import classes, codes, joined

Span = tuple[int, int]

# Lower case, without the final period, as Punkt wants them. Our own list, from the conventions of biomedical journals.
# fmt: off
ABBREVIATIONS = frozenset((
    "abb", "al", "anat", "appl", "approx", "avg", "bp", "ca", "cat", "cf", "chr", "cm", "co", "conc",
    "cont", "corp", "corr", "deg", "dept", "diam", "dil", "dr", "e.g", "ed", "eds", "eg", "eq", "eqn",
    "eqs", "esp", "est", "etc", "exp", "expt", "ext", "fig", "figs", "fl", "gen", "hr", "hrs", "i.e", "i.m",
    "i.p", "i.v", "ie", "inc", "incl", "inf", "int", "lat", "lt", "ltd", "mag", "max", "med", "min", "mm",
    "mol", "mr", "mrs", "ms", "mt", "no", "nos", "nr", "p.o", "post", "prof", "ref", "refs", "resp", "s.c",
    "s.d", "s.e", "s.e.m", "sp", "spp", "ssp", "st", "subsp", "subst", "supp", "suppl", "syn", "tab",
    "temp", "u.s", "var", "viz", "vol", "vs", "wt",
))
# fmt: on
# After an abbreviation, these begin a new sentence nevertheless.
# fmt: off
STARTERS = frozenset((
    "arrow", "arrowhead", "arrowheads", "arrows", "bar", "bars", "magnification", "note", "original",
    "scale", "the", "these",
))
# fmt: on

_BLANK_LINE = re.compile(r"\n[^\S\n]*\n\s*")
_SPACES: Final = " \t\n\r\x0b\x0c"  # what parts words to Punkt
_QUOTES: Final = "\u2018\u2019\u201c\u201d\xab\xbb"
# What cannot stand within a word, and what closes a sentence after its sign.
_NO_WORD: Final = rf"[)\";}}\]*:@'({{\[?!{_QUOTES}]"
_CLOSING: Final = re.compile(rf"[\"')\]}}{_QUOTES}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_CLOSES: Final = frozenset(f"\"')]}}{_QUOTES}")  # with which that begins
_MULTIPLE: Final = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_BEGUN: Final = r"--|\.\.|(?:\.\s){2}\."  # a beginning of one of these
_WORD: Final = re.compile(
    rf"{_MULTIPLE}"
    rf"|[^\s(\"`{{\[:;&#*@)}}\]\-,]\S*?(?=\s|$|{_NO_WORD}|{_BEGUN}|,(?=\s|$|{_NO_WORD}|{_BEGUN}))"
    r"|\S"
)
_NUMBER: Final = re.compile(r"-?[.,]?\d[\d,.-]*")
_AFTER: Final = re.compile(rf"{_NO_WORD}|\s+\S+")
_PUNCTUATION: Final = frozenset(";:,.!?")

_ENDS, _PARTS, _SPACE, _BLANK = 1, 2, 4, 8


@cache
def _classes() -> npt.NDArray[np.uint8]:
    return classes(r"[.?!]+", rf"{_NO_WORD}+", r"\s+", rf"[{_SPACES}]+")


def paragraphs(text: str) -> list[Span]:
    """Stretches between blank lines, in order. A title without a period is told from what follows only so."""
    if "\n" not in text:
        return [(0, len(text))]
    spans, start = [], 0
    for gap in _BLANK_LINE.finditer(text):
        spans.append((start, gap.start()))
        start = gap.end()
    spans.append((start, len(text)))
    return spans


def sentences(text: str) -> list[Span]:
    """The sentences of one text; see `sentences_of`."""
    return sentences_of([text])[0]


def sentences_of(texts: Sequence[str]) -> list[list[Span]]:
    """Of each text the sentences in order, 0-based, half open, in code points; without the white space around them,
    none empty.

    A blank line ends a sentence. Whatever is not white space lies in exactly one sentence.
    """
    if not texts:
        return []
    parted = list(map(paragraphs, texts))
    found = iter(_candidates(texts, parted))
    return [
        [
            sentence
            for (start, stop), candidates in zip(of_text, found, strict=False)
            for sentence in _sentences(text, start, stop, candidates)
        ]
        for text, of_text in zip(texts, parted, strict=True)
    ]


def _sentences(text: str, start: int, stop: int, candidates: Iterable[Span]) -> Iterator[Span]:
    """The sentences of a paragraph; brackets and quotes that close one belong to it."""
    while start < stop and text[start].isspace():
        start += 1
    for word, sign in candidates:
        if _is_break(text, word, sign, stop):
            # The next one begins after what closes this one, or after its sign.
            end = after = sign + 1
            while after < stop and text[after].isspace():
                after += 1
            if after < stop and text[after] in _CLOSES and (closing := _CLOSING.match(text, after, stop)):
                end = after = closing.end()
                while after < stop and text[after].isspace():
                    after += 1
            while end > start and text[end - 1].isspace():
                end -= 1
            if end > start:
                yield start, end
            start = after
    while stop > start and text[stop - 1].isspace():
        stop -= 1
    if stop > start:
        yield start, stop


def _candidates(texts: Sequence[str], parted: Sequence[Sequence[Span]]) -> list[list[Span]]:
    """Of each paragraph of each text, the signs that may end a sentence, each with where its word begins. Of several
    within one word ("?!", "e.g.)") the last decides for the whole word."""
    text, begins = joined(texts)
    characters = codes(text)
    kinds = _classes()[characters]
    borders = np.array([
        (begin + start, begin + start + len(only[start:stop].rstrip()))
        for only, begin, of_text in zip(texts, begins.tolist(), parted, strict=True)
        for start, stop in of_text
    ])  # fmt: skip
    signs = np.flatnonzero(kinds & _ENDS != 0)
    paragraph = np.searchsorted(borders[:, 0], signs, side="right") - 1
    # What follows within the paragraph: a sign that is in no word, or white space and then something else.
    after = kinds[np.minimum(signs + 1, len(kinds) - 1)]
    ends = (signs + 1 < borders[paragraph, 1]) & (after & (_SPACE | _PARTS) != 0)
    signs, paragraph = signs[ends], paragraph[ends]
    # A word begins after the white space before its sign, if that stands after the sign before, or with that one's.
    spaces = np.append(-1, np.flatnonzero(kinds & _BLANK != 0))
    space = spaces[np.searchsorted(spaces, signs) - 1]
    first = borders[paragraph, 0]
    before = first.copy()
    same = paragraph[1:] == paragraph[:-1]
    before[1:][same] = signs[:-1][same]
    new = space > before
    opens = np.append(True, ~same) if len(signs) else new
    own = np.where(new, space + 1, first)
    number = np.maximum.accumulate(np.where(new | opens, np.arange(len(signs)), 0))
    words = own[number]
    judged = np.append(new[1:] | opens[1:], True) if len(signs) else new
    judged |= signs == words
    words, signs, paragraph = words[judged], signs[judged], paragraph[judged]
    of_text = begins[np.searchsorted(begins, signs, side="right") - 1]
    pairs = list(zip((words - of_text).tolist(), (signs - of_text).tolist(), strict=True))
    limits = np.searchsorted(paragraph, np.arange(len(borders) + 1)).tolist()
    return [pairs[limits[at] : limits[at + 1]] for at in range(len(borders))]


def _is_break(text: str, word: int, sign: int, stop: int) -> bool:
    if text[sign] != ".":
        return True
    said = text[word:sign]
    if len(said) > 1 and said.isalnum() and not said.isdecimal() and said.lower() not in ABBREVIATIONS:
        return True
    after = _AFTER.match(text, sign + 1, stop)
    context = text[word : after.end() if after else stop]
    parts = [part for line in context.split("\n") for part in _WORD.findall(line)]
    return any(_ends_sentence(part, following) for part, following in pairwise(parts))


def _ends_sentence(part: str, following: str) -> bool:
    """Sections 3 and 4 of the paper, for a model that has seen no text: it knows neither collocations nor how words are
    written within sentences."""
    if part in (".", "?", "!"):
        return True
    if not part.endswith("."):
        return False
    capital, said = following[0].isupper(), part[:-1].lower()
    dots, initial = not said.strip("."), len(part) == 2 and (part[0].isalpha() or part[0] == "_")
    abbreviation = not dots and (said in ABBREVIATIONS or said.rpartition("-")[2] in ABBREVIATIONS)
    if (dots or abbreviation) and not initial:
        return capital and following.removesuffix(".").lower() in STARTERS
    if said.endswith("."):
        return False
    if initial or _NUMBER.fullmatch(said):
        return not (following in _PUNCTUATION or following[0].islower() or (initial and capital))
    return True
