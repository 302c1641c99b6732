"""A compiled artefact, loaded: concepts, names and the matcher. Immutable, safe to share between threads."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import marisa_trie
import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from shared.errors import Invalid
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AXES
from shared.vocabulary.beginnings import Beginnings
from shared.vocabulary.compile import NO_AXIS, compiler
from shared.vocabulary.matcher import Hit, Matcher
from shared.vocabulary.source import SCOPES
from shared.vocabulary.words import cased_key

_REMEDY = "Compile it again from its sources."


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept of an ontology. `iri` is None where no prefix map knows its CURIE, `axis` where the table has none."""

    iri: str | None
    curie: str
    label: str
    ontology: str
    version: str
    axis: Axis | None


@dataclass(frozen=True, slots=True)
class Contents:
    """How much there is in an ontology: concepts, names, and concepts by axis."""

    ontology: str
    version: str
    concepts: int
    names: int
    axes: dict[Axis, int]


class Occurrence(NamedTuple):
    """A name of a concept in a text, 0-based, half open, in code points; `rule` is an index of `variants.RULES`."""

    start: int
    end: int
    concept: int
    name: int
    rule: int


class Entry(NamedTuple):
    """A name that a key stands for, its scope (an index of `source.SCOPES`), by which rule it does (an index of
    `variants.RULES`), and the word's frequency (Zipf).

    `said` is its spelling where it matches in its own case only, else empty.
    """

    concept: int
    name: int
    scope: int
    rule: int
    zipf: float
    said: str


