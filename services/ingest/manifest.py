"""`figures.csv` or `figures.jsonl`: what a sender says of each figure. A bad row is reported, the good ones go on."""

import csv
import io
import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from services.ingest import doi
from shared.errors import Invalid, TooLarge

LARGEST = 256 * 1024**2  # bytes; 200,000 rows with legends of the usual 900 characters
MOST_ROWS = 200_000
LONGEST_LEGEND = 50_000  # code points, so that every event derived from it stays under 900 kB (DESIGN.md, Bus)

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, half surrogates
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # RFC 5646, 2.1, without grandfathered tags


@dataclass(frozen=True)
class Problem:
    """Something to tell the sender. An error means that this row or file is left out, a warning that it is not.

    `row` is counted as a spreadsheet does (the header is row 1), in JSON Lines it is the line; null if about no row.
    """

    message: str
    remedy: str = ""
    row: int | None = None
    column: str = ""
    file: str = ""
    severity: Literal["error", "warning"] = "error"


def _wrong(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("wrong", "{message}", {"message": message, "remedy": remedy})


def _one_line(text: str) -> str:
    text = text.strip()
    if _UNSEEN.search(text) or "\n" in text or "\r" in text:
        raise _wrong("It holds a line break or control character.", "Remove it.")
    return text


def _legend(text: str) -> str:
    if len(text) > LONGEST_LEGEND:
        raise _wrong(
            f"The legend has {len(text):,} characters; at most {LONGEST_LEGEND:,} are taken.",
            "Send the figure's own legend, not the article.",
        )
    if found := _UNSEEN.search(text):
        raise _wrong(
            f"The legend holds the control character U+{ord(found.group()):04X}.",
            "Remove it; it often comes from copying out of a PDF.",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def _doi(text: str) -> str:
    try:
        return doi.normalise(text)
    except Invalid as error:
        raise _wrong(error.message, error.remedy) from error


def _language(text: str) -> str:
    if not _LANGUAGE.fullmatch(text):
        raise _wrong(f"{text!r} is not a language tag.", "Use BCP 47: en, de, pt-BR.")
    return text


def _path(text: str) -> str:
    return text.replace("\\", "/").removeprefix("./")


def _text(value: Any) -> Any:
    """JSON may hold a number where a name is meant."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# One line of text. The bound is on the characters sent; values are stripped.
Line = Annotated[str, Field(max_length=1000), BeforeValidator(_text), AfterValidator(_one_line)]
Name = Annotated[str, Field(max_length=200), BeforeValidator(_text), AfterValidator(_one_line)]


class Row(BaseModel):
    """A figure as its sender describes it: of an article (`doi`) or a `collection`, with a `file`, a legend or both.

    `number` is the row's, as in Problem. `legend` may span lines. `file` is a path inside the folder or zip, its parts
    divided by "/".
    """

    model_config = ConfigDict(frozen=True)

    number: int
    doi: Annotated[str, AfterValidator(_doi)] | None = None
    collection: Name | None = None
    file: Annotated[Line, AfterValidator(_path)] = ""
    label: Name = ""
    legend: Annotated[str, AfterValidator(_legend)] = ""
    language: Annotated[Name, AfterValidator(_language)] | None = None
    external_id: Name | None = None
    patient_group: Name | None = None
    study_group: Name | None = None
    title: Line = ""
    journal: Line = ""
    year: Annotated[int, Field(ge=1500, le=2200)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if bool(self.doi) == bool(self.collection):
            raise _wrong(
                "It names both a doi and a collection." if self.doi else "It names neither a doi nor a collection.",
                "Name the article's doi, or a collection for figures of no article.",
            )
        if not self.file and not self.legend:
            raise _wrong("It has neither a file nor a legend.", "Give at least one of them.")
        return self


COLUMNS = tuple(name for name in Row.model_fields if name != "number")
REPORTED = ("row", "field", "problem", "remedy")  # columns of a file of rejects, which is a manifest again


def read(content: bytes) -> Iterator[Row | Problem]:
    """The rows of a manifest (CSV with a header, or JSON Lines: told apart by content), each or what is wrong with it.

    UTF-8, UTF-16 with its mark, else Windows-1252 with a warning; comma, semicolon or tab.
    Raises: TooLarge; Invalid when nothing of it can be read (encoding, missing columns, empty).
    """
    if len(content) > LARGEST:
        raise TooLarge(
            f"The manifest has {len(content):,} bytes; at most {LARGEST // 1024**2} MiB are read.", remedy="Split it."
        )
    text, warning = decoded(content)
    if not text.strip():
        raise Invalid("The manifest is empty.", remedy=f"Its first line names the columns: {', '.join(COLUMNS)}.")
    records = _json_lines(text) if text.lstrip().startswith("{") else _csv(text)
    return _checked(warning, records)


def originals(content: bytes, numbers: Container[int]) -> tuple[list[str], dict[int, list[str]]]:
    """The columns of a manifest that `read` reads, but for REPORTED, and the cells of these rows as they were written.
    Cells beyond the columns stand at the end; rows that are no CSV, or no JSON, are left out."""
    text, _ = decoded(content)
    if text.lstrip().startswith("{"):
        records = {record[0]: record[1] for record in _json_lines(text) if not isinstance(record, Problem)}
        found = {number: values for number, values in records.items() if number in numbers}
        columns = list(dict.fromkeys(name for values in found.values() for name in values if name not in REPORTED))
        return columns, {number: [_cell(values.get(name)) for name in columns] for number, values in found.items()}
    delimiter, header = _columns(text)
    kept = [place for place, name in enumerate(header) if name not in REPORTED]
    rows = dict[int, list[str]]()
    for number, cells in _cells(text, delimiter):
        if not isinstance(cells, Problem) and number in numbers:
            padded = cells + [""] * (len(header) - len(cells))
            rows[number] = [padded[place] for place in kept] + padded[len(header) :]
    return [header[place] for place in kept], rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check(values: Mapping[str, Any], number: int) -> Row | list[Problem]:
    """One row from its values by column (empty ones are as good as absent), or everything that is wrong with it."""
    given = {name: value for name, value in values.items() if name in COLUMNS and not _empty(value)}
    try:
        return Row(number=number, **given)
    except ValidationError as errors:
        return [_problem(error, number) for error in errors.errors(include_url=False, include_input=False)]


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _problem(error: Any, number: int) -> Problem:
    column = str(error["loc"][0]) if error["loc"] else ""
    context = error.get("ctx", {})
    if error["type"] == "wrong":
        return Problem(context["message"], context["remedy"], number, column)
    remedies = {
        "string_too_long": f"Shorten it to {context.get('max_length')} characters.",
        "string_type": "Give a text.",
    }
    remedy = remedies.get(error["type"], "Give a whole number, such as 2021.")
    return Problem(f"{error['msg']}.", remedy, number, column)


def decoded(content: bytes, what: str = "The manifest") -> tuple[str, Problem | None]:
    """As text, and a warning where its encoding was guessed. Raises Invalid, which speaks of `what`."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            try:
                return content.decode(encoding), None
            except UnicodeDecodeError as error:
                claimed = encoding.removesuffix("-sig").upper()
                raise Invalid(
                    f"{what} says that it is {claimed}, but byte {error.start:,} is not.",
                    remedy="Save it again as UTF-8.",
                ) from error
    try:
        return content.decode(), None
    except UnicodeDecodeError as not_utf8:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise Invalid(
                f"{what} is neither UTF-8 (byte {not_utf8.start:,}) nor Windows-1252 (byte {error.start:,}).",
                remedy="Save it again as UTF-8.",
            ) from error
        return text, Problem(
            f"{what} is not UTF-8 (byte {not_utf8.start:,}); it was read as Windows-1252.",
            "Check letters beyond ASCII, such as µ and ü, in the imported legends; better save it as UTF-8.",
            severity="warning",
        )


Record = tuple[int, Mapping[str, Any]] | Problem


def _checked(warning: Problem | None, records: Iterator[Record]) -> Iterator[Row | Problem]:
    """Rows from records; repeated ones and those beyond the bound are reported."""
    if warning:
        yield warning
    seen: dict[int, int] = {}
    for record in islice(records, MOST_ROWS):
        if isinstance(record, Problem):
            yield record
            continue
        number, values = record
        row = check(values, number)
        if isinstance(row, list):
            yield from row
            continue
        key = (row.doi, row.collection, row.file or row.external_id or row.legend, row.label)
        first = seen.setdefault(hash(key), number)
        if first == number:
            yield row
        else:
            yield Problem(
                f"Row {first} already describes this figure (same article, file and label).",
                "Keep one of the two.",
                number,
            )
    if next(records, None) is not None:
        yield Problem(f"Only the first {MOST_ROWS:,} rows were read.", "Split the manifest.", MOST_ROWS + 2)


def _csv(text: str) -> Iterator[Record]:
    """Checks the header at once; the rows follow lazily."""
    delimiter, header = _columns(text)
    for needed in ({"doi", "collection"}, {"file", "legend"}):
        if not needed & set(header):
            raise Invalid(
                f"The manifest has no column {' or '.join(sorted(needed))}; it has: {', '.join(header)[:300]}.",
                field=min(needed),
                remedy=f"Its first row names the columns; these are known: {', '.join(COLUMNS)}.",
            )
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise Invalid(
            f"The manifest has the column {twice[0][:80]!r} twice.", field=twice[0][:80], remedy="Remove one."
        )
    return _csv_rows(text, delimiter, header)


def _columns(text: str) -> tuple[str, list[str]]:
    """The delimiter and the header."""
    delimiter = max(",;\t", key=lambda mark: len(set(COLUMNS) & set(_header(text, mark))))
    return delimiter, _header(text, delimiter)


def _header(text: str, delimiter: str) -> list[str]:
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in first]


def _csv_rows(text: str, delimiter: str, header: list[str]) -> Iterator[Record]:
    yield from _unknown_columns(header)
    for number, cells in _cells(text, delimiter):
        if isinstance(cells, Problem):
            yield cells
        elif len(cells) > len(header):
            yield Problem(
                f"The row has {len(cells)} cells, the header has {len(header)}.",
                "Put cells that hold the delimiter in double quotes.",
                number,
            )
        else:
            yield number, dict(zip(header, cells, strict=False))


def _cells(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """Rows after the header that are not blank, by number."""
    csv.field_size_limit(LARGEST)  # csv's own limit of 131,072 would end the file at one long legend
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    next(reader)
    number = 1
    while True:
        number += 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield (
                number,
                Problem(f"The row is not CSV: {error}.", 'Write a quote inside a quoted cell twice: "".', number),
            )
            continue
        if any(cell.strip() for cell in cells):
            yield number, cells


def _json_lines(text: str) -> Iterator[Record]:
    unknown: set[str] = set()
    for number, line in enumerate(text.split("\n"), start=1):  # not splitlines: legends may hold U+2028
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            yield Problem("The line is not a JSON object.", "Write one object a line.", number)
            continue
        new = values.keys() - unknown - set(COLUMNS)
        if new and len(unknown) < 100:
            unknown |= new
            yield from _unknown_columns(sorted(new))
        yield number, values


def _unknown_columns(names: list[str]) -> Iterator[Problem]:
    unknown = [name[:80] for name in names if name not in COLUMNS and name not in REPORTED]
    if unknown:
        yield Problem(
            f"Unknown columns are ignored: {', '.join(unknown[:20])}.",
            f"These are known: {', '.join(COLUMNS)}.",
            severity="warning",
        )
