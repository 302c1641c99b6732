"""What `nlp` finds in a text, as plain tuples, for annotators in the same process.

`shared.events.legend.Analysis` is the same as an event carries it, checked and with sentences and tokens. All offsets
are 0-based, half open, in Unicode code points.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Panel(NamedTuple):
    """See `shared.events.legend.Panel`."""

    label: str
    start: int
    end: int


class Abbreviation(NamedTuple):
    """See `shared.events.legend.Abbreviation`."""

    short: str
    long: str
    start: int
    end: int


class Scope(NamedTuple):
    """See `shared.events.legend.Scope`."""

    assertion: Literal["absent", "uncertain"]
    start: int
    end: int
    cue: str


class Findings(NamedTuple):
    """What is found in a text beside its concepts."""

    text: str
    panels: Sequence[Panel]
    abbreviations: Sequence[Abbreviation]
    scopes: Sequence[Scope]
