"""Tokens of a text, by NLTK's RegexpTokenizer.

NLTK's word tokeniser (NLTKWordTokenizer) rewrites quotes and then cannot always say where a token was; a pattern that
only cuts keeps every offset exact on any input.
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nltk.tokenize import RegexpTokenizer

# A word is a run of letters, digits, marks and underscores, with a decimal point between digits ("E13.5"). Hyphens,
# slashes, apostrophes and all other signs are tokens of their own, so that the GFP of "GFP-positive" is one.
# U+001C to U+001F are white space to Python and not to every pattern engine.
_PATTERN = r"\w+(?:\.(?<=\d\.)\d\w*)*|[^\w\s\x1c-\x1f]"


@cache
def _tokenizer() -> "RegexpTokenizer":
    from nltk.tokenize import RegexpTokenizer  # noqa: PLC0415 - see sentences.py

    return RegexpTokenizer(_PATTERN)


def tokens(text: str) -> list[tuple[int, int]]:
    """Tokens in order, 0-based, half open, in code points; none empty, none overlapping, none with white space."""
    return list(_tokenizer().span_tokenize(text))
