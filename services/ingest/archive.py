"""Figures in a folder or a zip, with a manifest or without: one way to read them all.

with open_bundle(path) as bundle:
    for item in rows(bundle):  # Row or Problem
"""

import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO

from services.ingest import manifest
from services.ingest.manifest import Problem, Row
from services.ingest.naming import DICOM_COLLECTION
from services.ingest.rendered import LARGEST_FILE, Format
from services.ingest.renditions import sniff
from shared import archive
from shared.archive import Bundle, Folder, explained, key
from shared.errors import Invalid, NotFound

MANIFESTS = ("figures.csv", "figures.jsonl")

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


class Zip(archive.Zip):
    """A zip of pictures, within their bounds; a manifest has its own."""

    def __init__(self, path: Path, *, name: str = "") -> None:
        super().__init__(path, largest=LARGEST_FILE, unbounded=MANIFESTS, name=name)


def open_bundle(path: Path) -> Bundle:
    """The folder or zip at `path`.

    Raises: NotFound; Invalid when it is none of these; TooLarge.
    """
    if path.is_dir():
        return Folder(path)
    if not path.exists():
        raise NotFound(f"{path} does not exist.", remedy="Check the path.")
    if zipfile.is_zipfile(path):
        return Zip(path)
    raise Invalid(
        f"{path.name} is neither a folder nor a zip.",
        remedy=f"Give a folder or a zip of pictures, with or without {' or '.join(MANIFESTS)} in it.",
    )


def copy(bundle: Bundle, name: str, to: IO[bytes]) -> int:
    """`shared.archive.copy` of a picture."""
    return archive.copy(bundle, name, to, largest=LARGEST_FILE)


def rows(bundle: Bundle) -> Iterator[Row | Problem]:
    """What the bundle's manifest says of its files; without one, each picture is of a collection named like the bundle,
    or, with DICOM among them, of one that names nobody.

    Problems of the bundle come first; a row whose file is missing becomes one. Raises as `manifest.read` does.
    """
    for left_out in bundle.problems:
        yield Problem(left_out.message, left_out.remedy, file=left_out.file)
    names = bundle.names()
    manifests = [name for name in names if name in MANIFESTS]
    if len(manifests) > 1:
        raise Invalid(f"There are {' and '.join(manifests)}.", remedy="Keep one of them.")
    if not manifests:
        yield from _pictures(bundle, names)
        return
    there = frozenset(names)
    for item in manifest.read(_content(bundle, manifests[0])):
        if isinstance(item, Row) and item.file and key(item.file) not in there:
            yield Problem("The file is not there.", "Check its name; case counts.", item.number, "file", file=item.file)
        else:
            yield item


def holds_dicom(bundle: Bundle) -> bool:
    """Whether any of its files is one."""
    return any(kind == "dicom" for kind in map(partial(_sniffed, bundle), bundle.names()))


def _sniffed(bundle: Bundle, name: str) -> Format | Invalid:
    try:
        with explained(), bundle.open(name) as file:
            return sniff(file.read(132))
    except Invalid as error:
        return error


def _pictures(bundle: Bundle, names: list[str]) -> Iterator[Row | Problem]:
    number, kinds = 0, [_sniffed(bundle, name) for name in names]
    collection = bundle.name
    if "dicom" in kinds:
        collection = DICOM_COLLECTION
        yield Problem(
            f"With DICOM in it, its name may be a patient's: its figures are in the collection {collection}.",
            f"To name another, put a manifest there: {MANIFESTS[0]}.",
            severity="warning",
        )
    for name, kind in zip(names, kinds, strict=True):
        if isinstance(kind, Invalid):
            remedy = "Unpack it first." if name.lower().endswith(_ARCHIVES) else kind.remedy
            yield Problem(kind.message, remedy, file=name)
            continue
        number += 1
        checked = manifest.check({"collection": collection, "file": name}, number)
        if isinstance(checked, Row):
            yield checked
        else:
            yield from checked


def _content(bundle: Bundle, name: str) -> bytes:
    """One byte more than allowed is enough to see that it is too large."""
    with explained(name), bundle.open(name) as file:
        return file.read(manifest.LARGEST + 1)
