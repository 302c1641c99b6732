"""Which panels a legend describes, and with which words."""

import pytest

from services.nlp.panels import panels
from services.nlp.sentences import sentences


def described(text: str) -> list[tuple[str, str]]:
    return [(panel.label, text[panel.start : panel.end]) for panel in panels(text, sentences(text))]


def labels(text: str) -> list[str]:
    return [label for label, _ in described(text)]


def test_a_leading_label_describes_what_follows_up_to_the_next_one() -> None:
    text = "Mouse eye. (A) Retina. It was stained with DAPI. (B) Cornea."
    assert described(text) == [("A", "(A) Retina. It was stained with DAPI."), ("B", "(B) Cornea.")]


def test_a_blank_line_ends_a_leading_stretch() -> None:
    text = "(A) Retina.\n\n(B) Cornea.\n\nScale bars are 50 μm."
    assert described(text) == [("A", "(A) Retina."), ("B", "(B) Cornea.")]


def test_a_trailing_label_describes_the_clause_before_it() -> None:
    text = "Sections of the retina (A) and the cornea (B) under the microscope."
    assert described(text) == [("A", "the retina (A)"), ("B", "the cornea (B)")]


def test_the_only_trailing_label_of_a_sentence_describes_all_of_it() -> None:
    text = "The kidney of a mouse is swollen (a). The liver is normal (b)."
    assert described(text) == [("a", "The kidney of a mouse is swollen (a)"), ("b", "The liver is normal (b)")]


@pytest.mark.parametrize(
    "text",
    [
        "(A) Liver. (B) Spleen. (C) Heart.",
        "A, Liver. B, Spleen. C, Heart.",
        "A. Liver. B. Spleen. C. Heart.",
        "A: liver. B: spleen. C: heart.",
        "A) Liver. B) Spleen. C) Heart.",
        "Panel A: liver. Panel B: spleen. Panel C: heart.",
        "Panel A shows liver. In panel B, spleen. Panel C shows heart.",
        "(A) Liver, (B) spleen and (C) heart.",
        "Liver (A), spleen (B, arrows) and heart (panel C).",
    ],
)
def test_the_ways_in_which_journals_write_labels(text: str) -> None:
    assert labels(text) == ["A", "B", "C"]


@pytest.mark.parametrize(
    "written", ["A–D", "A-D", "A to D", "A, B, C and D", "A, B, C, and D", "A,B,C,D", "A–B and C–D"]
)
def test_lists_and_ranges_name_every_panel(written: str) -> None:
    assert labels(f"({written}) Sections of the lung.") == ["A", "B", "C", "D"]


def test_roman_numerals_are_panels_in_sequence() -> None:
    assert labels("(i) Liver. (ii) Spleen. (iii) Heart.") == ["i", "ii", "iii"]


def test_a_primed_label_belongs_to_its_letter() -> None:
    assert labels("(A) Liver. (A′) Detail of the liver. (B) Spleen.") == ["A", "A′", "B"]


@pytest.mark.parametrize(
    "text",
    [
        "Deficiency of vitamin (A) in mice (n = 6, P < 0.05).",
        "The marker (M) and the sample (S).",
        "Cells were counted (n) and (i) washed.",
        "C. elegans was used. E. coli was not.",
        "As in (A), the control of (B) is shown.",
        "A mouse and a rat.",
        "Blood agar, a, was used.",
        "(B) Spleen. (C) Heart.",
    ],
)
def test_what_only_looks_like_a_label_is_none(text: str) -> None:
    assert labels(text) == []


def test_a_letter_out_of_sequence_is_no_panel() -> None:
    assert labels("(A) Blot of liver. (B) Blot of heart. (M) is the marker.") == ["A", "B"]


def test_a_cited_panel_opens_no_stretch() -> None:
    assert described("(A) Liver. (B) Spleen, treated as in (A).")[1] == ("B", "(B) Spleen, treated as in (A).")


def test_places_are_panels_where_there_are_no_letters() -> None:
    assert described("CT of the chest (left) and the abdomen (right).") == [
        ("left", "the chest (left)"),
        ("right", "the abdomen (right)"),
    ]
    assert described("Left panel: chest. The upper right panel shows the abdomen.") == [
        ("left", "Left panel: chest."),
        ("upper right", "The upper right panel shows the abdomen."),
    ]


def test_one_side_of_a_body_is_no_panel() -> None:
    assert labels("Fracture of the femur (left) after a fall to the left side.") == []
