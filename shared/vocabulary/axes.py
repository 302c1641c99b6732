"""The six axes, and the table that says which concepts belong to which (`axes.json`, unless a site has its own).

A rule of the table names a vocabulary and, unless it means all of it, semantic types or branches of it. The first rule
that fits decides. Vocabularies without rules (MeSH, EFO) name the axis of each concept in their own file.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from shared.events.recommendation import Axis

AXES: tuple[Axis, ...] = get_args(Axis)
MOST_RULES: Final = 500

Identifier = Annotated[str, Field(min_length=1, max_length=200)]
Identifiers = Annotated[tuple[Identifier, ...], Field(max_length=1000)]
T = TypeVar("T")


class Rule(BaseModel):
    """Concepts of a vocabulary that belong to an axis: those with one of the `types`, at or below one of `under`, and
    neither at nor below one of `outside` (identifiers); an empty list asks nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    axis: Axis
    vocabulary: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
    types: Identifiers = ()
    under: Identifiers = ()
    outside: Identifiers = ()


class AxisTable(BaseModel):
    """Rules in the order in which they are tried."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "rules": [
                        {"axis": "anatomy", "vocabulary": "SNOMEDCT", "types": ["body structure", "cell"]},
                        {"axis": "imaging", "vocabulary": "SNOMEDCT", "under": ["SNOMEDCT:363679005"]},
                    ]
                }
            ]
        },
    )

    rules: Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES)] = ()

    def of(self, vocabulary: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.vocabulary == vocabulary)

    def without(self, vocabulary: str) -> "AxisTable":
        return AxisTable(rules=tuple(rule for rule in self.rules if rule.vocabulary != vocabulary))

    def wholly(self, vocabulary: str, axis: Axis) -> "AxisTable":
        """The table with all of a vocabulary on one axis."""
        return AxisTable(rules=(*self.without(vocabulary).rules, Rule(axis=axis, vocabulary=vocabulary)))

    def digest(self, vocabulary: str) -> str:
        """Changes when the rules that may place a vocabulary's concepts do."""
        rules = self.of(vocabulary) or self.rules  # by the prefixes of its identifiers
        return hashlib.sha256(json.dumps([rule.model_dump() for rule in rules]).encode()).hexdigest()[:16]

    def placing(
        self, vocabulary: str, types: Iterable[tuple[str, str]], parents: Iterable[tuple[str, str]]
    ) -> Callable[[str, Axis | None], Axis | None]:
        """What says the axis of a concept of this vocabulary, by its identifier and the axis that its own file names:
        the rules of the vocabulary, else its file, else the rules of the vocabulary that its identifier is of.

        `types`: (id, type); `parents`: (id, id of a parent), which may go round in circles.
        """
        of_types, below = _grouped(types), _grouped((parent, child) for child, parent in parents)
        rules = [
            (rule, _all_below(below, rule.under) if rule.under else None, _all_below(below, rule.outside))
            for rule in self.of(vocabulary)
        ]

        def axis(identifier: str, own: Axis | None) -> Axis | None:
            its = of_types.get(identifier, ())
            for rule, under, outside in rules:
                if (
                    (not rule.types or any(one in rule.types for one in its))
                    and (under is None or identifier in under)
                    and identifier not in outside
                ):
                    return rule.axis
            return own if own or rules else self._by_prefix(identifier)

        return axis

    def _by_prefix(self, identifier: str) -> Axis | None:
        prefix = identifier.partition(":")[0]
        whole = (rule for rule in self.of(prefix) if not (rule.types or rule.under or rule.outside))
        return next((rule.axis for rule in whole), None)


@cache
def _file() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((files("shared.vocabulary") / "axes.json").read_text(encoding="utf-8"))
    return found


@cache
def default_table() -> AxisTable:
    """The table of `axes.json`."""
    return AxisTable.model_validate({"rules": _file()["rules"]})


def title(axis: Axis) -> str:
    """The axis's name for people."""
    return str(_file()["titles"][axis])


def axis_of(ontology: str, curie: str) -> Axis | None:
    """The axis of all of an ontology in the default table, by its name or else by its identifiers' prefix."""
    for name in (ontology, curie.partition(":")[0]):
        for rule in default_table().of(name):
            if not (rule.types or rule.under or rule.outside):
                return rule.axis
    return None


def _grouped(pairs: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def _all_below(below: dict[str, list[str]], roots: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += below.get(one, ())
    return found
