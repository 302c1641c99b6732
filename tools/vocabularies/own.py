"""Our own list, `shared/vocabulary/data/synonyms.tsv`: which concepts are Imaging or Intervention, chosen by hand,
and the names that people use for these and a few others. Each row says where the name is from."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tools.vocabularies.concepts import AXES, SCOPES, Concept, Name, tidy

PREFERRED = "PREFERRED"
"""The scope of a name that stands for the source's label, where people know the concept by no other ("bone" for
"bone element"). Matching leaves out everyday words that are only synonyms."""
HEADER = ["id", "name", "scope", "axis", "source"]


class BadRow(Exception):
    """A row of synonyms.tsv that contradicts the sources or itself."""


@dataclass(frozen=True)
class Row:
    id: str
    name: str
    scope: str
    axis: str
    source: str


def read_rows(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        if reader.fieldnames != HEADER:
            raise BadRow(f"{file}: the header is {reader.fieldnames}, expected {HEADER}")
        rows = [Row(**row) for row in reader]
    for number, row in enumerate(rows, start=2):
        if (
            row.scope not in (*SCOPES, PREFERRED)
            or row.axis not in AXES
            or not row.source
            or row.name != tidy(row.name)
        ):
            raise BadRow(f"{file}, line {number}: wrong scope, axis, source or spaces in {row}")
    return rows


def folded_in(concepts: Iterable[Concept], rows: Iterable[Row]) -> list[Concept]:
    """The concepts that the rows name, on the rows' axis and with their names added. The LABEL row of a concept
    repeats the source's label, so that a wrong identifier cannot slip through."""
    known = {concept.id: concept for concept in concepts}
    found: dict[str, Concept] = {}
    for row in rows:
        if row.scope == "LABEL":
            concept = known.get(row.id)
            if concept is None or row.name != tidy(concept.label) or row.id in found:
                raise BadRow(f"{row.id} is not {row.name!r} in any source, or comes twice")
            found[row.id] = concept.on(row.axis)
        elif row.id not in found or found[row.id].axis != row.axis:
            raise BadRow(f"{row.id} ({row.name}): its LABEL row must come first and be on the same axis")
        elif row.scope == PREFERRED:
            concept = found[row.id]
            found[row.id] = replace(concept.with_names([Name(concept.label, "EXACT")]), label=row.name)
        else:
            found[row.id] = found[row.id].with_names([Name(row.name, row.scope)])
    return list(found.values())
