"""Sentences of a legend or report, by NLTK's Punkt with a list of abbreviations instead of trained data.

Punkt (Kiss & Strunk 2006) learns its abbreviations from a corpus; ours are few and known, so no data is needed.
"""

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize.punkt import PunktSentenceTokenizer

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


@cache
def _punkt() -> "PunktSentenceTokenizer":
    # NLTK takes a second or two to import (all of it, and SciPy where it is installed): when first used, not at start.
    from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer  # noqa: PLC0415

    parameters = PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS)
    parameters.sent_starters = set(STARTERS)
    return PunktSentenceTokenizer(parameters)


def paragraphs(text: str) -> list[Span]:
    """Stretches between blank lines, in order. A title without a period is told from what follows only so."""
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
    for offset, stop in paragraphs(text):
        paragraph = text[offset:stop]
        for start, end in _punkt().span_tokenize(paragraph):
            sentence = paragraph[start:end]
            left = start + len(sentence) - len(sentence.lstrip())
            right = start + len(sentence.rstrip())
            if left < right:
                spans.append((offset + left, offset + right))
    return spans
