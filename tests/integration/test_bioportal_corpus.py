"""How our BioPortal-like matching scores on the development corpus, beside what the corpus says of BioPortal's."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import pytest

from services.recommender.literal import LiteralNames
from services.recommender.portal import annotate
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from shared.vocabulary.source import Source, read

GIVEN = {"mention": 0.351, "set": 0.401}  # macro F1, README.md of the corpus
WORD = re.compile(r"\w+")
ONTOLOGIES = ("GO_CC", "GO_BP", "CL", "UBERON", "SO", "CHEBI", "MONDO")


def possible(source: Source, said: Set[str]) -> Source:
    """Without the concepts of which no name has only words that are said: compiling them takes half a minute, and none
    could be found."""
    there = {name.id for name in source.names if said.issuperset(WORD.findall(name.name.upper()))}
    return replace(source, names=[name for name in source.names if name.id in there])


@pytest.mark.timeout(180)
def test_matching_scores_as_bioportals_does(tmp_path: Path) -> None:
    data = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    if data is None or not (corpus := Path(data, "corpora", "craft")).is_dir():
        pytest.skip("MITAGGER_DEVELOPMENT_DATA does not name the development data (corpora/craft).")
    with (corpus / "legends.jsonl").open(encoding="utf-8") as file:
        legends = [json.loads(line) for line in file]
    said = {word for legend in legends for word in WORD.findall(legend["text"].upper())}
    found = tmp_path / "found.jsonl"
    with found.open("w", encoding="utf-8") as out:
        for ontology in ONTOLOGIES:
            source = read(corpus / "vocabularies" / f"{ontology}.tsv.gz", name=ontology)
            words = Vocabularies(compile_sources([possible(source, said)]))
            names = LiteralNames(words)
            for legend in legends:
                asked = {"text": legend["text"], "longest_only": "true", "include": "notation"}
                for one in annotate(words, names, asked, "http://test"):
                    for each in one["annotations"]:
                        mention = {"start": each["from"] - 1, "end": each["to"], "ontology": ontology}
                        mention |= {"id": legend["id"], "concept": one["annotatedClass"]["notation"]}
                        out.write(json.dumps(mention) + "\n")
    scorer = [sys.executable, str(corpus / "score.py"), str(found), "--json"]
    report = json.loads(subprocess.run(scorer, check=True, capture_output=True, text=True, timeout=60).stdout)
    for kind, given in GIVEN.items():
        macro = sum(report[ontology][kind]["f1"] for ontology in ONTOLOGIES) / len(ONTOLOGIES)
        assert macro == pytest.approx(given, abs=0.01)
