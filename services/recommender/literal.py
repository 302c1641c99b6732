"""Matching as BioPortal does it (NCBO Annotator over mgrep): names as they are written, in upper case, as whole words.

No plurals, no word order, no abbreviations: it exists for clients of BioPortal, which expect its answers, and as the
baseline that our own matcher is compared with. As in BioPortal, names of one or two characters are left out, and
synonyms that equal their concept's preferred name but for case.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import marisa_trie
import numpy as np

from shared.vocabulary.artefact import Vocabularies

SHORTEST: Final = 3
LONGEST: Final = 250  # characters of a name; bounds the time a character of a text can cost


_SPACES: Final = {ord(sign): " " for sign in "\t\n\v\f\r\x1c\x1d\x1e\x1f"}  # those of ASCII


class Hit(NamedTuple):
    """A name in a text: 0-based, half open, in code points. `preferred`: it is its concept's preferred name."""

    start: int
    end: int
    concept: int
    preferred: bool


def upper(text: str) -> str:
    """In upper case, at unchanged offsets: signs that become several ("ß") stay, and every white space is a space."""
    if text.isascii():
        return text.upper().translate(_SPACES)
    capitals = (sign if len(capital := sign.upper()) > 1 else capital for sign in text)
    return "".join(" " if sign.isspace() else sign for sign in capitals)


class LiteralNames:
    """The names of all concepts. Seconds to make for half a million names; safe to share between threads."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        labels: dict[int, str] = {}
        keys: list[str] = []
        meant: list[tuple[int, bool]] = []
        for number, concept in enumerate(vocabularies.name_concept.tolist()):
            name, scope = vocabularies.name(number)
            key = upper(name).strip()
            preferred = scope == "LABEL"
            if preferred:
                labels.setdefault(concept, key)
            if SHORTEST <= len(key) <= LONGEST and (preferred or key != labels.get(concept)):
                keys.append(key)
                meant.append((concept, preferred))
        self._trie = marisa_trie.Trie(sorted(set(keys)))
        groups = np.fromiter((self._trie[key] for key in keys), np.int64, len(keys))
        order = np.argsort(groups, kind="stable")
        self._concept = np.fromiter((concept for concept, _ in meant), np.uint32, len(meant))[order]
        self._preferred = np.fromiter((preferred for _, preferred in meant), np.bool_, len(meant))[order]
        self._start = np.searchsorted(groups[order], np.arange(len(self._trie) + 1))

    def hits(self, text: str, *, whole_words: bool = True) -> Iterator[Hit]:
        """Every name in the text, overlaps included, by start, then end. Time is linear in the text."""
        line = upper(text)
        for start in range(len(line)):
            if line[start] == " " or (whole_words and not _parted(line, start)):
                continue
            for key, group in sorted(self._trie.iter_prefixes_with_ids(line[start : start + LONGEST])):
                end = start + len(key)
                if not whole_words or _parted(line, end):
                    for at in range(self._start[group], self._start[group + 1]):
                        yield Hit(start, end, int(self._concept[at]), bool(self._preferred[at]))


def _parted(line: str, at: int) -> bool:
    """Whether no word goes on across this place."""
    return at == 0 or at == len(line) or not (line[at - 1].isalnum() and line[at].isalnum())
