"""biomappings: pairs of identifiers that mean the same, some curated by hand, some predicted from names.

The vocabularies without a hierarchy (MeSH, NCIT) and EFO's scattered parts take their axis from these pairs."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tools.vocabularies.concepts import words

AXIS_OF_PARTNER = {
    **dict.fromkeys(("uberon", "bto", "cl"), "anatomy"),
    **dict.fromkeys(("mondo", "doid", "hp", "mp", "mpath", "symp", "cvdo"), "disease"),
    **dict.fromkeys(
        ("go", "so", "chebi", "pr", "hgnc", "uniprot", "fplx", "po", "ppo", "agro", "envo", "zfs", "obi", "chmo",
         "mmo", "mi", "maxo", "mfoem", "mf", "cmo", "vt", "pato"),
        "other",
    ),
}  # fmt: skip
"""Anatomy; diseases, phenotypes, pathology and symptoms; and what is neither: processes, sequences, chemicals,
proteins, plants, environments, stages of life, assays, treatments, emotions, measurements, qualities. Partners
elsewhere (whole taxonomies, anatomies of single species) say nothing."""

CURATED = 2.0
"""Agreement of a pair that a person has looked at; a predicted pair has at most 1.0."""


_DISEASED = frozenset(
    {"abnormal", "abnormality", "anomaly", "decreased", "defect", "deformity", "disease", "disorder", "elevated",
     "excessive", "impaired", "increased", "infection", "infestation", "patent", "positivity", "reduced", "syndrome"}
)  # fmt: skip
"""Words that turn a healthy thing into a finding: "Sinoatrial Node" is not "sinoatrial node disease"."""


@dataclass(frozen=True)
class Pair:
    """One direction of a mapping: `partner` is the other side, its prefix in lower case as in biomappings."""

    label: str
    partner: str
    partner_label: str
    curated: bool

    @property
    def prefix(self) -> str:
        return self.partner.split(":")[0]

    def agreement(self, label: str) -> float:
        """How far the names agree: shared words by all words (Jaccard). Predicted pairs were made from synonyms
        too, and from acronyms among them ("Hip" with "hot isostatic pressing", "Air" with "acute insulin
        response"): those share no word and agree in nothing."""
        if self.curated:
            return CURATED
        ours, theirs = words(label), words(self.partner_label)
        if theirs & _DISEASED and not ours & _DISEASED:
            return 0.0
        return len(ours & theirs) / max(1, len(ours | theirs))


def read_pairs(positive: str, predictions: str) -> dict[str, list[Pair]]:
    """Exact matches by identifier, of the sides in MeSH, NCIT and EFO."""
    pairs = defaultdict(list)
    for text, curated in ((positive, True), (predictions, False)):
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["predicate_id"] != "skos:exactMatch":
                continue
            ends = [(row["subject_id"], row["subject_label"]), (row["object_id"], row["object_label"])]
            for (one, label), (other, other_label) in (ends, ends[::-1]):
                obsolete = other_label.lower().startswith("obsolete")
                if one.split(":")[0] in ("mesh", "ncit", "efo") and not obsolete:
                    pairs[one].append(Pair(label, other, other_label, curated))
    return pairs


def axis_by_pairs(label: str, pairs: Iterable[Pair], live: frozenset[str]) -> str | None:
    """The axis of the partner that agrees best. Partners that are neither anatomy nor disease compete, and win a
    tie: "Seeds" is BTO's seed, but the Plant Ontology's too.

    `live` holds the identifiers that UBERON, CL and MONDO have on their axes: their other terms give none."""
    best = dict.fromkeys(("other", "disease", "anatomy"), 0.0)
    for pair in pairs:
        axis = AXIS_OF_PARTNER.get(pair.prefix)
        if pair.prefix in ("uberon", "cl", "mondo") and pair.partner.upper() not in live:
            continue
        if axis:
            best[axis] = max(best[axis], pair.agreement(label))
    axis = max(best, key=lambda key: best[key])
    return axis if axis != "other" and best[axis] > 0 else None
