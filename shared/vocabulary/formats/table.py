"""CSV and TSV with a header, a row a concept or a row a name.

Columns are known by their header, whatever its case: the identifier and a name are needed; scope, axis, synonyms and
parents (several divided by "|") and types are read where they are there. BioPortal's CSV downloads are such tables.
"""

import csv
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from shared.errors import Invalid
from shared.vocabulary.axes import AXES
from shared.vocabulary.formats.content import Content, Reader
from shared.vocabulary.source import SCOPES

COLUMNS: Final = {
    "id": ("id", "curie", "code", "identifier", "class_id", "concept_id", "conceptid", "rxcui", "iri", "uri"),
    "name": ("name", "label", "term", "preferred_label", "preferred_name", "prefered_label", "display", "str"),
    "scope": ("scope",),
    "axis": ("axis",),
    "synonyms": ("synonyms", "synonym"),
    "parents": ("parents", "parent", "parent_id"),
    "types": ("types", "type", "semantic_types", "semantic_type", "semantic_tag"),
    "obsolete": ("obsolete", "deprecated"),
}
_OBO: Final = re.compile(r"https?://purl\.obolibrary\.org/obo/([A-Za-z]+)_(\w+)")
_LAST: Final = re.compile(r"(.*[/#])([^/#]+)$")


def read(file: BinaryIO, name: str, vocabulary: str, reader: Reader) -> Content:
    """Raises Invalid where the header does not tell the identifiers and the names."""
    content = Content()
    rows = _rows(file, name, reader)
    _, header = next(rows, (1, []))
    titles = [re.sub(r"[\s\-]+", "_", title.strip().lower()) for title in header]
    at = {
        column: next((titles.index(title) for title in known if title in titles), -1)
        for column, known in COLUMNS.items()
    }
    if at["id"] < 0 or at["name"] < 0:
        raise Invalid(
            f"{name}, line 1: no column is the identifier's, or none the name's.",
            remedy="Name them id and name; docs/vocabularies.md lists what else is understood.",
        )
    seen: set[str] = set()
    for line, row in rows:
        cells = {column: row[place].strip() if 0 <= place < len(row) else "" for column, place in at.items()}
        if cells["obsolete"].lower() in ("true", "1", "yes"):
            continue
        identifier = curie(cells["id"], vocabulary, content)
        scope = cells["scope"].upper() or ("EXACT" if identifier in seen else "LABEL")
        if scope not in SCOPES:
            reader.skip(name, line, f"{cells['scope'][:40]!r} is no scope ({', '.join(SCOPES)}).")
        elif cells["axis"] and cells["axis"] not in AXES:
            reader.skip(name, line, f"{cells['axis'][:40]!r} is no axis ({', '.join(AXES)}).")
        elif kept := reader.name(name, line, identifier, cells["name"]):
            seen.add(identifier)
            content.names.append((identifier, kept, scope))
            for text in filter(None, cells["synonyms"].split("|")):
                if synonym := reader.name(name, line, identifier, text):
                    content.names.append((identifier, synonym, "SYNONYM"))
            for parent in filter(None, cells["parents"].split("|")):
                content.parents.append((identifier, curie(parent.strip(), vocabulary, content)))
            content.types += [(identifier, one.strip()) for one in cells["types"].split("|") if one.strip()]
            if cells["axis"]:
                content.axes[identifier] = cells["axis"]
    return content


def curie(identifier: str, vocabulary: str, content: Content) -> str:
    """As a CURIE: an OBO address by its own prefix, another by the vocabulary's name and its end, a bare code by the
    vocabulary's name."""
    if found := _OBO.fullmatch(identifier):
        content.iri_prefix.setdefault(f"{found[1]}:", f"http://purl.obolibrary.org/obo/{found[1]}_")
        return f"{found[1]}:{found[2]}"
    if "://" in identifier and (last := _LAST.fullmatch(identifier)):
        content.iri_prefix.setdefault(f"{vocabulary}:", last[1])
        return f"{vocabulary}:{last[2]}"
    return identifier if ":" in identifier or not identifier else f"{vocabulary}:{identifier}"


def _rows(file: BinaryIO, name: str, reader: Reader) -> Iterator[tuple[int, list[str]]]:
    """Divided by tabs where the header has one, else by commas (RFC 4180) or semicolons."""
    lines = reader.lines(file, name)
    first = next(lines, None)
    if first is None:
        raise Invalid(f"{name} is empty.")
    if "\t" in first[1]:
        yield first[0], first[1].split("\t")
        for line, text in lines:
            if text:
                yield line, text.split("\t")
        return
    separator = max(",;", key=first[1].count)
    yield first[0], next(csv.reader([first[1]], delimiter=separator))
    at = first[0]

    def texts() -> Iterator[str]:
        nonlocal at
        for line, text in lines:
            at = line
            yield f"{text}\n"

    cells = csv.reader(texts(), delimiter=separator)
    while True:
        try:
            row = next(cells)
        except StopIteration:
            return
        except csv.Error as error:
            reader.skip(name, at, f"{error}.")
            continue
        if row:
            yield at, row
