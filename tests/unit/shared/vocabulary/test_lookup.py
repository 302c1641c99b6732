"""Concepts are found by their CURIE and by the beginnings of the words of a name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotFound
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from shared.vocabulary.lookup import below, complete, describe
from shared.vocabulary.words import spoken
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


@pytest.mark.parametrize(
    ("query", "curie"),
    [("fromtal", "UBERON:1"), ("frontl lob", "UBERON:1"), ("lobe lugn", "UBERON:2"), ("lobeectomy", "MESH:1")],
)
def test_one_wrong_letter_is_put_right_where_nothing_fits(anatomy: Vocabularies, query: str, curie: str) -> None:
    found = complete(anatomy, query)
    assert [(one.concept.curie, one.fit) for one in found] == [(curie, "mistyped")]


def test_short_words_and_two_wrong_letters_are_not(anatomy: Vocabularies) -> None:
    assert complete(anatomy, "lub") == complete(anatomy, "frxmtal") == []


def test_a_suggestion_says_why_and_where_it_stands(anatomy: Vocabularies) -> None:
    by_synonym = complete(anatomy, "lobe fron")[0]
    assert (by_synonym.name, by_synonym.scope, by_synonym.fit) == ("frontal lobe", "LABEL", "words")
    assert by_synonym.parents == ("lobe",)
    assert [one.fit for one in complete(anatomy, "lobe")] == ["name", "beginning", "beginning", "beginning"]


def test_of_names_as_long_general_concepts_and_those_on_an_axis_come_first() -> None:
    rows = [("X:1", "cell a", "LABEL"), ("X:2", "cell b", "LABEL", "anatomy"), ("X:3", "cell c", "LABEL", "anatomy")]
    rows += [("X:4", "wide cell c", "LABEL", "anatomy"), ("X:5", "cell d", "BROAD", "anatomy")]
    found = complete(Vocabularies(compile_sources([source("X", rows)])), "cell")
    assert [one.concept.curie for one in found] == ["X:3", "X:2", "X:5", "X:1", "X:4"]


WORDS = ["lob", "lobe", "lung", "lungs", "long", "otorhinolaryngology", "otorhinolaryngologist", "été", "a", "x-ray"]


@settings(max_examples=60)
@given(
    names=st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=1, max_size=8),
    typed=st.lists(st.sampled_from(WORDS).map(lambda word: word[: max(1, len(word) - 1)]), min_size=1, max_size=3),
)
def test_what_is_found_is_what_reading_all_names_finds(names: list[list[str]], typed: list[str]) -> None:
    rows = [(f"X:{number}", " ".join(name), "LABEL") for number, name in enumerate(names)]
    found = complete(Vocabularies(compile_sources([source("X", rows)])), " ".join(typed), limit=100)
    beginnings = spoken(" ".join(typed))
    said = {curie: spoken(name) for curie, name, _ in rows}
    right = {
        curie for curie, words in said.items() if all(any(word.startswith(one) for word in words) for one in beginnings)
    }
    if right or any(one.fit != "mistyped" for one in found):
        assert {one.concept.curie for one in found} == right


def test_of_very_many_that_fit_the_best_are_found_without_looking_at_all(anatomy: Vocabularies) -> None:
    rows = [(f"X:{number}", f"cell {'of ' * (number % 40)}{number}", "LABEL", "anatomy") for number in range(12_000)]
    many = Vocabularies(compile_sources([source("X", rows)]))
    shortest = sorted(rows, key=lambda row: (len(row[1]), int(row[0][2:])))[:100]
    for query in ("c", "cell"):
        assert [one.concept.curie for one in complete(many, query, limit=100)] == [row[0] for row in shortest]
    assert [one.name for one in complete(many, "cell 11999")] == [rows[11_999][1]]
    assert complete(many, "c", axis="disease") == []


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


def test_descendants_are_all_below_nearest_first_each_once_also_in_circles() -> None:
    names = [(f"UBERON:{n}", f"part {n}", "LABEL") for n in range(1, 7)]
    below_each = [
        ("UBERON:2", "UBERON:1"),
        ("UBERON:3", "UBERON:2"),
        ("UBERON:4", "UBERON:1"),
        ("UBERON:3", "UBERON:4"),
    ]
    vocabularies = Vocabularies(
        compile_sources([source("UBERON", names, parents=[*below_each, ("UBERON:6", "UBERON:5")])])
    )
    assert below(vocabularies, "UBERON:1", limit=10) == ["UBERON:2", "UBERON:4", "UBERON:3"]
    assert below(vocabularies, "UBERON:1", limit=2) == ["UBERON:2", "UBERON:4"]
    assert below(vocabularies, "UBERON:3", limit=10) == []
    with pytest.raises(NotFound):
        below(vocabularies, "UBERON:99", limit=10)
