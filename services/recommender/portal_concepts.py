"""What BioPortal tells of a class, as a concept: with a CURIE, and an axis that is decided here."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from services.recommender.semantic_types import axis_by_types
from shared.vocabulary.artefact import Concept, Vocabularies

VERSION: Final = "BioPortal's"  # the annotator does not say which version of an ontology answers
LONGEST_LOCAL: Final = 200
_OBO: Final = re.compile(r"http://purl\.obolibrary\.org/obo/([A-Za-z]+)_(\w+)")
_LAST: Final = re.compile(r"[^/#:]+$")


@dataclass(frozen=True, slots=True)
class Told:
    """A class as BioPortal tells of it. `types`: TUIs, or addresses that end in them."""

    ontology: str
    iri: str
    label: str
    types: tuple[str, ...]


class Concepts:
    """Concepts of what BioPortal tells, for vocabularies that may know better: a concept that is in ours has our label,
    axis and version."""

    def __init__(self, vocabularies: Vocabularies) -> None:
        self._vocabularies = vocabularies
        self.of = lru_cache(maxsize=20_000)(self._of)

    def _of(self, told: Told) -> Concept:
        curie = curie_of(told.ontology, told.iri)
        for number in self._vocabularies.find(curie):
            known = self._vocabularies.concept(number)
            if known.ontology == told.ontology:
                return known
        types = frozenset(one.rsplit("/", 1)[-1] for one in told.types)
        label = told.label or curie
        return Concept(
            iri=told.iri if "://" in told.iri else None,
            curie=curie,
            label=label,
            ontology=told.ontology,
            version=VERSION,
            axis=axis_by_types(told.ontology, curie, label, types),
        )


def curie_of(ontology: str, iri: str) -> str:
    """The CURIE of a class: an OBO identifier's own prefix, else the ontology's acronym and the end of the IRI."""
    if obo := _OBO.fullmatch(iri):
        return f"{obo[1]}:{obo[2]}"
    if "://" not in iri and ":" in iri:
        return iri[:LONGEST_LOCAL]
    local = _LAST.search(iri)
    return f"{ontology}:{(local[0] if local else iri)[:LONGEST_LOCAL]}"
