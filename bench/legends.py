"""The legends to match: those of the development data where it is there, else those of the sample."""

import csv
import io
import json
import os
from importlib.resources import files
from pathlib import Path
from typing import Final

import ahocorasick_rs

from shared.vocabulary.artefact import Vocabularies

FEW: Final = 1_000  # concepts, for a smoke run


def legends() -> tuple[str, list[str]]:
    """Whose they are, and their texts."""
    data = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    path = Path(data, "corpora", "craft", "legends.jsonl") if data else None
    if path is not None and path.is_file():
        return "CRAFT", [json.loads(line)["text"] for line in path.open(encoding="utf-8")]
    manifest = (files("mitagger.sample") / "figures.csv").read_text(encoding="utf-8")
    return "the sample", [row["legend"] for row in csv.DictReader(io.StringIO(manifest))]


class BareAutomaton:
    """ahocorasick_rs over all names in lower case. It knows neither words nor concepts and finds every substring that
    is a name: an upper bound of speed."""

    def __init__(self, vocabularies: Vocabularies, *, concepts: int | None = None) -> None:
        """`concepts`: of the first ones alone."""
        count = len(vocabularies) if concepts is None else concepts
        names = {name.lower() for number in range(count) for name, _ in vocabularies.names(number)}
        self.names = len(names)
        self._automaton = ahocorasick_rs.AhoCorasick([f" {name} " for name in sorted(names)], store_patterns=False)

    def found(self, folded: str) -> int:
        """How many, in a text that was folded by `fold`."""
        return len(self._automaton.find_matches_as_indexes(folded, overlapping=True))


def fold(text: str) -> str:
    return f" {text.lower()} "
