"""Words that name no concept, whatever a vocabulary says."""

from importlib.resources import files
from typing import Final

# English words without a content of their own (articles, pronouns, prepositions, conjunctions, auxiliaries) of three
# letters and more. Left out of BioPortal-like answers unless the client names others; BioPortal has a list of its own.
STOP_WORDS: Final = tuple((files(__package__) / "stop_words.txt").read_text(encoding="utf-8").split())

# What legends say of themselves, and words that BioPortal is known to propose. Asked to leave out, with the above.
OF_LEGENDS: Final = (
    *(
        "arrow",
        "arrowhead",
        "arrows",
        "bar",
        "bars",
        "bottom",
        "column",
        "common",
        "figure",
        "image",
        "images",
        "inset",
    ),
    *("left", "panel", "panels", "part", "right", "role", "row", "scale", "scale bar", "show", "side", "table", "top"),
)
