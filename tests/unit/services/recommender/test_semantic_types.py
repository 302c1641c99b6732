import pytest

from services.recommender.portal_concepts import Concepts, Told, curie_of
from services.recommender.semantic_types import axes_of_types, axis_by_types
from shared.events.recommendation import Axis
from tests.support.vocabularies import vocabularies


@pytest.mark.parametrize(
    ("ontology", "label", "types", "axis"),
    [
        ("SNOMEDCT", "Femur", ["T023"], "anatomy"),
        ("SNOMEDCT", "Fibrosis", ["T046"], "disease"),
        ("SNOMEDCT", "Normal", ["T033"], None),
        ("SNOMEDCT", "Biopsy", ["T060"], "intervention"),
        ("SNOMEDCT", "Magnetic resonance imaging", ["T060"], "imaging"),
        ("SNOMEDCT", "Stent", ["T074"], "intervention"),
        ("NCIT", "Western Blot", ["T063"], "imaging"),
        ("NCIT", "Femur", ["T023"], None),
        ("GO", "nucleus", [], "genetics"),
        ("RXNORM", "ibuprofen", ["T109", "T121"], "pharmaceutical"),
        ("FMA", "Femur", ["T023"], None),
    ],
)
def test_the_axis_follows_ontology_and_types(ontology: str, label: str, types: list[str], axis: Axis | None) -> None:
    assert axis_by_types(ontology, f"{ontology}:1", label, types) == axis


def test_types_that_are_asked_for_stand_for_axes() -> None:
    assert axes_of_types(["T047", "T023"]) == {"disease", "anatomy"}
    assert axes_of_types(["T033", "nonsense"]) == frozenset()


@pytest.mark.parametrize(
    ("ontology", "iri", "curie"),
    [
        ("GO", "http://purl.obolibrary.org/obo/GO_0005634", "GO:0005634"),
        ("UBERON", "http://purl.obolibrary.org/obo/CL_0000540", "CL:0000540"),
        ("SNOMEDCT", "http://purl.bioontology.org/ontology/SNOMEDCT/71341001", "SNOMEDCT:71341001"),
        ("NCIT", "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#C12439", "NCIT:C12439"),
        ("NCIT", "NCIT:C1", "NCIT:C1"),
        ("X", "http://example.org/", "X:http://example.org/"),
    ],
)
def test_a_class_gets_its_curie(ontology: str, iri: str, curie: str) -> None:
    assert curie_of(ontology, iri) == curie


def test_a_class_that_our_vocabulary_knows_is_ours() -> None:
    concepts = Concepts(vocabularies(GO=[("GO:0005634", "nucleus", "LABEL")]))
    known = concepts.of(Told("GO", "http://purl.obolibrary.org/obo/GO_0005634", "Nucleus", ()))
    assert (known.label, known.axis, known.version) == ("nucleus", "genetics", "1")
    other = concepts.of(Told("SNOMEDCT", "http://purl.bioontology.org/ontology/SNOMEDCT/1", "Femur", ("STY/T023",)))
    assert (other.label, other.axis, other.curie) == ("Femur", "anatomy", "SNOMEDCT:1")
