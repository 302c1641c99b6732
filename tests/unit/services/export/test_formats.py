"""The files of an export: what a spreadsheet, pandas' rules and the XSD make of them."""

import csv
import io
from functools import reduce
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import services.export
from services.export.content import Exported, exported
from services.export.csv_format import COLUMNS, CsvFormat, guarded
from services.export.jobs import FileFormat
from services.export.merge import merged
from services.export.model import FigureRecord, Status
from services.export.xml_format import NAMESPACE, XmlFormat
from shared.events.envelope import Event
from shared.events.legend import Assertion
from shared.events.recommendation import Axis, Span
from shared.events.tag import Source
from tests.support.builders import ANNOTATOR, REVIEWER, article, image_uploaded, review_done, tag

XSD = Path(services.export.__file__).with_name("figures.xsd")
NS = {"m": NAMESPACE}
FREE = tag(
    key="text", axis="disease", iri=None, curie=None, label="odd shadow", ontology=None, vocabulary_version=None,
    assertion="uncertain", panels=["A", "B"], spans=[], source="free_text", score=None,
)  # fmt: skip


def figure(*events: Event, id: str = "f1") -> Exported:
    made = exported(reduce(merged, events, FigureRecord(id=id)))
    assert made is not None
    return made


def written(format: FileFormat, *figures: Exported) -> bytes:
    """In many parts, as an export job takes them."""
    parts = []
    format.begin()
    for one in figures:
        format.add(one)
        parts.append(format.take())
    format.end()
    return b"".join([*parts, format.take()])


