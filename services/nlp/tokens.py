"""Tokens of a text: a pattern that only cuts keeps every offset exact on any input, and needs no library.

NLTK's RegexpTokenizer with this same pattern gave the same tokens at a quarter of the speed: docs/decisions/0018.
"""

import re
from typing import Final

# A word is a run of letters, digits, marks and underscores, with a decimal point between digits ("E13.5"). Hyphens,
# slashes, apostrophes and all other signs are tokens of their own, so that the GFP of "GFP-positive" is one.
# U+001C to U+001F are white space to Python and not to every pattern engine.
_TOKEN: Final = re.compile(r"\w+(?:\.(?<=\d\.)\d\w*)*|[^\w\s\x1c-\x1f]")


def tokens(text: str) -> list[tuple[int, int]]:
    """Tokens in order, 0-based, half open, in code points; none empty, none overlapping, none with white space."""
    return [token.span() for token in _TOKEN.finditer(text)]
