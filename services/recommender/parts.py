"""Names within words: "perinuclear" has the nucleus, "Mtf1loxP" the loxP site.

The CRAFT corpus marks them, and so does the profile that annotates as it does. Pure, and linear in the text.
"""

import re
from typing import Final

# Prefixes of place, time, number and degree that combine with any adjective or noun. Those that more often are the
# beginning of another word ("de-tails", "pro-duct", "macro-phage") are left out.
_PREFIXES: Final = (
    *("bi", "co", "extra", "inter", "intra", "juxta", "micro", "mis", "mono", "nano", "non", "over", "peri", "post"),
    *("pre", "sub", "un", "under"),
)
# A pattern that begins with a class of letters passes over all others quickly.
_FIRST: Final = "".join(sorted({sign for prefix in _PREFIXES for sign in (prefix[0], prefix[0].upper())}))
_REST: Final = "|".join(f"(?<=[{prefix[0]}{prefix[0].upper()}]){prefix[1:]}" for prefix in _PREFIXES)
_PREFIXED: Final = re.compile(rf"[{_FIRST}](?<![^\W_].)(?:{_REST})([a-z]{{5,}})(?![^\W_])")
# An allele's name stands above its gene's; in plain text nothing parts the two.
_ALLELE: Final = re.compile(r"(?<=[^\W_])(?:flox(?:ed|P)?|loxP)(?![^\W_])")

Span = tuple[int, int]


def parts(text: str) -> list[Span]:
    """Where what may be a name stands within a longer word: 0-based, half open, in order of kind, then place."""
    found = [one.span(1) for one in _PREFIXED.finditer(text)]
    if "lox" in text:
        found += [one.span() for one in _ALLELE.finditer(text)]
    return found
