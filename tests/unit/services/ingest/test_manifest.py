import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest import manifest
from services.ingest.manifest import COLUMNS, LONGEST_LEGEND, Problem, Row, check, read
from shared.errors import Invalid, TooLarge


def table(*rows: dict[str, str], delimiter: str = ",") -> str:
    columns = [name for name in COLUMNS if any(name in row for row in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


FIGURE = {"doi": "10.5555/a", "file": "a.png", "label": "Figure 1", "legend": "(A) Human retina, 5 µm; „links“."}


def read_all(content: bytes | str) -> tuple[list[Row], list[Problem]]:
    items = list(read(content.encode() if isinstance(content, str) else content))
    return [i for i in items if isinstance(i, Row)], [i for i in items if isinstance(i, Problem)]


def test_a_row_is_read_whole() -> None:
    figure = {**FIGURE, "language": "de", "external_id": "x1", "patient_group": "p", "study_group": "s"}
    figure |= {"title": "A title", "journal": "J", "year": "2021"}
    rows, problems = read_all(table(figure))
    assert problems == []
    assert rows[0].model_dump(exclude={"collection"}) == {**figure, "number": 2, "year": 2021}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_told_by_its_mark(encoding: str) -> None:
    rows, problems = read_all(table(FIGURE).encode(encoding))
    assert (rows[0].legend, problems) == (FIGURE["legend"], [])


def test_windows_1252_is_read_with_a_warning() -> None:
    rows, problems = read_all(table(FIGURE).encode("cp1252"))
    assert rows[0].legend == FIGURE["legend"]
    assert [(p.severity, p.row) for p in problems] == [("warning", None)]
    assert "UTF-8" in problems[0].message


@pytest.mark.parametrize("content", [b"doi,file\n10.5555/\x81,\xff", b"\xff\xfed", b"\xef\xbb\xbf\xff"])
def test_what_no_encoding_fits_is_refused(content: bytes) -> None:
    with pytest.raises(Invalid, match="byte") as raised:
        read(content)
    assert "UTF-8" in raised.value.remedy


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_spreadsheets_of_all_countries_are_read(delimiter: str) -> None:
    rows, problems = read_all(table(FIGURE, delimiter=delimiter))
    assert (rows[0].legend, problems) == (FIGURE["legend"], [])


def test_json_lines_are_read() -> None:
    lines = [json.dumps(FIGURE), "", json.dumps({**FIGURE, "label": 2, "year": 2020, "title": None})]
    rows, problems = read_all("\n".join(lines))
    assert problems == []
    assert [(row.number, row.label, row.year) for row in rows] == [(1, "Figure 1", None), (3, "2", 2020)]


@pytest.mark.parametrize(
    ("change", "column", "words"),
    [
        ({"doi": "PMC1"}, "doi", "not a DOI"),
        ({"doi": ""}, "", "neither a doi nor a collection"),
        ({"collection": "Mine"}, "", "both a doi and a collection"),
        ({"file": "", "legend": " "}, "", "neither a file nor a legend"),
        ({"legend": "a" * (LONGEST_LEGEND + 1)}, "legend", "50,001 characters"),
        ({"legend": "a" * 200_000}, "legend", "200,000 characters"),
        ({"legend": "a\x07b"}, "legend", "U+0007"),
        ({"language": "German, I think"}, "language", "language tag"),
        ({"year": "last"}, "year", "integer"),
        ({"year": "20210"}, "year", "less than"),
        ({"label": "Figure\n1"}, "label", "line break"),
        ({"external_id": "x" * 201}, "external_id", "200 characters"),
    ],
)
def test_a_bad_row_is_reported_with_number_column_and_remedy_and_the_others_go_on(
    change: dict[str, str], column: str, words: str
) -> None:
    good, last = {**FIGURE, "label": "Figure 2"}, {**FIGURE, "label": "Figure 3"}
    rows, problems = read_all(table(good, {**FIGURE, **change}, last))
    assert [row.number for row in rows] == [2, 4]
    assert [(p.row, p.column, p.severity) for p in problems] == [(3, column, "error")]
    assert words in problems[0].message
    assert problems[0].remedy


def test_everything_wrong_with_a_row_is_said_at_once() -> None:
    _, problems = read_all(table({**FIGURE, "doi": "x", "year": "x", "language": "?"}))
    assert {p.column for p in problems} == {"doi", "year", "language"}


def test_rows_are_counted_as_a_spreadsheet_counts_them() -> None:
    _, problems = read_all(table({**FIGURE, "legend": "two\nlines"}, {**FIGURE, "doi": "x"}))
    assert problems[0].row == 3


def test_a_figure_described_twice_is_one() -> None:
    rows, problems = read_all(table(FIGURE, {**FIGURE, "doi": "https://doi.org/10.5555/A", "legend": "Another"}))
    assert [row.number for row in rows] == [2]
    assert problems[0].row == 3
    assert "Row 2 already" in problems[0].message


def test_missing_columns_are_named_with_those_that_are_known() -> None:
    with pytest.raises(Invalid, match="no column collection or doi") as raised:
        read(b"file,legend\na.png,b")
    assert "external_id" in raised.value.remedy
    with pytest.raises(Invalid, match="no column file or legend"):
        read(b"doi,label\n10.5555/a,1")


def test_unknown_columns_are_ignored_with_a_warning() -> None:
    rows, problems = read_all("doi,file,colour\n10.5555/a,a.png,red\n")
    assert len(rows) == 1
    assert [(p.severity, "colour" in p.message) for p in problems] == [("warning", True)]


@pytest.mark.parametrize("content", ["", " \n", "\ufeff"])
def test_an_empty_manifest_is_refused(content: str) -> None:
    with pytest.raises(Invalid, match="empty"):
        read(content.encode())


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(Invalid, match="'file' twice"):
        read(b"doi,file,file\n")


def test_a_row_with_too_many_cells_is_reported() -> None:
    rows, problems = read_all("doi,legend\n10.5555/a,one, two\n10.5555/b,three\n")
    assert [row.number for row in rows] == [3]
    assert problems[0].row == 2


def test_lines_that_are_no_json_objects_are_reported() -> None:
    rows, problems = read_all(json.dumps(FIGURE) + '\n[1]\n{"doi":\n' + "[" * 100_000 + "\n")
    assert len(rows) == 1
    assert [p.row for p in problems] == [2, 3, 4]


def test_half_a_surrogate_pair_is_reported() -> None:
    _, problems = read_all('{"doi": "10.5555/a", "legend": "\\ud83d"}')
    assert [(p.row, p.column) for p in problems] == [(1, "legend")]


def test_bounds_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "MOST_ROWS", 2)
    rows, problems = read_all(table(*({**FIGURE, "label": str(n)} for n in range(4))))
    assert [row.number for row in rows] == [2, 3]
    assert "Only the first 2 rows" in problems[0].message
    monkeypatch.setattr(manifest, "LARGEST", 10)
    with pytest.raises(TooLarge):
        read(table(FIGURE).encode())


def test_two_hundred_thousand_rows_are_allowed() -> None:
    assert manifest.MOST_ROWS == 200_000


Cell = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=30)


