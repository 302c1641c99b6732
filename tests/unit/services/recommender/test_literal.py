import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from services.recommender.literal import LiteralNames, upper
from tests.support.vocabularies import vocabularies

WORDS = vocabularies(
    UBERON=[
        ("UBERON:1", "hippocampus", "LABEL"),
        ("UBERON:1", "Hippocampus", "EXACT"),
        ("UBERON:1", "Ammon's horn", "EXACT"),
        ("UBERON:2", "heart", "LABEL"),
        ("UBERON:3", "heart valve", "LABEL"),
        ("UBERON:4", "CA", "LABEL"),
    ],
    CL=[("CL:1", "(R)-cell", "LABEL"), ("CL:2", "β cell", "LABEL")],
)
NAMES = LiteralNames(WORDS)


def found(text: str, *, whole_words: bool = True) -> list[tuple[str, str, bool]]:
    hits = NAMES.hits(text, whole_words=whole_words)
    return [(text[hit.start : hit.end], WORDS.concept(hit.concept).curie, hit.preferred) for hit in hits]


def test_names_are_found_in_any_case_as_whole_words_with_overlaps() -> None:
    assert found("The Heart valve") == [("Heart", "UBERON:2", True), ("Heart valve", "UBERON:3", True)]
    assert found("HEARTS, sweetheart") == []
    assert found("ammon's horn") == [("ammon's horn", "UBERON:1", False)]


def test_parts_of_words_are_found_where_that_is_asked_for() -> None:
    assert found("sweethearts", whole_words=False) == [("heart", "UBERON:2", True)]


def test_a_synonym_that_is_the_preferred_name_counts_once_and_two_letters_never() -> None:
    assert found("hippocampus CA") == [("hippocampus", "UBERON:1", True)]


def test_a_line_end_is_a_space_and_signs_at_the_ends_of_names_are_no_words() -> None:
    assert found("heart\nvalve")[-1] == ("heart\nvalve", "UBERON:3", True)
    assert found("an (R)-cell.") == [("(R)-cell", "CL:1", True)]


def test_plurals_and_hyphens_are_not_equal_as_in_bioportal() -> None:
    assert found("heart-valve valves") == [("heart", "UBERON:2", True)]


@given(st.text(max_size=40), st.text(max_size=40))
def test_offsets_hold_in_any_text(before: str, after: str) -> None:
    text = f"{before} ß β cell {after}"
    places = [hit.start for hit in NAMES.hits(text) if WORDS.concept(hit.concept).curie == "CL:2"]
    assert len(before) + 3 in places
    assert all(unicodedata.normalize("NFKC", text[at : at + 6]).upper() == "Β CELL" for at in places)


@given(st.text())
def test_upper_case_keeps_every_offset(text: str) -> None:
    assert len(upper(text)) == len(text)
