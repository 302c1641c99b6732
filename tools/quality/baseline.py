"""Matching as BioPortal's annotator does, for comparison: upper case, whole words, the longest name of an ontology."""

import re
from collections.abc import Iterator
from typing import Final

from shared.vocabulary.artefact import Vocabularies
from tools.quality.corpus import ONTOLOGIES, Corpus, Legend, Mention

_WORD: Final = re.compile(r"\w+|[^\w\s]")
SHORTEST: Final = 3  # characters, BioPortal's minimum_match_length
MOST_WORDS: Final = 12


class Baseline:
    def __init__(self, loaded: Vocabularies) -> None:
        self._names: dict[str, dict[str, set[str]]] = {ontology: {} for ontology in ONTOLOGIES}
        for number in range(len(loaded)):
            concept = loaded.concept(number)
            for name, _ in loaded.names(number):
                if len(name) >= SHORTEST:
                    self._names[concept.ontology].setdefault(_key(name), set()).add(concept.curie)

    def found(self, data: Corpus, legend: Legend) -> dict[str, set[Mention]]:
        text = legend.analysis.text
        return {
            ontology: {
                (legend.id, curie, ((start, end),))
                for start, end, key in self._longest(text, ontology)
                for curie in self._names[ontology][key] - data.excluded[ontology]
            }
            for ontology in ONTOLOGIES
        }

    def _longest(self, text: str, ontology: str) -> Iterator[tuple[int, int, str]]:
        names, words = self._names[ontology], list(_WORD.finditer(text))
        at = 0
        while at < len(words):
            for length in range(min(MOST_WORDS, len(words) - at), 0, -1):
                start, end = words[at].start(), words[at + length - 1].end()
                key = _key(text[start:end])
                if key in names:
                    yield start, end, key
                    at += length - 1
                    break
            at += 1


def _key(text: str) -> str:
    return " ".join(text.upper().split())
