"""What a text negates, and what it leaves uncertain."""

import csv
from importlib.resources import files

import pytest

from services.nlp.assertions import cues, scopes
from services.nlp.sentences import sentences
from services.nlp.tokens import tokens, tokens_of


def asserted(text: str, borders: tuple[int, ...] = ()) -> list[tuple[str, str]]:
    found = scopes(text, tokens_of([text], cues())[0], sentences(text), borders)
    return [(scope.assertion, text[scope.start : scope.end]) for scope in found]


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("There is no fracture.", "fracture"),
        ("No evidence of fracture, effusion or tumour.", "fracture, effusion or tumour"),
        ("Retina without gliosis.", "gliosis"),
        ("The absence of oocytes is striking.", "oocytes"),
        ("Lungs are free of metastases.", "metastases"),
        ("Muscles are devoid of spindles.", "spindles"),
        ("Lack of myelin.", "myelin"),
        ("Cells negative for insulin.", "insulin"),
        ("Metastases were not detected.", "Metastases"),
        ("A pneumothorax was ruled out.", "A pneumothorax"),
    ],
)
def test_a_negation_reaches_what_it_concerns(text: str, scope: str) -> None:
    assert asserted(text) == [("absent", scope)]


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("A possible fracture.", "fracture"),
        ("Suspected carcinoma.", "carcinoma"),
        ("This is likely oedema.", "oedema"),
        ("A metastasis is likely.", "A metastasis"),
        ("The mass may represent lymphoma.", "lymphoma"),
        ("Opacities suggestive of pneumonia.", "pneumonia"),
        ("Metastasis cannot be excluded.", "Metastasis"),
    ],
)
def test_an_uncertainty_reaches_what_it_concerns(text: str, scope: str) -> None:
    assert asserted(text) == [("uncertain", scope)]


@pytest.mark.parametrize(
    "text",
    [
        "There is no increase in size.",
        "No significant change of the tumour.",
        "Not only the liver is enlarged.",
        "The patient walks without difficulty.",
        "No significant difference between liver and spleen.",
        "Liver of negative controls (data not shown).",
        "Fibres with or without myelin.",
        "Drawing of the liver, not to scale.",
        "Liver of mouse no. 5.",
        "The liver is not significantly enlarged.",
    ],
)
def test_a_look_alike_negates_nothing(text: str) -> None:
    assert asserted(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "No oedema but haemorrhage.",
        "No oedema; haemorrhage.",
        "No oedema. Haemorrhage.",
        "No oedema, however haemorrhage.",
        "No oedema whereas haemorrhage is seen.",
        "No oedema in the haemorrhage.",
    ],
)
def test_a_scope_ends_at_a_conjunction_a_place_and_the_sentence(text: str) -> None:
    assert asserted(text) == [("absent", "oedema")]


def test_the_place_of_an_absent_thing_is_not_negated() -> None:
    assert asserted("Expression of insulin in the liver was not detected.") == [("absent", "Expression of insulin")]
    assert asserted("In the liver, insulin was not detected.") == [("absent", "insulin")]


def test_a_scope_ends_after_ten_words() -> None:
    text = "No " + " ".join(f"word{number}" for number in range(20))
    assert asserted(text) == [("absent", " ".join(f"word{number}" for number in range(10)))]


def test_a_scope_ends_at_the_border_of_a_panel() -> None:
    text = "(A) no oedema (B) haemorrhage"
    assert asserted(text, (0, text.index("(B)"))) == [("absent", "oedema")]


def test_no_text_yields_more_than_a_thousand_scopes() -> None:
    assert len(asserted("No pus. " * 3_000)) == 1_000


def test_every_rule_names_its_source_and_stands_once() -> None:
    with (files("services.nlp") / "assertions.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t"))
    assert {row["source"] for row in rows} == {"NegEx", "ConText", "own"}
    assert {row["kind"] for row in rows} == {"absent", "uncertain", "look-alike", "end"}
    assert all((row["concerns"] in ("before", "after")) == (row["kind"] in ("absent", "uncertain")) for row in rows)
    assert len({row["phrase"] for row in rows}) == len(rows)
    for row in rows:
        assert [row["phrase"][start:end] for start, end in tokens(row["phrase"])] == row["phrase"].split()
