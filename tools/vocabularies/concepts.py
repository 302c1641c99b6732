"""What every reader yields and every rule handles: a concept with its names and direct parents."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

SCOPES = ("LABEL", "EXACT", "NARROW", "BROAD", "RELATED", "SYNONYM")
AXES = ("anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical")

LONGEST_NAME = 150
"""Code points; longer synonyms are descriptions that no legend repeats word for word. Labels are kept."""


@dataclass(frozen=True)
class Name:
    text: str
    scope: str


@dataclass(frozen=True)
class Concept:
    """`parents` are (identifier, relation), relation being is_a, part_of, or is_a_or_part_of where the source
    does not say which."""

    id: str
    label: str
    names: tuple[Name, ...] = ()
    parents: tuple[tuple[str, str], ...] = ()
    axis: str | None = None

    def on(self, axis: str) -> "Concept":
        return replace(self, axis=axis)

    def with_names(self, names: Iterable[Name]) -> "Concept":
        return replace(self, names=(*self.names, *names))

    def rows(self) -> Iterator[Name]:
        """The label, then every other usable name once; the best scope wins where a name comes twice."""
        label = tidy(self.label)
        yield Name(label, "LABEL")
        seen = {label}
        for name in sorted(self.names, key=lambda name: (SCOPES.index(name.scope), name.text)):
            text = tidy(name.text)
            if usable(text) and text not in seen:
                seen.add(text)
                yield Name(text, name.scope)


def tidy(text: str) -> str:
    """NFC, one space between words, none at the ends."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


def usable(text: str) -> bool:
    """Two code points at least, one of them a letter, and no longer than LONGEST_NAME."""
    return 2 <= len(text) <= LONGEST_NAME and any(char.isalpha() for char in text) and text.isprintable()


_SILENT = frozenset({"of", "the", "and", "in", "or", "with", "to", "by", "a", "an"})


def words(name: str) -> frozenset[str]:
    """A name as a set of lower-case words in the singular, so that "Hypertension, Portal" equals "portal
    hypertension". Only for comparing the names of two vocabularies, not for matching text."""
    parts = re.findall(r"[a-z0-9]+", name.lower().replace("'s", ""))
    return frozenset(_singular(part) for part in parts if part not in _SILENT)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
