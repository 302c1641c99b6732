"""A vocabulary as it is kept between import and compiling: one zip of tables, the same bytes for the same content.

    names.tsv     id, name, scope, axis (of concepts whose file places them itself)
    parents.tsv   id, parent
    types.tsv     id, type
    mappings.tsv  id, predicate, target
    about.json    IRIs by prefix

Only `write` makes one; it is read as trusted.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from shared.errors import Invalid
from shared.vocabulary.axes import AxisTable
from shared.vocabulary.formats.content import Content, Mapping
from shared.vocabulary.source import Name, Source

_DATE: Final = (1980, 1, 1, 0, 0, 0)


def write(content: Content, path: Path) -> None:
    named = dict.fromkeys(identifier for identifier, _, _ in content.names)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        write_rows(file, "names.tsv", ((*name, content.axes.get(name[0], "")) for name in content.names))
        write_rows(file, "parents.tsv", (one for one in content.parents if one[0] in named and one[1] in named))
        write_rows(file, "types.tsv", (one for one in content.types if one[0] in named))
        write_rows(file, "mappings.tsv", (one for one in content.mappings if one[0] in named))
        write_about(file, {"iri_prefix": content.iri_prefix})


def read(path: Path, *, name: str, version: str, digest: str, table: AxisTable) -> Source:
    """Raises Invalid where it is none."""
    try:
        with zipfile.ZipFile(path) as file:
            return Source(
                name=name,
                version=version,
                digest=digest,
                names=[
                    Name(one, text, scope, axis or None)  # type: ignore[arg-type]
                    for one, text, scope, axis in read_rows(file, "names.tsv")
                ],
                parents=[(one, parent) for one, parent in read_rows(file, "parents.tsv")],
                types=[(one, kind) for one, kind in read_rows(file, "types.tsv")],
                iri_prefix=json.loads(file.read("about.json"))["iri_prefix"],
                table=table,
            )
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Invalid(f"{path.name} is no vocabulary that was imported.", remedy="Import it again.") from error


def mappings(path: Path) -> Iterator[Mapping]:
    with zipfile.ZipFile(path) as file:
        for identifier, predicate, target in read_rows(file, "mappings.tsv"):
            yield Mapping(identifier, predicate, target)


def iri_prefix(path: Path) -> dict[str, str]:
    """IRIs by prefix, "GO:" to "http://purl.obolibrary.org/obo/GO_"."""
    with zipfile.ZipFile(path) as file:
        found: dict[str, str] = json.loads(file.read("about.json"))["iri_prefix"]
        return found


def write_about(file: zipfile.ZipFile, about: dict[str, dict[str, str]]) -> None:
    file.writestr(zipfile.ZipInfo("about.json", _DATE), json.dumps(about, sort_keys=True))


def write_rows(file: zipfile.ZipFile, name: str, rows: Iterable[Sequence[str]]) -> None:
    """The same rows make the same bytes; a tab in a cell becomes a space."""
    info = zipfile.ZipInfo(name, _DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    with file.open(info, "w", force_zip64=True) as out, io.TextIOWrapper(out, "utf-8", newline="\n") as text:
        for row in rows:
            text.write("\t".join(cell.replace("\t", " ") for cell in row) + "\n")


def read_rows(file: zipfile.ZipFile, name: str) -> Iterator[list[str]]:
    with file.open(name) as raw, io.TextIOWrapper(raw, "utf-8", newline="\n") as text:
        for line in text:
            yield line.removesuffix("\n").split("\t")
