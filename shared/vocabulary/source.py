"""Reading vocabulary files: TSV with a header `id, name, scope` and optionally `axis`, plain, gzip or xz.

One row a name. Files come from outside: every bound below is checked while reading, and a bad row is named by its line.
What other readers make is held to the same bounds by `check`, which `compile` calls.
"""

import gzip
import hashlib
import io
import lzma
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import BinaryIO, NamedTuple

from shared.errors import Invalid, NotFound, TooLarge
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AXES, AxisTable, default_table

SCOPES = ("LABEL", "EXACT", "SYNONYM", "NARROW", "RELATED", "BROAD")  # the best first

MOST_BYTES = 512 * 1024**2  # unpacked; SNOMED CT's names are about 150 MB
MOST_NAMES = 5_000_000
LONGEST_NAME = 4_000  # code points; the longest systematic chemical names have about 2,000
LONGEST_ID = 200
LONGEST_LINE = 64 * 1024  # bytes
# The most that the default vocabularies have are 285 names and 15 parents of one concept.
MOST_NAMES_OF_A_CONCEPT = 5_000
MOST_PARENTS = 5_000_000
MOST_PARENTS_OF_A_CONCEPT = 1_000

_SPLIT = "Import a part of it: the axes that are tagged, or without inactive concepts."
_REMEDY = "A vocabulary is a UTF-8 file of tab-separated columns with the header id, name, scope."


class Name(NamedTuple):
    id: str
    name: str
    scope: str
    axis: Axis | None


@dataclass(frozen=True)
class Source:
    """A vocabulary as read. `digest` is the SHA-256 of its files; `version` names it for people."""

    name: str
    version: str
    digest: str
    names: list[Name]
    parents: list[tuple[str, str]] = field(default_factory=list)  # (id, id of its parent)
    iri_prefix: Mapping[str, str] = field(default_factory=dict)  # "GO:" to "http://purl.obolibrary.org/obo/GO_"
    types: list[tuple[str, str]] = field(default_factory=list)  # (id, semantic type)
    table: AxisTable = field(default_factory=default_table)

    def placing(self) -> Callable[[str, Axis | None], Axis | None]:
        """See `AxisTable.placing`."""
        return self.table.placing(self.name, self.types, self.parents)


def digest(*paths: Path) -> str:
    """The SHA-256 of files, one after the other, in hexadecimal. Raises NotFound."""
    total = hashlib.sha256()
    for path in paths:
        try:
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
    return total.hexdigest()


def read(
    path: Path,
    *,
    name: str,
    version: str = "",
    parents: Path | None = None,
    axis: Axis | None = None,
    iri_prefix: Mapping[str, str] | None = None,
    table: AxisTable | None = None,
) -> Source:
    """Read a vocabulary. `axis` holds for concepts whose own row names none; `table` (the default one) places others.

    Without a `version`, the file's hash is it.

    Raises NotFound where there is no such file; Invalid, with the line, where it is no vocabulary; TooLarge.
    """
    files = [path, *([parents] if parents else [])]
    content = digest(*files)
    return Source(
        name=name,
        version=version or f"sha256:{content[:12]}",
        digest=content,
        names=list(_names(path, axis)),
        parents=list(_parents(parents)) if parents else [],
        iri_prefix=dict(iri_prefix or {}),
        table=default_table() if table is None else table,
    )


def check(source: Source) -> None:
    """Whether a vocabulary keeps to the bounds, whoever made it; linear in its size.

    Raises TooLarge where it has too many names or parents, all in all or of one concept, or one too long; Invalid where
    it has no names, or where concepts are their own ancestors: the message then names them.
    """
    if not source.names:
        raise Invalid(f"The vocabulary {source.name} has no names.")
    if len(source.names) > MOST_NAMES:
        raise TooLarge(f"The vocabulary {source.name} has more than {MOST_NAMES:,} names.", remedy=_SPLIT)
    if len(source.parents) > MOST_PARENTS:
        raise TooLarge(f"The vocabulary {source.name} has more than {MOST_PARENTS:,} parents.", remedy=_SPLIT)
    size = 0
    for name in source.names:
        size += len(name.name)
        if len(name.name) > LONGEST_NAME or len(name.id) > LONGEST_ID:
            raise TooLarge(
                f"The vocabulary {source.name} has a name or an id of {max(len(name.name), len(name.id)):,} characters"
                f" (of {name.id[:40]}), at most {LONGEST_NAME:,} and {LONGEST_ID} are read.",
                remedy="Leave it out.",
            )
    if size > MOST_BYTES:
        raise TooLarge(f"The names of the vocabulary {source.name} have more than {MOST_BYTES:,} characters.")
    _few_of_one(source.name, "names", Counter(name.id for name in source.names), MOST_NAMES_OF_A_CONCEPT)
    _few_of_one(source.name, "parents", Counter(child for child, _ in source.parents), MOST_PARENTS_OF_A_CONCEPT)
    _no_cycle(source)


