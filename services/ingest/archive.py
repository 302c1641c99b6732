"""Figures in a folder or a zip, with a manifest or without: one way to read them all.

with open_bundle(path) as bundle:
    for item in rows(bundle):  # Row or Problem
"""

import zipfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from services.ingest import manifest, naming
from services.ingest.manifest import Problem, Row
from services.ingest.naming import DICOM_COLLECTION
from services.ingest.rendered import LARGEST_FILE, Format
from services.ingest.renditions import sniff
from shared import archive
from shared.archive import Bundle, Folder, explained, key
from shared.errors import Invalid, NotFound

MANIFESTS = ("figures.csv", "figures.jsonl")

_TEXT = ".txt"
_LONGEST_TEXT = 4 * (manifest.LONGEST_LEGEND + 1)  # bytes
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


def rows(bundle: Bundle, said: bytes | None = None) -> Iterator[Row | Problem]:
    """What the bundle's manifest says of its files, or one from elsewhere (`said`); without one, each picture is of a
    collection named like the bundle (with DICOM among them, of one that names nobody), and what stands in a text file
    beside it (a.txt of a.png) is its legend.

    Problems of the bundle come first; a row whose file is missing becomes one. Raises as `manifest.read` does.
    """
    for left_out in bundle.problems if said is None else ():
        yield Problem(left_out.message, left_out.remedy, file=left_out.file)
    names = bundle.names()
    own = manifest_of(bundle) if said is None else None
    if said is None and own is None:
        yield from _pictures(bundle, names)
        return
    there, named = frozenset(names), set[str]()
    for item in manifest.read(said if said is not None else _content(bundle, own or "")):
        if isinstance(item, Row) and item.file:
            named.add(key(item.file))
        if isinstance(item, Row) and item.file and key(item.file) not in there:
            yield Problem("The file is not there.", "Check its name; case counts.", item.number, "file", item.file)
        else:
            yield item
    if own is not None:
        yield from _unnamed(bundle, sorted(there - named - {own}))


def manifest_of(bundle: Bundle) -> str | None:
    """The name of the bundle's manifest, if it has one. Raises Invalid when it has two."""
    found = [name for name in bundle.names() if name in MANIFESTS]
    if len(found) > 1:
        raise Invalid(f"There are {' and '.join(found)}.", remedy="Keep one of them.")
    return found[0] if found else None


def originals(bundle: Bundle, said: bytes | None, numbers: Container[int]) -> tuple[list[str], dict[int, list[str]]]:
    """The columns of the manifest (see `rows`) and the cells of these rows, as they were written; none without one."""
    own = manifest_of(bundle) if said is None else None
    if said is None and own is None:
        return [], {}
    return manifest.originals(said if said is not None else _content(bundle, own or ""), numbers)


def _unnamed(bundle: Bundle, names: Sequence[str]) -> Iterator[Problem]:
    """One warning of all the pictures that the manifest says nothing of."""
    pictures = [name for name in names if isinstance(_kind(bundle, name), str)]
    if pictures:
        told = [naming.told(name, dicom=_kind(bundle, name) == "dicom") or "a DICOM" for name in pictures[:5]]
        shown = ", ".join(told) + (" …" if len(pictures) > 5 else "")
        yield Problem(
            f"The manifest does not name {len(pictures):,} of the pictures; they were left out: {shown}.",
            "Add a row for each, if they are figures.",
            severity="warning",
        )


def holds_dicom(bundle: Bundle) -> bool:
    """Whether any of its files is one."""
    return any(_kind(bundle, name) == "dicom" for name in bundle.names())


def _pictures(bundle: Bundle, names: list[str]) -> Iterator[Row | Problem]:
    beside = {name[: -len(_TEXT)]: name for name in names if name.lower().endswith(_TEXT)}
    kinds = {name: _kind(bundle, name) for name in names}
    legends = {
        name: text
        for name, kind in kinds.items()
        if isinstance(kind, str) and (text := beside.get(name) or beside.get(name.rpartition(".")[0]))
    }
    used = frozenset(legends.values())
    number, collection = 0, bundle.name
    if "dicom" in kinds.values():
        collection = DICOM_COLLECTION
        yield Problem(
            f"With DICOM in it, its name may be a patient's: its figures are in the collection {collection}.",
            f"To name another, put a manifest there: {MANIFESTS[0]}.",
            severity="warning",
        )
    for name, kind in kinds.items():
        if name in used:
            continue
        if isinstance(kind, Problem):
            yield kind
            continue
        number += 1
        values = {"collection": collection, "file": name}
        if text := legends.get(name):
            try:
                with bundle.open(text) as file:
                    legend, warning = manifest.decoded(file.read(_LONGEST_TEXT), "The legend")
            except Invalid as error:
                yield Problem(error.message, error.remedy, number, "legend", name)
                continue
            values["legend"] = legend
            if warning is not None:
                yield replace(warning, row=number, column="legend", file=name)
        checked = manifest.check(values, number)
        if isinstance(checked, Row):
            yield checked
        else:
            yield from (replace(problem, file=name) for problem in checked)


def _kind(bundle: Bundle, name: str) -> Format | Problem:
    """By its first bytes."""
    try:
        with explained(), bundle.open(name) as file:
            return sniff(file.read(132))
    except Invalid as error:
        return Problem(
            error.message, "Unpack it first." if name.lower().endswith(_ARCHIVES) else error.remedy, file=name
        )


def _content(bundle: Bundle, name: str) -> bytes:
    """One byte more than allowed is enough to see that it is too large."""
    with explained(name), bundle.open(name) as file:
        return file.read(manifest.LARGEST + 1)
