"""Which names match, and what an artefact keeps of its sources."""

import numpy as np
import pytest

from shared.errors import Invalid, TooLarge
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import acronym, compile_sources, identity
from tests.support.vocabularies import source, vocabularies


def found(text: str, *rows: tuple[str, ...]) -> list[str]:
    loaded = vocabularies(X=rows)
    return [text[one.start : one.end] for one in loaded.occurrences(text)]


def test_whole_words_match_whatever_their_case_and_number() -> None:
    assert found("Femurs, the femur; femurlike", ("X:1", "Femur", "LABEL")) == ["Femurs", "femur"]


def test_hyphens_spaces_and_greek_letters_do_not_matter() -> None:
    rows = [("X:1", "TNF alpha", "LABEL"), ("X:2", "T-cell", "LABEL")]
    assert found("TNF-α in T cells", *rows) == ["TNF-α", "T cells"]


def test_a_name_does_not_cross_punctuation() -> None:
    assert found("heart, muscle. heart muscle", ("X:1", "heart muscle", "LABEL")) == ["heart muscle"]


@pytest.mark.parametrize("name", ["MRI", "ALL", "mRNA", "IL-6", "p53", "BRCA1", "H&E", "pH7"])
def test_acronyms(name: str) -> None:
    assert acronym(name)


@pytest.mark.parametrize("name", ["Fas", "heart", "COVID-19", "WESTERN", "B cell", "T2 MRI", "carcinoma"])
def test_not_acronyms(name: str) -> None:
    assert not acronym(name)


def test_acronyms_match_in_their_own_case_and_in_the_plural() -> None:
    assert found("MST, mst, Mst, MSTs and MSTS", ("X:1", "MST", "LABEL")) == ["MST", "MSTs"]


def test_other_short_words_match_in_any_case() -> None:
    assert found("Covid-19 and COVID-19", ("X:1", "COVID-19", "LABEL")) == ["Covid-19", "COVID-19"]


def test_synonyms_that_are_common_words_do_not_match_but_preferred_names_do() -> None:
    text = "common role, the heart; ALL all"
    rows = [
        ("X:1", "normality", "LABEL"),
        ("X:1", "common", "EXACT"),
        ("X:2", "heart", "LABEL"),
        ("X:3", "leukaemia", "LABEL"),
        ("X:3", "ALL", "EXACT"),
    ]
    assert found(text, *rows) == ["heart"]


def test_names_of_drugs_that_are_common_words_do_not_match() -> None:
    rows = [("X:1", "water", "LABEL", "pharmaceutical"), ("X:2", "metformin", "LABEL", "pharmaceutical")]
    assert found("metformin in water", *rows) == ["metformin"]


def test_one_or_two_characters_and_numbers_never_match_unless_they_name_a_modality() -> None:
    rows = [("X:1", "A", "LABEL"), ("X:2", "ER", "LABEL"), ("X:3", "42", "LABEL"), ("X:4", "CT", "LABEL", "imaging")]
    assert found("A (ER) 42 CT, H&E", *rows, ("X:5", "H&E", "EXACT")) == ["CT", "H&E"]


def test_concepts_keep_their_names_parents_axes_and_iris() -> None:
    rows = [
        ("GO:2", "cell nucleus", "EXACT"),
        ("GO:2", "nucleus", "LABEL"),
        ("GO:1", "organelle", "LABEL"),
    ]
    loaded = Vocabularies(compile_sources([source("GO", rows, parents=[("GO:2", "GO:1"), ("GO:2", "GO:9")])]))
    [number] = loaded.find("GO:2")
    concept = loaded.concept(number)
    assert (concept.label, concept.axis, concept.version) == ("nucleus", "genetics", "1")
    assert concept.iri == "http://purl.obolibrary.org/obo/GO_2"
    assert loaded.names(number) == [("nucleus", "LABEL"), ("cell nucleus", "EXACT")]
    assert [loaded.concept(parent).curie for parent in loaded.parents(number)] == ["GO:1"]
    [contents] = loaded.contents()
    assert (contents.ontology, contents.concepts, contents.names, contents.axes) == ("GO", 2, 3, {"genetics": 2})


def test_unknown_ontologies_have_neither_axis_nor_iri() -> None:
    loaded = vocabularies(MINE=[("M:1", "thing", "LABEL")])
    concept = loaded.concept(0)
    assert (concept.axis, concept.iri) == (None, None)


def test_the_axis_of_a_custom_name_follows_its_identifiers() -> None:
    assert vocabularies(GO_CC=[("GO:1", "nucleus", "LABEL")]).concept(0).axis == "genetics"


def test_the_same_sources_give_the_same_bytes_and_identity() -> None:
    sources = [source("CL", [("CL:1", "neuron", "LABEL")])]
    assert compile_sources(sources) == compile_sources(sources)
    assert identity([("CL", "1", "abc")]) != identity([("CL", "1", "abd")])


def test_sources_without_names_or_with_one_name_twice_are_refused() -> None:
    cells = source("CL", [("CL:1", "neuron", "LABEL")])
    with pytest.raises(Invalid, match="same name"):
        compile_sources([cells, cells])
    with pytest.raises(Invalid, match="no names"):
        compile_sources([source("CL", [])])


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"PK\x03\x04 half"])
def test_bytes_that_are_no_artefact_are_refused(damage: bytes) -> None:
    with pytest.raises(Invalid, match="no compiled vocabulary"):
        Vocabularies(damage)


def test_a_truncated_artefact_is_refused() -> None:
    packed = compile_sources([source("CL", [("CL:1", "neuron", "LABEL")])])
    for length in np.linspace(1, len(packed) - 1, 20, dtype=int):
        with pytest.raises(Invalid):
            Vocabularies(packed[:length])


def test_a_name_of_a_thousand_concepts_is_refused() -> None:
    with pytest.raises(TooLarge, match="'finding'"):
        compile_sources([source("X", [(f"X:{n}", "finding", "LABEL") for n in range(1_001)])])
