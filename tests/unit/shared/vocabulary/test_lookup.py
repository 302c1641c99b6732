"""Concepts are found by their CURIE and by the beginnings of the words of a name."""

import pytest

from shared.errors import NotFound
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from shared.vocabulary.lookup import complete, describe
from tests.support.vocabularies import source


@pytest.fixture(scope="module")
def anatomy() -> Vocabularies:
    organs = [
        ("UBERON:1", "frontal lobe", "LABEL"),
        ("UBERON:1", "lobe of the front", "EXACT"),
        ("UBERON:2", "lobe of lung", "LABEL"),
        ("UBERON:3", "lobe", "LABEL"),
        ("UBERON:4", "hair", "LABEL"),
        ("UBERON:4", "role", "BROAD"),
    ]
    tools = [("MESH:1", "lobectomy", "LABEL", "intervention"), ("UBERON:3", "flap", "LABEL", "intervention")]
    return Vocabularies(
        compile_sources([source("UBERON", organs, parents=[("UBERON:1", "UBERON:3")]), source("MESH", tools)])
    )


def test_an_exact_name_comes_first_then_beginnings_then_the_rest(anatomy: Vocabularies) -> None:
    assert [found.name for found in complete(anatomy, "lobe")] == [
        "lobe",
        "lobectomy",
        "lobe of lung",
        "lobe of the front",
    ]


def test_words_fit_by_their_beginning_in_any_order(anatomy: Vocabularies) -> None:
    assert [found.concept.curie for found in complete(anatomy, "LOB fron")] == ["UBERON:1"]


def test_names_that_never_match_in_texts_are_found(anatomy: Vocabularies) -> None:
    assert [found.concept.label for found in complete(anatomy, "role")] == ["hair"]


def test_axis_and_limit_narrow(anatomy: Vocabularies) -> None:
    assert [found.name for found in complete(anatomy, "lob", axis="intervention")] == ["lobectomy"]
    assert len(complete(anatomy, "lob", limit=2)) == 2


@pytest.mark.parametrize("query", ["", "  ", "zzz", "x" * 100_000, "\ud800", "lobe zzz"])
def test_queries_that_fit_nothing_find_nothing(anatomy: Vocabularies, query: str) -> None:
    assert complete(anatomy, query) == []


def test_describes_a_concept_with_names_and_parents(anatomy: Vocabularies) -> None:
    entry = describe(anatomy, "UBERON:1")
    assert entry.concept.label == "frontal lobe"
    assert entry.names == [("frontal lobe", "LABEL"), ("lobe of the front", "EXACT")]
    assert [parent.label for parent in entry.parents] == ["lobe"]


def test_one_curie_in_two_ontologies_is_told_apart(anatomy: Vocabularies) -> None:
    assert describe(anatomy, "UBERON:3", ontology="MESH").concept.label == "flap"


def test_an_unknown_curie_is_not_found(anatomy: Vocabularies) -> None:
    with pytest.raises(NotFound, match="UBERON:9"):
        describe(anatomy, "UBERON:9")
