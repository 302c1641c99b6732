"""Names within words: after a prefix, and of alleles behind their gene."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommender.parts import parts


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in parts(text)]


@pytest.mark.parametrize(
    ("text", "within"),
    [
        ("perinuclear staining", ["nuclear"]),
        ("Overexpression of Pax6", ["expression"]),
        ("in Mtf1loxP and Atrxflox mice", ["loxP", "flox"]),
        ("micronuclear, postmeiotic", ["nuclear", "meiotic"]),
    ],
)
def test_words_have_parts(text: str, within: list[str]) -> None:
    assert said(text) == within


@pytest.mark.parametrize("text", ["prevent", "nonet", "loxP sites", "hyperinterstitial", "unPAIRED", "sub-nuclear", ""])
def test_what_is_no_prefix_or_no_rest_has_none(text: str) -> None:
    assert said(text) == []


@given(st.text(st.sampled_from("periovnuclarloxPflox 1-É"), max_size=40))
def test_parts_lie_within_words(text: str) -> None:
    for start, end in parts(text):
        assert text[start - 1].isalnum()
        assert text[start:end].isalnum()