class Groups:
    """Numbers by group, as `compile` packs them."""

    def __init__(self, arrays: NpzFile, name: str) -> None:
        self._start: npt.NDArray[np.uint32] = arrays[f"{name}_start"]
        self._values: npt.NDArray[np.uint32] = arrays[f"{name}_values"]

    def __getitem__(self, group: int) -> list[int]:
        numbers: list[int] = self._values[self._start[group] : self._start[group + 1]].tolist()
        return numbers

    def holders(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """The groups that hold any of these numbers, each once. Looks at all groups."""
        places = np.flatnonzero(np.isin(self._values, numbers))
        return np.unique(np.searchsorted(self._start, places, side="right") - 1).astype(np.uint32)


class Index(Groups):
    """Numbers by text: the groups are the keys of a trie."""

    def __init__(self, arrays: NpzFile, name: str) -> None:
        super().__init__(arrays, name)
        self.trie = marisa_trie.Trie()
        self.trie.frombytes(arrays[f"{name}_trie"].tobytes())

    def get(self, text: str) -> list[int]:
        group = self.trie.get(text)
        return [] if group is None else self[group]


class Texts:
    """Texts by number."""

    def __init__(self, arrays: NpzFile, name: str) -> None:
        self._start: npt.NDArray[np.uint32] = arrays[f"{name}_text_start"]
        self._bytes: bytes = arrays[f"{name}_text"].tobytes()

    def __getitem__(self, number: int) -> str:
        return self._bytes[self._start[number] : self._start[number + 1]].decode()


class Vocabularies:
    """The vocabularies of one artefact. Concepts and names are numbers here; `concept` makes them readable.

    `versions` maps each ontology to its version, `identity` names the artefact. For each name, `name_concept` and
    `name_scope` (an index of `source.SCOPES`), and for each concept `concept_axis` (an index of `AXES`, or `NO_AXIS`).
    """

    def __init__(self, packed: bytes | Path) -> None:
        """Load an artefact, from its bytes or a file. Raises Invalid where it is none, or of another compiler."""
        try:
            with np.load(packed if isinstance(packed, Path) else io.BytesIO(packed), allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                if about["compiler"] != compiler():
                    raise Invalid("Another MITagger compiled this vocabulary.", remedy=_REMEDY)
                self.identity: str = about["identity"]
                self.versions: dict[str, str] = {source["name"]: source["version"] for source in about["sources"]}
                self._iri_prefixes: list[dict[str, str]] = [source["iri_prefix"] for source in about["sources"]]
                self._source: npt.NDArray[np.uint8] = arrays["concept_source"]
                self.concept_axis: npt.NDArray[np.uint8] = arrays["concept_axis"]
                self._first_name: npt.NDArray[np.uint32] = arrays["concept_first_name"]
                self.name_concept: npt.NDArray[np.uint32] = arrays["name_concept"]
                self.name_scope: npt.NDArray[np.uint8] = arrays["name_scope"]
                self.concept_used: npt.NDArray[np.uint16] = arrays["concept_used"]
                self._entry_name: npt.NDArray[np.uint32] = arrays["entry_name"]
                self._entry_rule: npt.NDArray[np.uint8] = arrays["entry_rule"]
                self._entry_zipf: npt.NDArray[np.float16] = arrays["entry_zipf"]
                self._entry_said: npt.NDArray[np.uint32] = arrays["entry_said"]
                self._said = Texts(arrays, "said")
                self._names = Texts(arrays, "name")
                self._curies = Texts(arrays, "curie")
                self._parents = Groups(arrays, "parent")
                self._identifiers = Index(arrays, "identifier")
                self._keys = Groups(arrays, "key")
                self._matcher = Matcher(arrays)
                self.beginnings = Beginnings(arrays)
        except (ValueError, KeyError, EOFError, BadZipFile) as error:
            raise Invalid("This is no compiled vocabulary.", remedy=_REMEDY) from error
        self._ontologies = list(self.versions)
        # Texts repeat their names: bounded caches, safe between threads.
        self.entries = lru_cache(maxsize=50_000)(self._entries)
        self.concept = lru_cache(maxsize=50_000)(self._concept)

    def __len__(self) -> int:
        """How many concepts there are."""
        return len(self._source)

    def contents(self) -> list[Contents]:
        """What each ontology holds, in the order in which they were compiled."""
        names = np.bincount(self._source, np.diff(self._first_name), len(self._ontologies))
        contents = []
        for number, ontology in enumerate(self._ontologies):
            axes = np.bincount(self.concept_axis[self._source == number], minlength=NO_AXIS + 1).tolist()
            contents.append(
                Contents(
                    ontology=ontology,
                    version=self.versions[ontology],
                    concepts=sum(axes),
                    names=int(names[number]),
                    axes={axis: count for axis, count in zip(AXES, axes, strict=False) if count},
                )
            )
        return contents

    def hits(self, texts: Sequence[str]) -> list[list[Hit]]:
        """Of each text, (start, end, key) of every key in it, overlaps included, by start, then end."""
        return self._matcher.hits(texts)

    def occurrences(self, text: str) -> Iterator[Occurrence]:
        """Every name of every concept in a text, said as it is or otherwise; of one place, those that match there."""
        for start, end, number in self.hits([text])[0]:
            for one in self.entries(number):
                if not one.said or in_own_case(text[start:end], one.said):
                    yield Occurrence(start, end, one.concept, one.name, one.rule)

    def name(self, number: int) -> tuple[str, str]:
        """A name and its scope, one of `source.SCOPES`."""
        return self._names[number], SCOPES[self.name_scope[number]]

    def find(self, curie: str) -> list[int]:
        """The concepts with this CURIE: one, unless several vocabularies have it; none where it is unknown."""
        return self._identifiers.get(curie)

    def names(self, concept: int) -> list[tuple[str, str]]:
        """The names of a concept with their scopes, the preferred one first."""
        return [self.name(number) for number in range(self._first_name[concept], self._first_name[concept + 1])]

    def parents(self, concept: int) -> list[int]:
        """The concepts that this one is a kind or a part of."""
        return self._parents[concept]

    def descendants(self, concept: int, *, limit: int) -> list[int]:
        """The concepts that are a kind or a part of this one, however indirectly, nearest first; at most `limit`."""
        found: dict[int, None] = {}
        level = np.array([concept], np.uint32)
        while len(level) and len(found) < limit:
            level = np.array([one for one in self._parents.holders(level).tolist() if one not in found], np.uint32)
            found |= dict.fromkeys(level.tolist())
        found.pop(concept, None)  # where concepts go round in circles
        return list(found)[:limit]

    def _concept(self, number: int) -> Concept:
        curie, source, axis = self._curies[number], self._source[number], self.concept_axis[number]
        ontology = self._ontologies[source]
        prefix, _, local = curie.partition(":")
        iri = self._iri_prefixes[source].get(f"{prefix}:")
        return Concept(
            iri=iri + local if iri else None,
            curie=curie,
            label=self._names[int(self._first_name[number])],
            ontology=ontology,
            version=self.versions[ontology],
            axis=AXES[axis] if axis != NO_AXIS else None,
        )

    def _entries(self, number: int) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                concept=int(self.name_concept[self._entry_name[entry]]),
                name=int(self._entry_name[entry]),
                scope=int(self.name_scope[self._entry_name[entry]]),
                rule=int(self._entry_rule[entry]),
                zipf=float(self._entry_zipf[entry]),
                said=self._said[int(self._entry_said[entry]) - 1] if self._entry_said[entry] else "",
            )
            for entry in self._keys[number]
        )


def in_own_case(found: str, name: str) -> bool:
    """Whether a text says an acronym as it is written; its plural may end in "s"."""
    return found == name or cased_key(found) in (cased_key(name), cased_key(name) + "s")
