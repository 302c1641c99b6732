import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.doi import normalise
from shared.errors import Invalid


@pytest.mark.parametrize(
    "text",
    [
        "10.5555/ABC.1",
        " 10.5555/abc.1\n",
        "doi:10.5555/abc.1",
        "DOI: 10.5555/Abc.1",
        "https://doi.org/10.5555/abc.1",
        "http://dx.doi.org/10.5555/ABC.1",
        "doi.org/10.5555/abc%2E1",
    ],
)
def test_one_article_has_one_form(text: str) -> None:
    assert normalise(text) == "10.5555/abc.1"


def test_old_dois_of_wiley_are_dois() -> None:
    doi = "10.1002/(sici)1096-8644(199601)99:1<1::aid-ajpa1>3.0.co;2-1"
    assert normalise(doi.upper()) == doi


@pytest.mark.parametrize(
    "text",
    ["", "10.5555", "10.5555/", "10.55/abc", "11.5555/abc", "10.5555/a b", "10.5555/abc.", "10.5555/abc,", "PMC123456",
     "https://example.org/10.5555/abc", "10.5555/" + "a" * 300, "10.5555/ä", "10.٥٥٥٥/abc", "10.5555/abc\n10.5555/abd"],
)  # fmt: skip
def test_what_is_no_doi_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        normalise(text)
    assert raised.value.field == "doi"
    assert "10.5555/12345678" in raised.value.remedy
    assert len(raised.value.message) < 120


@given(st.from_regex(r"10\.[0-9]{4,9}/[-._;()/:A-Za-z0-9]{0,80}[A-Za-z0-9]", fullmatch=True))
def test_normalising_twice_is_normalising_once(doi: str) -> None:
    once = normalise(doi)
    assert normalise(once) == once == normalise("https://doi.org/" + doi) == normalise("doi:" + doi.upper())
