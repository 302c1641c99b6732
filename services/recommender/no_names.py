"""What speaks of figures, not of what they show: nothing within it is a name.

A capital form with a number behind a hyphen is a gene's or a product's ("PGC-1", "SB-431542"), not what the form alone
abbreviates.
"""

import re
from collections.abc import Iterator
from typing import Final

from services.recommender.stretches import Stretches

_PHRASES: Final = re.compile(
    r"\bscale[\s-]+bars?\b|\b(?:control|treatment|age|experimental|study|patient)[\s-]groups?\b"
    r"|\b(?:original|final)\s+magnifications?\b"
    r"|\b(?:double|single)[\s-](?:mutant|knockout|knock-out|transgenic|heterozygo\w+|homozygo\w+|label\w*|stain\w*"
    r"|immuno\w+|positive|headed|arrow\w*|asterisk\w*|blind\w*|tagged|copy|cells?)\b",
    re.IGNORECASE,
)
# With which words they begin, by what stands in all of these: looking for a string takes a tenth of a pattern's time.
_BEGINNINGS: Final = (
    (b"bar", ("scale",)),
    (b"group", ("control", "treatment", "age", "experimental", "study", "patient")),
    (b"magnification", ("original", "final")),
    (b"double", ("double",)),
    (b"single", ("single",)),
)
_NUMBER: Final = re.compile(r"-\d")
_CAPITALS: Final = re.compile(r"(?<!\w)[A-Z]{2,5}\Z")


def no_names(text: str) -> Stretches[str] | None:
    """The stretches of the text; None where there are none."""
    found = list(_spans(text))
    return Stretches(("", start, end) for start, end in found) if found else None


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for number in _NUMBER.finditer(text):
        hyphen = number.start()
        if capitals := _CAPITALS.search(text, max(0, hyphen - 6), hyphen):
            yield capitals.span()
    if "İ" in text:  # becomes two characters in lower case: the places in it are others
        yield from (one.span() for one in _PHRASES.finditer(text))
        return
    here = text.encode("utf-8", "surrogatepass").lower()  # of ASCII letters only, and in a tenth of the time
    beginnings = [
        beginning
        for part, of_part in _BEGINNINGS
        if part in here
        for beginning in of_part
        if beginning.encode() in here
    ]
    if beginnings:
        lowered = text.lower()
        for beginning in beginnings:
            at = lowered.find(beginning)
            while at >= 0:
                if phrase := _PHRASES.match(text, at):
                    yield phrase.span()
                at = lowered.find(beginning, at + 1)
