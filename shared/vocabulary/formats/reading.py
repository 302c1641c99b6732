"""Which published vocabulary a file, folder or zip is, and what it says."""

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final, Literal, Self, cast

from shared.archive import Bundle, Folder, LeftOut, Zip
from shared.errors import Invalid, NotFound
from shared.vocabulary.formats import fhir, ncit, obo, rf2, rrf, table
from shared.vocabulary.formats.content import LARGEST_FILE, Content, Reader
from shared.vocabulary.source import opened

Format = Literal["rf2", "rrf", "ncit", "obo", "fhir", "table"]

_SUFFIXES: Final[dict[str, Format]] = {
    ".obo": "obo",
    ".json": "fhir",
    ".csv": "table",
    ".tsv": "table",
    ".txt": "table",
}
DAMAGED: Final = (
    *(EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error),
    *(zipfile.BadZipFile, NotImplementedError, struct.error),
)
_REMEDY: Final = (
    "Give SNOMED CT as RF2, RxNorm as RRF, NCIt as flat file, or a file that ends in .obo, .json (FHIR), .csv or .tsv."
)


class _File:
    """One file, plain, gzip or xz, as a bundle of one."""

    problems: list[LeftOut]

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.name = name
        self.problems = []

    def names(self) -> list[str]:
        return [self.name]

    def open(self, _name: str) -> BinaryIO:
        return cast("BinaryIO", opened(self._path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def read(path: Path, *, vocabulary: str, reader: Reader, name: str = "") -> tuple[Format, Content]:
    """`name`: the file's own, where it is kept under another. Raises NotFound; Invalid where it is none of the formats,
    damaged, or holds no names; TooLarge."""
    name = name or path.name
    try:
        with bundle_of(path, name) as bundle:
            format, content = _read(bundle, vocabulary, reader)
    except DAMAGED as error:
        raise Invalid(f"{name} cannot be unpacked: {error}.", remedy="Fetch the file again.") from error
    content.iri_prefix = {**_known(content), **content.iri_prefix}
    if not content.names:
        raise Invalid(f"{name} holds no names that can be read.", remedy=_REMEDY)
    return format, content


def _known(content: Content) -> dict[str, str]:
    """IRIs of identifiers whose prefix everybody knows."""
    prefixes = {f"{identifier.partition(':')[0]}:" for identifier, _, _ in content.names}
    return {prefix: iri for prefix, iri in fhir.SYSTEMS.values() if prefix in prefixes}


def bundle_of(path: Path, name: str) -> Bundle:
    """Raises NotFound, Invalid, TooLarge."""
    if path.is_dir():
        return Folder(path)
    if not path.is_file():
        raise NotFound(f"{path} does not exist.", remedy="Check the path.")
    if zipfile.is_zipfile(path):
        return Zip(path, largest=LARGEST_FILE, name=name)
    return _File(path, name)


def _read(bundle: Bundle, vocabulary: str, reader: Reader) -> tuple[Format, Content]:
    names = bundle.names()
    if rf2.files(bundle, "Concept"):
        return "rf2", rf2.read(bundle, reader)
    if rrf.member(bundle, "RXNCONSO.RRF"):
        return "rrf", rrf.read(bundle, reader)
    known = [(name, format) for name in names if (format := _SUFFIXES.get(_suffix(name)))]
    if len(known) != 1:
        left_out = "".join(f" {one.file}: {one.message}" for one in bundle.problems[:3])
        raise Invalid(
            f"{bundle.name} holds {'several files' if known else 'no file'} that could be a vocabulary.{left_out}",
            remedy=_REMEDY,
        )
    ((name, format),) = known
    with bundle.open(name) as file:
        if format == "table" and _suffix(name) == ".txt" and _is_ncit(bundle, name):
            return "ncit", ncit.read(file, name, reader)
        return format, _ONE[format](file, name, vocabulary, reader)


_ONE: Final[dict[Format, Callable[[BinaryIO, str, str, Reader], Content]]] = {
    "obo": lambda file, name, _vocabulary, reader: obo.read(file, name, reader),
    "fhir": fhir.read,
    "table": table.read,
}


def _suffix(name: str) -> str:
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix in (".gz", ".xz") else path.suffix


def _is_ncit(bundle: Bundle, name: str) -> bool:
    with bundle.open(name) as file:
        return ncit.looks_like(file.read(4096).decode("utf-8-sig", errors="replace"))
