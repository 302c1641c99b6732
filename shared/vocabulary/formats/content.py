"""What a published vocabulary says, whatever its format, and how it went to read it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final, NamedTuple

from shared.errors import Invalid, TooLarge
from shared.events.recommendation import Axis
from shared.vocabulary.source import LONGEST_ID, LONGEST_NAME, MOST_NAMES

LARGEST_FILE: Final = 2 * 1024**3  # bytes of one file, unpacked; SNOMED CT's descriptions have 250 MB
LONGEST_LINE: Final = 1024**2  # bytes; NCIt's longest, of a concept in many subsets, have some 50 kB
MOST_SKIPPED: Final = 1_000  # rows; a file with more of them is not what it is taken for
MOST_TOLD: Final = 100  # of the skipped ones, with why
TOLD_EVERY: Final = 20_000  # rows

Told = Callable[[int], None]  # rows read so far


class Mapping(NamedTuple):
    """A concept means something of another vocabulary; `predicate` as in SSSOM, or oboInOwl:hasDbXref."""

    id: str
    predicate: str
    target: str


class Skipped(NamedTuple):
    """A row that is not read. `line` counts from 1; of a JSON document it is the concept's number."""

    file: str
    line: int
    problem: str


@dataclass
class Content:
    """Concepts by identifier (a CURIE). `names`: (id, name, scope); `parents`: (id, id of a parent); `types`: (id,
    semantic type, semantic tag or term type); `axes`: of concepts whose file places them itself."""

    version: str = ""
    names: list[tuple[str, str, str]] = field(default_factory=list)
    parents: list[tuple[str, str]] = field(default_factory=list)
    types: list[tuple[str, str]] = field(default_factory=list)
    axes: dict[str, Axis] = field(default_factory=dict)
    mappings: list[Mapping] = field(default_factory=list)
    iri_prefix: dict[str, str] = field(default_factory=dict)


class Reader:
    """Reads rows, remembers those that it skips, and stops where there are too many of them."""

    def __init__(self, told: Told = lambda _rows: None) -> None:
        self._told = told
        self._names = 0
        self.rows = 0
        self.skipped = 0
        self.problems: list[Skipped] = []

    def skip(self, file: str, line: int, problem: str) -> None:
        """Raises Invalid when these are too many."""
        self.skipped += 1
        if len(self.problems) < MOST_TOLD:
            self.problems.append(Skipped(file, line, problem))
        if self.skipped > MOST_SKIPPED:
            first = self.problems[0]
            raise Invalid(
                f"More than {MOST_SKIPPED:,} rows cannot be read; the first is {first.file}, line {first.line}:"
                f" {first.problem}",
                remedy="Check the format and the encoding (UTF-8) of the file.",
            )

    def lines(self, file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
        """The lines of a UTF-8 file with their numbers, without their ends. Lines that are too long or of another
        encoding are skipped, however long they are. Raises Invalid, TooLarge."""
        number, size = 0, 0
        while raw := file.readline(LONGEST_LINE):
            number, size = number + 1, size + len(raw)
            if number == 1 and raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise Invalid(f"{name} is UTF-16.", remedy="Save it as UTF-8.")
            whole = True
            while len(raw) == LONGEST_LINE and not raw.endswith(b"\n"):
                whole = False
                raw = file.readline(LONGEST_LINE)
                size += len(raw)
                _bound(name, size)
            _bound(name, size)
            self.count()
            if not whole:
                self.skip(name, number, f"the line has more than {LONGEST_LINE:,} bytes.")
                continue
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                self.skip(name, number, f"it is not UTF-8 (byte {error.start + 1}).")
                continue
            yield number, text.rstrip("\r\n")

    def count(self) -> None:
        """Another row was read."""
        self.rows += 1
        if self.rows % TOLD_EVERY == 0:
            self._told(self.rows)

    def rows_of(
        self, file: BinaryIO, name: str, columns: int, *, separator: str = "\t", header: tuple[str, ...] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """Rows of at least `columns` columns. With a `header`, the first row must begin with it. Raises Invalid."""
        for line, text in self.lines(file, name):
            row = text.split(separator)
            if header and line == 1:
                if tuple(row[: len(header)]) != header:
                    raise Invalid(
                        f"{name}, line 1: the columns are not {', '.join(header)}.",
                        remedy="Give the file as its publisher releases it.",
                    )
            elif len(row) < columns:
                if text:
                    self.skip(name, line, f"it has {len(row)} columns, {columns} are expected.")
            else:
                yield line, row

    def name(self, file: str, line: int, identifier: str, text: str) -> str | None:
        """A name as it is kept: on one line, without spaces around it; None where it is skipped. Raises Invalid."""
        if not identifier or len(identifier) > LONGEST_ID or len(identifier.split()) != 1:
            self.skip(file, line, f"the identifier is empty, longer than {LONGEST_ID} or holds spaces.")
            return None
        kept = " ".join(text.split())
        if not kept or len(kept) > LONGEST_NAME:
            self.skip(
                file, line, "the name is empty." if not kept else f"the name has more than {LONGEST_NAME:,} characters."
            )
            return None
        self._names += 1
        if self._names > MOST_NAMES:
            raise TooLarge(f"There are more than {MOST_NAMES:,} names.", remedy="Import a part of the vocabulary.")
        return kept


def _bound(name: str, size: int) -> None:
    if size > LARGEST_FILE:
        raise TooLarge(f"{name} has more than {LARGEST_FILE:,} bytes.", remedy="Import a part of the vocabulary.")
