"""Sentences are those of NLTK's Punkt with our abbreviations, on legends and on any text."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

from services.nlp.sentences import ABBREVIATIONS, STARTERS, paragraphs, sentences

PIECES = st.sampled_from([
    ".", ".", "?", "!", " ", " ", "\n", "\t", "\xa0", "\x85", "\u2028", "\x0b", ")", "(", '"', "'", "”", "«", "--", "-",
    ",", ":", ";", "*", "&", "@", "`", "...", ". . .", "a", "A", "Fig", "e.g", "al", "1", "0.05", "1,2", "B.", "Scale",
    "bar", "The", "ß", "½", "²", "_", "é", "1-fig", "İ", "ǅ", "٣", "x.y", "[", "}", "5%", "Note", "i.v", "\u200b",
])  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)


@cache
def punkt() -> PunktSentenceTokenizer:
    parameters = PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS)
    parameters.sent_starters = set(STARTERS)
    return PunktSentenceTokenizer(parameters)


def by_nltk(text: str) -> list[str]:
    found = []
    for start, stop in paragraphs(text):
        found += [sentence.strip() for sentence in punkt().tokenize(text[start:stop])]
    return [sentence for sentence in found if sentence]


@settings(max_examples=1_000)
@given(TEXTS)
def test_any_text_is_cut_as_nltk_cuts_it(text: str) -> None:
    assert [text[start:end] for start, end in sentences(text)] == by_nltk(text)


def test_a_legend_is_cut_as_nltk_cuts_it() -> None:
    text = (
        "Fig. 1. Loss of Pax6 (see ref. 12). (A) Retina of E13.5 embryos, cf. Smith et al. The arrow marks the lens"
        " (n = 3; P < 0.05). Scale bar, 10 μm. “Quoted.” J. Bach, vs. B. subtilis!? (B) No change at 5. These… Yes"
    )
    assert [text[start:end] for start, end in sentences(text)] == by_nltk(text)
