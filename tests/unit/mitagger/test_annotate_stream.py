"""`mitagger annotate` as a stream: every line gets its record, in order; a bad one harms no other."""

import io
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitagger.annotate import LONGEST_TEXT, Annotated, Narrowed, annotate
from mitagger.blocks import LONGEST_LINE
from services.recommender.local import LocalAnnotator
from tests.support.vocabularies import vocabularies

ALL = Narrowed()


@pytest.fixture(scope="module")
def annotator() -> LocalAnnotator:
    return LocalAnnotator(
        vocabularies(
            GO=[("GO:1", "nucleus", "LABEL")],
            UBERON=[("UBERON:1", "femur", "LABEL"), ("UBERON:2", "nucleus", "BROAD")],
            MINE=[("M:1", "glioma", "LABEL")],
        ),
        by={"bias": 3.0, "kind BROAD": -2.0},
    )


def run(annotator: LocalAnnotator, content: bytes, narrowed: Narrowed = ALL) -> list[Annotated]:
    return list(annotate(io.BytesIO(content), annotator, narrowed))


def lines(*records: object) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def test_a_record_has_all_fields(annotator: LocalAnnotator) -> None:
    [record] = run(annotator, lines({"id": "f1", "text": "(A) Femur. (B) No glioma, nuclei.", "else": 1}))
    femur, glioma, nucleus = [one for one in record["annotations"] if one["ontology"] != "UBERON" or one["start"] < 9]
    assert record["id"] == "f1"
    assert femur == {
        "start": 4,
        "end": 9,
        "text": "Femur",
        "iri": None,
        "curie": "UBERON:1",
        "label": "femur",
        "ontology": "UBERON",
        "axis": "anatomy",
        "match": "label",
        "name": "femur",
        "rule": "name",
        "score": 0.9526,
        "assertion": "present",
        "panel": "A",
        "vocabulary_version": "1",
    }
    assert (glioma["assertion"], glioma["panel"], glioma["axis"], glioma["iri"]) == ("absent", "B", None, None)
    assert nucleus["iri"] == "http://purl.obolibrary.org/obo/GO_1"


def test_plain_text_is_a_legend_a_line_with_its_number(annotator: LocalAnnotator) -> None:
    records = run(annotator, "The femur\n\r\n\nné femur".encode())
    assert [(record["id"], record["annotations"][0]["start"]) for record in records] == [("1", 4), ("4", 3)]


def test_axes_and_ontologies_narrow(annotator: LocalAnnotator) -> None:
    content = b"femur nucleus glioma"
    [by_axis] = run(annotator, content, Narrowed(axes=["genetics"]))
    assert [one["curie"] for one in by_axis["annotations"]] == ["GO:1"]
    [by_ontology] = run(annotator, content, Narrowed(ontologies=["MINE", "UBERON"]))
    assert [one["curie"] for one in by_ontology["annotations"]] == ["UBERON:1", "UBERON:2", "M:1"]


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (b"not json", "not JSON"),
        (b"[1]", "no text"),
        (b'{"id": 1}', "no text"),
        (b'{"id": 1, "text": null}', "no text"),
        (b'{"text": "femur"}', "no id"),
        (b'{"id": true, "text": "femur"}', "no id"),
        (b'{"id": 1, "text": "\xff"}', "not UTF-8"),
        (rb'{"id": 1, "text": "\ud800"}', "surrogate"),
        (b"[" * 100_000, "not JSON"),
        (b'{"id": 1, "text": "' + b"x" * LONGEST_LINE + b'"}', "bytes"),
        (b'{"id": 1, "text": "' + b"x" * (LONGEST_TEXT + 1) + b'"}', "characters"),
    ],
    ids=lambda value: value[:24],
)
def test_a_bad_line_gives_an_error_and_the_others_go_on(annotator: LocalAnnotator, bad: bytes, says: str) -> None:
    first, second, third = run(
        annotator, lines({"id": 0, "text": "femur"}) + bad + b"\n" + lines({"id": 2, "text": ""})
    )
    assert (first["id"], third["id"], third["annotations"]) == (0, 2, [])
    assert "annotations" not in second
    assert second["error"].startswith("line 2: ")
    assert says in second["error"]


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(annotator: LocalAnnotator, content: bytes) -> None:
    for record in run(annotator, content):
        json.dumps(record).encode()
        assert ("error" in record) != ("annotations" in record)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_offsets_are_exact(annotator: LocalAnnotator, text: str) -> None:
    legend = f"femur {text} nuclei {text}glioma"
    [record] = run(annotator, lines({"id": "x", "text": legend}))
    for one in record["annotations"]:
        assert legend[one["start"] : one["end"]] == one["text"]


def test_records_come_as_lines_go_in(annotator: LocalAnnotator) -> None:
    class Slow(io.BytesIO):
        """A pipe that somebody types into."""

        asked = 0

        def read1(self, size: int | None = -1, /) -> bytes:
            self.asked += 1
            return self.readline()

    slow = Slow(lines(*({"id": i, "text": "femur"} for i in range(100))))
    next(annotate(slow, annotator))
    assert slow.asked == 1


@pytest.mark.parametrize(
    "unit",
    [
        "femur ",
        "(A) nuclei, no femur. ",
        "long form (LF) ",
        "A–Z) ",
        "((",
        ". . ",
        "\u0301",
        "a\u200b\u202e",
        "a's'",
        "&alpha; ",
        r"$\alpha_{1}$ ",
        "AB, ab; ",
        "no ",
        "\n\n",
        "x.)",
        "--",
    ],
)
def test_time_is_linear_in_the_legend(annotator: LocalAnnotator, unit: str) -> None:
    def seconds(length: int) -> float:
        content = lines({"id": 1, "text": unit * (length // len(unit))})
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            run(annotator, content)
            best = min(best, time.process_time() - start)
        return best

    # Eight times the text may take some 8 times as long; quadratic time would be 64 times.
    assert seconds(80_000) < 25 * seconds(10_000) + 0.05
