"""Sentences of a legend or report, by the rules of Punkt with a list of abbreviations instead of trained data.

Punkt (Kiss & Strunk 2006, doi:10.1162/coli.2006.32.4.485) learns its abbreviations from a corpus; ours are few and
known, so no data is needed, and what remains of its rules is here: it gives the sentences of NLTK's Punkt with the same
list, at thirty times the speed (docs/decisions/0018-where-nltk-stays.md, tests/unit/services/nlp/test_sentences.py).
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

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
_SPACES: Final = "\t\n\r\x0b\x0c"  # besides the blank, what parts words to Punkt
_QUOTES: Final = "\u2018\u2019\u201c\u201d\xab\xbb"
# What cannot stand within a word; a sign that may end a sentence, before one of these or white space; and what closes
# a sentence after its sign.
_NO_WORD: Final = rf"[)\";}}\]*:@'({{\[?!{_QUOTES}]"
_SIGN: Final = re.compile(rf"[.?!](?={_NO_WORD}|\s+\S)")
_CLOSING: Final = re.compile(rf"[\"')\]}}{_QUOTES}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
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
    """Sentences in order, 0-based, half open, in code points; without the white space around them, none empty.

    A blank line ends a sentence. Whatever is not white space lies in exactly one sentence.
    """
    spans = []
    for start, stop in paragraphs(text):
        for left, right in pairwise((start, *_ends(text, start, stop), stop)):
            sentence = text[left:right]
            if bare := sentence.strip():
                first = left + sentence.index(bare[0])
                spans.append((first, first + len(bare)))
    return spans


def _ends(text: str, start: int, stop: int) -> Iterator[int]:
    """Where sentences end within a paragraph; brackets and quotes that close one belong to it."""
    for sign in _breaks(text, start, stop):
        after = sign + 1
        while after < stop and text[after].isspace():
            after += 1
        closing = _CLOSING.match(text, after, stop)
        yield closing.end() if closing else sign + 1


def _breaks(text: str, start: int, stop: int) -> Iterator[int]:
    """The signs that end a sentence. Of several within one word ("?!", "e.g.)") the last decides for the whole word."""
    word, judged = start, -1
    for match in _SIGN.finditer(text, start, stop):
        sign = match.start()
        before = max(judged, start)
        space = text.rfind(" ", before, sign)
        if not text[space + 1 : sign].isalnum():
            space = max(space, *[text.rfind(other, max(space, before), sign) for other in _SPACES])
        begins = space + 1 if space > before else word
        if 0 <= judged <= begins and _is_break(text, word, judged, stop):
            yield judged
        word, judged = begins, sign
    if judged >= 0 and _is_break(text, word, judged, stop):
        yield judged


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
