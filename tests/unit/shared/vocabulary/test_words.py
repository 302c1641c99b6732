"""Folding brings together what is one word, keeps apart what is not, and offsets stay exact."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.vocabulary.words import fold, key, words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("T-cell", "t cells"),
        ("T–cell", "T cell"),
        ("kidney", "Kidneys"),
        ("artery", "arteries"),
        ("analysis", "analyses"),
        ("metastasis", "metastases"),
        ("disease", "diseases"),
        ("nucleus", "nuclei"),
        ("mitochondrion", "mitochondria"),
        ("bacterium", "bacteria"),
        ("septum", "septa"),
        ("region", "regions"),
        ("septum", "septums"),
        ("testis", "testes"),
        ("vertebra", "vertebrae"),
        ("virus", "viruses"),
        ("cause", "causes"),
        ("box", "boxes"),
        ("branch", "branches"),
        ("process", "processes"),
        ("mouse", "mice"),
        ("tooth", "teeth"),
        ("Alzheimer's disease", "Alzheimer disease"),
        ("Alzheimer’s disease", "Alzheimer's disease"),
        ("TNF-α", "TNF alpha"),
        ("Sjögren", "Sjogren"),
        ("Sjo\u0308gren", "Sjögren"),
        ("ﬁbrosis", "fibrosis"),
        ("fib\u00adrosis", "fibrosis"),
        ("CD4⁺", "CD4+"),
        ("gene_part", "gene part"),
        ("haematoxylin", "hematoxylin"),
        ("horn of the spinal cord", "horn of spinal cord"),
    ],
)
def test_forms_of_one_name_have_one_key(one: str, other: str) -> None:
    assert key(one) == key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("this", "the"),
        ("heart, lung", "heart lung"),
        ("mass", "mas"),
        ("CD4+", "CD4"),
        ("p53", "p5"),
        ("lens", "lent"),
        ("neuritis", "neurite"),
    ],
)
def test_different_names_have_different_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


@given(st.text())
def test_words_are_in_order_apart_and_without_white_space(text: str) -> None:
    reached = 0
    for word in words(text):
        assert reached <= word.start() < word.end()
        assert not any(sign.isspace() for sign in word.group())
        reached = word.end()


@given(st.text())
def test_a_folded_word_has_no_white_space(text: str) -> None:
    assert not any(sign.isspace() for word in words(text) for sign in fold(word.group()))


@given(st.text(alphabet=st.characters(categories=["L", "N"])))
def test_case_does_not_matter(text: str) -> None:
    assert key(text.casefold()) == key(text.casefold().casefold())