@given(st.lists(st.fixed_dictionaries({"collection": Cell, "file": Cell, "label": Cell, "legend": Cell}), min_size=1))
def test_csv_and_json_lines_say_the_same(figures: list[dict[str, str]]) -> None:
    from_csv, _ = read_all(table(*figures))
    from_json, _ = read_all("\n".join(json.dumps(figure) for figure in figures))
    assert [r.model_dump(exclude={"number"}) for r in from_csv] == [r.model_dump(exclude={"number"}) for r in from_json]
    assert from_csv[0].legend == figures[0]["legend"]


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from([b"", b"doi,file\n", b"{"]))
def test_any_bytes_end_in_rows_or_clear_words(content: bytes, start: bytes) -> None:
    try:
        items = list(read(start + content))
    except Invalid as refused:
        error = refused
    else:
        assert all(isinstance(item, Row | Problem) for item in items)
        return
    assert error.remedy


Value = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text(), max_size=2)


@given(st.dictionaries(st.sampled_from(COLUMNS), Value))
def test_any_values_end_in_a_row_or_its_problems(values: dict[str, Any]) -> None:
    result = check(values, 7)
    if isinstance(result, list):
        assert result
        assert all(p.row == 7 and p.message and p.remedy for p in result)
    else:
        assert len(result.legend) <= LONGEST_LEGEND
        assert bool(result.doi) != bool(result.collection)