def read_csv(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def read_xml(content: bytes) -> Any:
    schema = etree.XMLSchema(etree.parse(XSD))
    return etree.fromstring(content, etree.XMLParser(schema=schema, resolve_entities=False))


def test_a_tag_is_a_row_with_everything_that_is_known_of_it() -> None:
    content = written(CsvFormat(), figure(image_uploaded(external_id="PACS-1"), review_done()))
    assert read_csv(content) == [
        {
            "figure_id": "f1",
            "external_id": "PACS-1",
            "doi": "10.5555/mitagger.1",
            "collection": "",
            "article_title": "Memory and imaging",
            "label": "Figure 1",
            "panels": "",
            "image_file": "figure-1.png",
            "image_sha256": "a" * 64,
            "axis": "anatomy",
            "ontology": "UBERON",
            "ontology_version": "2025-01-15",
            "iri": "http://purl.obolibrary.org/obo/UBERON_0001954",
            "curie": "UBERON:0001954",
            "tag": "Ammon's horn",
            "assertion": "present",
            "source": "recommendation",
            "spans": "[15,26)",
            "mentions": "hippocampus",
            "score": "0.8",
            "annotator": ANNOTATOR,
            "reviewer": REVIEWER,
            "decided_at": "2026-03-14T09:26:53Z",
            "status": "approved",
            "language": "en",
        }
    ]


def test_a_figure_without_tags_has_one_row_with_empty_tag_columns() -> None:
    made = figure(image_uploaded(picture=None, language=None))
    (row,) = read_csv(written(CsvFormat(), made))
    assert made.rows == 1
    filled = {column: cell for column, cell in row.items() if cell}
    assert filled == {
        "figure_id": "f1", "doi": "10.5555/mitagger.1", "article_title": "Memory and imaging", "label": "Figure 1",
        "status": "new",
    }  # fmt: skip


def test_tags_stand_in_an_order_that_depends_on_nothing_but_them() -> None:
    one = figure(image_uploaded(), review_done(tags=[FREE, tag()]))
    other = figure(review_done(tags=[tag(), FREE]), image_uploaded())
    assert written(CsvFormat(), one) == written(CsvFormat(), other)
    assert [row["axis"] for row in read_csv(written(CsvFormat(), one))] == ["anatomy", "disease"]
    assert written(XmlFormat(), one) == written(XmlFormat(), other)


def test_free_text_panels_and_several_spans_are_told() -> None:
    spans = [Span(start=3, end=12, text="shadow, odd"), Span(start=40, end=46, text='"shadow"')]
    made = figure(image_uploaded(), review_done(tags=[FREE.model_copy(update={"spans": spans})]))
    (row,) = read_csv(written(CsvFormat(), made))
    assert (row["panels"], row["spans"], row["mentions"]) == ("A;B", "[3,12) [40,46)", 'shadow, odd | "shadow"')
    assert (row["curie"], row["score"], row["source"]) == ("", "", "free_text")


def test_the_csv_begins_with_a_byte_order_mark_and_ends_lines_with_crlf() -> None:
    content = written(CsvFormat(), figure(image_uploaded()))
    assert content.startswith(b"\xef\xbb\xbf" + ",".join(f'"{column}"' for column in COLUMNS).encode() + b"\r\n")
    assert content.endswith(b'"\r\n')


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'"])
def test_no_cell_begins_as_a_formula(start: str) -> None:
    evil = f'{start}HYPERLINK("http://example.org","a")'
    made = figure(
        image_uploaded(external_id=evil, label=evil, article=article(title=evil)),
        review_done(tags=[FREE.model_copy(update={"label": evil, "panels": [evil]})]),
    )
    (row,) = read_csv(written(CsvFormat(), made))
    for column in ("external_id", "label", "article_title", "tag", "panels"):
        assert row[column] == f"'{evil}"


@given(st.text())
def test_the_guard_against_formulas_can_be_undone(cell: str) -> None:
    assert guarded(cell).removeprefix("'") == cell if guarded(cell) != cell else not cell.startswith("'")


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


@given(title=TEXT, label=TEXT, external_id=st.none() | TEXT, tag_label=TEXT, panels=st.lists(TEXT, max_size=2))
def test_any_text_makes_a_readable_csv_and_a_valid_xml(
    title: str, label: str, external_id: str | None, tag_label: str, panels: list[str]
) -> None:
    spans = [Span(start=0, end=len(tag_label), text=tag_label)]
    named = FREE.model_copy(update={"label": tag_label, "panels": panels, "spans": spans})
    made = figure(
        image_uploaded(article=article(title=title), label=label, external_id=external_id), review_done(tags=[named])
    )
    (row,) = read_csv(written(CsvFormat(), made))
    root = read_xml(written(XmlFormat(), made))
    assert set(row) == set(COLUMNS)
    if title.isprintable():
        assert row["article_title"] in (title, f"'{title}")
        assert root.findtext(".//m:article", namespaces=NS) == title
    if tag_label.isprintable():
        assert row["tag"] in (tag_label, f"'{tag_label}")
        assert root.findtext(".//m:tag/m:label", namespaces=NS) == tag_label


def test_control_characters_are_replaced_where_the_formats_cannot_hold_them() -> None:
    made = figure(image_uploaded(label="Figure\x00 1\x1b"))
    assert read_csv(written(CsvFormat(), made))[0]["label"] == "Figure\ufffd 1\ufffd"
    assert read_xml(written(XmlFormat(), made)).findtext(".//m:label", namespaces=NS) == "Figure\ufffd 1\ufffd"


def test_the_xml_is_valid_and_says_what_the_csv_says() -> None:
    figures = [
        figure(image_uploaded(external_id="PACS-1"), review_done(tags=[tag(), FREE])),
        figure(image_uploaded(picture=None, article=article(doi=None, collection="Ward 3")), id="f2"),
    ]
    root = read_xml(written(XmlFormat(), *figures))
    first, second = root.findall("m:figure", NS)
    assert dict(first.attrib) == {
        "id": "f1", "status": "approved", "language": "en", "externalId": "PACS-1", "reviewer": REVIEWER
    }  # fmt: skip
    assert [found.get("curie") for found in first.findall("m:tag", NS)] == ["UBERON:0001954", None]
    span = first.find("m:tag/m:span", NS)
    assert (span.text, span.get("start"), span.get("end")) == ("hippocampus", "15", "26")
    assert [panel.text for panel in first.findall("m:tag/m:panel", NS)] == ["A", "B"]
    assert second.find("m:article", NS).get("collection") == "Ward 3"
    assert second.find("m:image", NS) is None
    assert second.find("m:tag", NS) is None


def test_an_export_of_nothing_is_whole_too() -> None:
    assert read_csv(written(CsvFormat())) == []
    assert len(read_xml(written(XmlFormat()))) == 0


@pytest.mark.parametrize(
    ("name", "values"), [("Status", Status), ("Axis", Axis), ("Assertion", Assertion), ("Source", Source)]
)
def test_the_schema_knows_every_value_that_occurs(name: str, values: Any) -> None:
    path = f".//xs:simpleType[@name='{name}']//xs:enumeration/@value"
    known = etree.parse(XSD).xpath(path, namespaces={"xs": "http://www.w3.org/2001/XMLSchema"})
    assert sorted(known) == sorted(get_args(values)), f"add the value to {name} in services/export/figures.xsd"
