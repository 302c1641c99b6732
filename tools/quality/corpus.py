"""The CRAFT figure legends of the development data: read, split by article, compared with what an annotator finds."""

import json
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from services.nlp.analysis import analyse
from services.recommender.annotator import Annotation
from shared.errors import NotFound
from shared.events.legend import Analysis
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies

ONTOLOGIES: Final = ("GO_CC", "GO_BP", "CL", "UBERON", "SO", "CHEBI", "MONDO")
SEED: Final = 20260101
KEPT_OUT: Final = 22  # of the 67 articles: never looked at while rules were written and weights fitted

Mention = tuple[str, str, tuple[tuple[int, int], ...]]  # legend, CURIE, spans
Pair = tuple[str, str]  # legend, CURIE


@dataclass
class Legend:
    id: str
    article: str
    analysis: Analysis
    gold: dict[str, set[Mention]]  # by ontology
    said: dict[Mention, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Corpus:
    development: list[Legend]
    kept_out: list[Legend]
    excluded: Mapping[str, frozenset[str]]

    def found(
        self, legends: Sequence[Legend], annotations: Iterable[Sequence[Annotation]]
    ) -> list[dict[str, set[Mention]]]:
        """What was found, legend by legend and by ontology, as `score.py` counts it."""
        answer = []
        for legend, of_one in zip(legends, annotations, strict=True):
            by_ontology: dict[str, set[Mention]] = {ontology: set() for ontology in ONTOLOGIES}
            for one in of_one:
                ontology, curie = one.concept.ontology, one.concept.curie
                if ontology in by_ontology and curie not in self.excluded[ontology]:
                    by_ontology[ontology].add((legend.id, curie, ((one.start, one.end),)))
            answer.append(by_ontology)
        return answer


def folder() -> Path:
    """Where the corpus lies. Raises NotFound."""
    data = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    path = Path(data or ".", "corpora", "craft")
    if not data or not (path / "legends.jsonl").is_file():
        raise NotFound(
            "The development data is not here.",
            remedy="Set MITAGGER_DEVELOPMENT_DATA to the folder that holds corpora/craft.",
        )
    return path


def corpus() -> Corpus:
    where = folder()
    legends = []
    for line in (where / "legends.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        gold: dict[str, set[Mention]] = {ontology: set() for ontology in ONTOLOGIES}
        said = {}
        for one in row["gold"]:
            mention = (row["id"], one["id"], tuple((start, end) for start, end in one["spans"]))
            gold[one["ontology"]].add(mention)
            said[mention] = one["text"]
        legends.append(Legend(row["id"], row["pmcid"], analyse(row["text"], language="en"), gold, said))
    articles = sorted({legend.article for legend in legends})
    random.Random(SEED).shuffle(articles)  # noqa: S311 - a fixed split
    kept = set(articles[:KEPT_OUT])
    excluded = json.loads((where / "excluded.json").read_text(encoding="utf-8"))
    return Corpus(
        development=[legend for legend in legends if legend.article not in kept],
        kept_out=[legend for legend in legends if legend.article in kept],
        excluded={ontology: frozenset(excluded[ontology]) for ontology in ONTOLOGIES},
    )


def vocabularies() -> Vocabularies:
    """The corpus's own, and none beside."""
    files = {ontology: folder() / "vocabularies" / f"{ontology}.tsv.gz" for ontology in ONTOLOGIES}
    return defaults.load(Settings().cache / "vocabularies", added=files, only=True)
