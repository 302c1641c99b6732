"""Phrases that must and must not give a recommendation on an axis, written before the matcher was run on them.

One file an axis in `phrases/`: in a line `+ …[[words]]…` the axis must be found at the words, in `- …` it must not.
Half of each kind is kept unseen (by a hash of the line): misses are listed of the other half only.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.nlp.analysis import analyse
from services.recommender.annotator import Annotation, Annotator
from shared.events.legend import Analysis
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies

FOLDER: Final = Path(__file__).parent / "phrases"
_MARKED: Final = re.compile(r"^([+-]) (.*?)\[\[(.+?)\]\](.*)$")


@dataclass(frozen=True, slots=True)
class Phrase:
    """`start` and `end` of the words in `text`, in code points; `wanted`: whether the axis must be found there."""

    axis: str
    text: str
    start: int
    end: int
    wanted: bool
    unseen: bool

    @property
    def words(self) -> str:
        return self.text[self.start : self.end]

    def analysis(self) -> Analysis:
        return analyse(self.text, language="en")

    def met(self, found: Sequence[Annotation]) -> bool:
        """Whether what was found is as it must be: something on the axis touches the words, or nothing does."""
        touched = any(one.concept.axis == self.axis and one.start < self.end and self.start < one.end for one in found)
        return touched == self.wanted


def phrases() -> Iterator[Phrase]:
    """Of all axes."""
    for path in sorted(FOLDER.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if marked := _MARKED.match(line):
                sign, before, words, after = marked.groups()
                unseen = hashlib.sha256(line.encode()).digest()[0] % 2 == 1
                start = len(before)
                yield Phrase(path.stem, before + words + after, start, start + len(words), sign == "+", unseen)


def in_use() -> Vocabularies:
    """The default vocabularies, as a new installation has them."""
    return defaults.load(Settings().cache / "vocabularies")


def judged(annotator: Annotator) -> list[tuple[Phrase, bool]]:
    """Each phrase, and whether it was met."""
    known = list(phrases())
    found = annotator.annotate([phrase.analysis() for phrase in known])
    return [(phrase, phrase.met(one)) for phrase, one in zip(known, found, strict=True)]
