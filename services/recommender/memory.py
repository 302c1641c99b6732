"""Annotations of texts seen before, by the content of the text and the version of the annotator.

Journals repeat legends (revisions, the same collection imported twice). Kept in memory and bounded, so that erasing
needs no more than forgetting all of it, which costs one annotation a text.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from services.recommender.annotator import Annotation, Annotator
from shared.events.legend import Analysis

MOST_TEXTS: Final = 2_000


class Remembering:
    """An annotator that remembers what another one found. Not for sharing between threads."""

    def __init__(self, annotator: Annotator, most: int = MOST_TEXTS) -> None:
        self._annotator = annotator
        self._most = most
        self._known: OrderedDict[bytes, list[Annotation]] = OrderedDict()

    @property
    def version(self) -> str:
        return self._annotator.version

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        keys = [self._key(analysis) for analysis in analyses]
        new = {key: analysis for key, analysis in zip(keys, analyses, strict=True) if key not in self._known}
        found = dict(zip(new, self._annotator.annotate(list(new.values())), strict=True))
        answers = [found[key] if key in found else self._known[key] for key in keys]
        for key, answer in zip(keys, answers, strict=True):
            self._known[key] = answer
            self._known.move_to_end(key)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return answers

    def forget(self) -> None:
        """Forgets every text."""
        self._known.clear()

    def _key(self, analysis: Analysis) -> bytes:
        return hashlib.sha256(f"{self.version}\n{analysis.model_dump_json()}".encode()).digest()