def _few_of_one(vocabulary: str, what: str, counts: Counter[str], most: int) -> None:
    for identifier, count in counts.most_common(1):
        if count > most:
            raise TooLarge(
                f"The vocabulary {vocabulary} has {count:,} {what} of {identifier[:LONGEST_ID]}, at most {most:,} are"
                " read.",
                remedy="That is a mistake of its file, most likely: see which column holds the id.",
            )


def _no_cycle(source: Source) -> None:
    above: dict[str, list[str]] = {}
    for child, parent in source.parents:
        if child != parent:
            above.setdefault(child, []).append(parent)
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        cycle = list(reversed(error.args[1]))
        shown = " < ".join(cycle if len(cycle) <= 6 else [*cycle[:5], "…", cycle[-1]])
        raise Invalid(
            f"In the vocabulary {source.name}, concepts are their own ancestors: {shown}.",
            remedy="Leave one of these parents out.",
        ) from error


def _names(path: Path, default: Axis | None) -> Iterator[Name]:
    scopes = {scope: scope for scope in SCOPES}  # one string each, however many rows
    axes: dict[str, Axis | None] = {**{axis: axis for axis in AXES}, "": default}
    for line, row in _rows(path, ("id", "name", "scope")):
        identifier, name, scope, axis = row[0], row[1], row[2], row[3] if len(row) > 3 else ""
        if not identifier or len(identifier) > LONGEST_ID or len(identifier.split()) != 1:
            raise Invalid(f"{path}, line {line}: the id is empty, longer than {LONGEST_ID} or holds spaces.")
        if not name.strip():
            raise Invalid(f"{path}, line {line}: the name is empty.", remedy="Remove the row.")
        if len(name) > LONGEST_NAME:
            raise TooLarge(
                f"{path}, line {line}: the name has {len(name):,} characters, at most {LONGEST_NAME:,} are read."
            )
        if scope not in scopes:
            raise Invalid(
                f"{path}, line {line}: {scope[:40]!r} is no scope.", remedy=f"Use one of {', '.join(SCOPES)}."
            )
        if axis not in axes:
            raise Invalid(f"{path}, line {line}: {axis[:40]!r} is no axis.", remedy=f"Use one of {', '.join(AXES)}.")
        yield Name(identifier, name, scopes[scope], axes[axis])


def _parents(path: Path) -> Iterator[tuple[str, str]]:
    for _, row in _rows(path, ("id", "parent")):
        yield row[0], row[1]


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Rows after the header, each with its line number; the header must begin with `columns`."""
    line, size = 0, 0
    try:
        with opened(path) as file:
            for raw in iter(lambda: file.readline(LONGEST_LINE), b""):
                line, size = line + 1, size + len(raw)
                if size > MOST_BYTES or line > MOST_NAMES:
                    raise TooLarge(f"{path} is larger than {MOST_BYTES:,} bytes or {MOST_NAMES:,} rows.")
                if len(raw) == LONGEST_LINE:
                    raise TooLarge(f"{path}, line {line}: longer than {LONGEST_LINE:,} bytes.")
                row = raw.decode("utf-8-sig" if line == 1 else "utf-8").rstrip("\r\n").split("\t")
                if line == 1:
                    if tuple(row[: len(columns)]) != columns:
                        raise Invalid(f"{path}, line 1: the header is not {', '.join(columns)}.", remedy=_REMEDY)
                elif row != [""]:
                    if len(row) < len(columns):
                        raise Invalid(f"{path}, line {line}: {len(columns)} columns are expected, {len(row)} found.")
                    yield line, row
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise Invalid(
            f"{path} cannot be unpacked after line {line}: {error}.", remedy="Fetch the file again."
        ) from error
    except UnicodeDecodeError as error:
        raise Invalid(f"{path}, line {line}: not UTF-8.", remedy=_REMEDY) from error
    except OSError as error:
        raise NotFound(f"{path} cannot be read: {error.strerror}.") from error
    if line == 0:
        raise Invalid(f"{path} is empty.", remedy=_REMEDY)


def opened(path: Path) -> gzip.GzipFile | BinaryIO:
    with path.open("rb") as file:
        magic = file.read(6)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.open(path, "rb")
    if magic.startswith(b"\xfd7zXZ\x00"):
        return io.BufferedReader(lzma.open(path, "rb"))  # its own readline is slow
    return path.open("rb")
