"""Which abbreviations a legend defines."""

import pytest

from services.nlp.abbreviations import abbreviations
from services.nlp.sentences import sentences


def defined(text: str) -> dict[str, str]:
    found = abbreviations(text, sentences(text))
    assert all(text[each.start : each.end] == each.long for each in found)
    return {each.short: each.long for each in found}


@pytest.mark.parametrize(
    ("text", "short", "long"),
    [
        ("We saw the ganglion cell layer (GCL) of mice.", "GCL", "ganglion cell layer"),
        ("Levels of tumour necrosis factor (TNF) rose.", "TNF", "tumour necrosis factor"),
        ("TNF (tumour necrosis factor) rose.", "TNF", "tumour necrosis factor"),
        ("The haematoxylin and eosin (H&E) stain.", "H&E", "haematoxylin and eosin"),
        ("Wild-type (WT) mice.", "WT", "Wild-type"),
        ("At the onset of arthritis (OA) mice limp.", "OA", "onset of arthritis"),
        ("Müller glia (MG; green) in the retina.", "MG", "Müller glia"),
        ("GCL = ganglion cell layer.", "GCL", "ganglion cell layer"),
        ("WT, wild type.", "WT", "wild type"),
    ],
)
def test_a_definition_is_found_with_its_long_form(text: str, short: str, long: str) -> None:
    assert defined(text) == {short: long}


@pytest.mark.parametrize("separator", [",", ":", " =", " –"])
def test_a_list_at_the_end_defines_each_of_its_items(separator: str) -> None:
    text = (
        f"Eye of a mouse.\n\nGCL{separator} ganglion cell layer; INL{separator} inner nuclear layer; L{separator} lens."
    )
    assert defined(text).items() >= {("GCL", "ganglion cell layer"), ("INL", "inner nuclear layer")}


def test_a_header_vouches_for_letters_and_words_that_do_not_match() -> None:
    text = "Abbreviations: r, right; l, left; Kx, dialysis."
    assert defined(text) == {"r": "right", "l": "left", "Kx": "dialysis"}


@pytest.mark.parametrize(
    "text",
    [
        "The retina (arrow) and the cornea (asterisk).",
        "Mice (n = 6) were fed (P < 0.05).",
        "Actin is red; nuclei are blue.",
        "Red: actin; blue: nuclei.",
        "Scale bar: 50 μm.",
        "Retina (A, B) and cornea (C–E).",
        "Heterozygous mutants (Het+/-) of the mouse.",
        "Cells were washed (PBS).",
    ],
)
def test_what_only_looks_like_a_definition_is_none(text: str) -> None:
    assert defined(text) == {}


def test_a_definition_that_is_repeated_is_given_once() -> None:
    text = "The ganglion cell layer (GCL). Again the ganglion cell layer (GCL)."
    assert len(abbreviations(text, sentences(text))) == 1
