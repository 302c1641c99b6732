"""The whole analysis: offsets are exact on any text, time grows with its length, the event fits."""

import json
import os
import time
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.nlp.analysis import Text, analyse, analyses, findings
from services.nlp.sentences import sentences
from services.nlp.tokens import tokens
from shared.events.envelope import MAX_BODY_BYTES
from shared.events.legend import Analysis, LegendTokenized, Offsets

# Pieces that the rules look at, so that random texts reach them.
PIECES = st.sampled_from([
    "(A)", "(B, C)", "(A–Z)", " A. ", "\n\n", "panel a", "(left)", "right panel", "(", ")", "(top", "no ", " in ",
    "not detected", ". ",
    "GCL, x y; ", "alpha beta (AB) ", " = ", "Fig. 1", "et al. ", "\x1c", "\u2028", "e\u0301", "İ", "ﬀ", "😀", "“.",
    "”", "'", "0.05",
])  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=40).map("".join)


def assert_exact(text: str, analysis: Analysis) -> None:
    sentence_spans, token_spans = analysis.sentences.unpack(), analysis.tokens.unpack()
    for spans in (sentence_spans, token_spans):
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert all(not any(map(str.isspace, text[start:end])) for start, end in token_spans)
    assert all(text[start:end].strip() == text[start:end] for start, end in sentence_spans)
    for start, end in token_spans:
        assert any(low <= start and end <= high for low, high in sentence_spans)
    covered = {at for start, end in token_spans for at in range(start, end)}
    assert {at for at, character in enumerate(text) if not character.isspace()} <= covered
    for found in (*analysis.panels, *analysis.abbreviations, *analysis.scopes):
        assert 0 <= found.start < found.end <= len(text)
    assert all(text[each.start : each.end] == each.long for each in analysis.abbreviations)
    assert all(scope.cue in text for scope in analysis.scopes)


@settings(max_examples=200)
@given(TEXTS)
def test_offsets_are_exact_on_any_text(text: str) -> None:
    assert_exact(text, analyse(text))


@given(st.lists(TEXTS, max_size=6))
def test_texts_are_analysed_together_as_each_alone(texts: list[str]) -> None:
    together = [Text(text, language="en") for text in texts]
    alone = [analyse(text, language="en") for text in texts]
    assert analyses(together) == alone
    for found, analysis in zip(findings(together), alone, strict=True):
        for what in ("panels", "abbreviations", "scopes"):
            assert [one._asdict() for one in getattr(found, what)] == analysis.model_dump()[what]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50))))
def test_offsets_survive_packing(pairs: list[tuple[int, int]]) -> None:
    spans = [(start, start + length) for start, length in pairs]
    assert Offsets.pack(spans).unpack() == spans


def test_words_numbers_and_signs_are_tokens() -> None:
    text = "GFP-positive E13.5 re\u0301tine, 0.05 (n=3)."
    assert [text[start:end] for start, end in tokens(text)] == [
        "GFP", "-", "positive", "E13.5", "re\u0301tine", ",", "0.05", "(", "n", "=", "3", ")", "."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("See Fig. 2, cf. Smith et al. 2001. Next.", ["See Fig. 2, cf. Smith et al. 2001.", "Next."]),
        ("Given i.p. twice, e.g. here, vs. none. Next.", ["Given i.p. twice, e.g. here, vs. none.", "Next."]),
        ("A title without period\n\nNext sentence.", ["A title without period", "Next sentence."]),
        ("Size of approx. 0.5 mm. Scale bar, 5 mm.", ["Size of approx. 0.5 mm.", "Scale bar, 5 mm."]),
        ("Worms (C. elegans). Next.", ["Worms (C. elegans).", "Next."]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in sentences(text)] == expected


def test_the_language_of_the_sender_stands() -> None:
    text = "Sections of the retina of a mouse. There is no gliosis in the ganglion cells."
    assert analyse(text).language == "en"
    assert analyse(text, language="de-CH").language == "de-CH"


def test_english_cues_are_not_sought_in_other_languages() -> None:
    text = "Se observa tumor, no metástasis en el hígado del paciente después del tratamiento."
    assert analyse(text).language == "es"
    assert analyse(text).scopes == []
    assert analyse("No metastases.", language="en-GB").scopes != []


def test_a_report_has_no_panels() -> None:
    text = "(A) Liver. (B) Spleen."
    assert analyse(text).panels
    assert analyse(text, kind="report").panels == []


LONGEST = 50_000  # code points, the longest legend that ingest accepts
UNITS = [
    "a.", "a.)", "! ", ". ", ".  ", "(", "()", " ", "\n ", "\n", "no ", "no(", "no pus. ", "was not detected ",
    "(A–Z) ", "A/", "A and ", "A. Foo. B. Bar. ", "(A) no x. (B) x. ", "panel A ", "(left) ", "left panel ",
    "alpha beta (AB) ", "(ab) ", "ab, cd; ", "a=", "ab=cd ", "“.", "'", '"', "-", ";", "a", "1.1", "Fig. ", "😀",
    "e\u0301", "\\", "ab" + " " * 500 + "(ab)",
]  # fmt: skip


def repeated(unit: str, length: int) -> str:
    return (unit * (length // len(unit) + 1))[:length]


@pytest.mark.parametrize("unit", UNITS)
def test_the_event_of_the_longest_legend_fits(unit: str) -> None:
    analysis = analyse(repeated(unit, LONGEST))
    event = LegendTokenized(
        time=datetime(2026, 1, 1, tzinfo=UTC), project="p", actor="a", figure="f", revision=1, analysis=analysis
    )
    assert len(event.body()) <= MAX_BODY_BYTES


def test_time_grows_with_the_length_of_the_text() -> None:
    def seconds(length: int) -> float:
        best = float("inf")
        for _ in range(3):
            started = time.process_time()
            for unit in UNITS:
                analyse(repeated(unit, length))
            best = min(best, time.process_time() - started)
        return best

    # Four times the text: four times the time if linear, sixteen if quadratic.
    assert seconds(8_000) < 9 * seconds(2_000)


def test_published_legends_are_english_or_unknown() -> None:
    folder = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    if not folder:
        pytest.skip("MITAGGER_DEVELOPMENT_DATA does not name the development data (corpora/craft).")
    legends = (Path(folder) / "corpora/craft/legends.jsonl").read_text(encoding="utf-8").splitlines()
    analyses = [analyse(json.loads(line)["text"]) for line in legends]
    assert {analysis.language for analysis in analyses} <= {"en", None}
    for analysis in analyses:
        assert_exact(analysis.text, analysis)
