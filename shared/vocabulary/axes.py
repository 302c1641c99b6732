"""The six axes, and the ontologies that belong to one as a whole (`axes.json`).

Ontologies that serve several axes (MeSH, NCIT, EFO) name the axis of each concept in their own file.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from shared.events.recommendation import Axis

AXES: tuple[Axis, ...] = get_args(Axis)


@cache
def _table() -> dict[Axis, Any]:
    table: dict[Axis, Any] = json.loads((files("shared.vocabulary") / "axes.json").read_text(encoding="utf-8"))
    return table


def title(axis: Axis) -> str:
    """The axis's name for people."""
    return str(_table()[axis]["title"])


def axis_of(ontology: str, curie: str) -> Axis | None:
    """The axis of an ontology, by its name or else by its identifiers' prefix; None where neither is listed."""
    for name in (ontology, curie.partition(":")[0]):
        for axis, row in _table().items():
            if name in row["ontologies"]:
                return axis
    return None
