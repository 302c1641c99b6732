"""Readers of ontologies that bring their own hierarchy: GO (SQLite), SO (OBO), and the four of cellxgene (JSON)."""

import json
import re
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import zstandard

from tools.vocabularies.concepts import Concept, Name

GO_ROOT = "all"
"""GO.db's artificial root above the three branches; it is no concept."""


def read_go(database: bytes) -> Iterator[Concept]:
    """GO.db's sqlite. Obsolete terms stand in a table of their own there and stay out. Of the parents, regulates
    and its kinds are not part of the closure. The synonyms have no scope."""
    with tempfile.NamedTemporaryFile(suffix=".sqlite") as file:
        Path(file.name).write_bytes(database)
        connection = sqlite3.connect(file.name)
        names = defaultdict(list)
        for key, synonym in connection.execute("SELECT _id, synonym FROM go_synonym WHERE like_go_id = 0"):
            names[key].append(Name(synonym, "SYNONYM"))
        parents = defaultdict(list)
        relations = {"isa": "is_a", "part of": "part_of"}
        for branch in ("bp", "cc", "mf"):
            query = (
                f"SELECT child._id, parent.go_id, relationship_type FROM go_{branch}_parents AS edge "  # noqa: S608
                "JOIN go_term AS child ON child._id = edge._id "
                "JOIN go_term AS parent ON parent._id = edge._parent_id"
            )
            for key, parent, relation in connection.execute(query):
                if relation in relations and parent != GO_ROOT:
                    parents[key].append((parent, relations[relation]))
        for key, identifier, label in connection.execute("SELECT _id, go_id, term FROM go_term ORDER BY go_id"):
            if identifier != GO_ROOT:
                yield Concept(identifier, label, tuple(names[key]), tuple(sorted(parents[key])))
        connection.close()


def read_obo(text: str) -> Iterator[Concept]:
    """The live terms of an OBO 1.2 file; an underscore in SO's names stands for a space."""
    for stanza in text.split("\n[Term]\n")[1:]:
        tags = defaultdict(list)
        for line in stanza.split("\n\n")[0].splitlines():
            tag, _, value = line.partition(": ")
            tags[tag].append(value)
        if "is_obsolete" in tags or "name" not in tags:
            continue
        synonyms = [re.match(r'"((?:[^"\\]|\\.)*)" (\w+)', value) for value in tags["synonym"]]
        names = [Name(found[1].replace('\\"', '"').replace("_", " "), found[2]) for found in synonyms if found]
        parents = [(value.split(" ")[0], "is_a") for value in tags["is_a"]]
        parents += [(value.split(" ")[1], "part_of") for value in tags["relationship"] if value.startswith("part_of ")]
        yield Concept(tags["id"][0], tags["name"][0].replace("_", " "), tuple(names), tuple(sorted(parents)))


def read_cellxgene(compressed: bytes) -> Iterator[Concept]:
    """The live terms of one of cellxgene-ontology-guide's files. They hold exact synonyms only, and ancestors by
    is_a and part_of together (its `_get_ancestors`), so the direct ones are parents of either relation."""
    for identifier, term in sorted(json.loads(zstandard.decompress(compressed, 2**28)).items()):
        if term["deprecated"] or not term["label"]:
            continue
        names = tuple(Name(synonym, "EXACT") for synonym in term.get("synonyms", ()))
        direct = sorted(ancestor for ancestor, distance in term["ancestors"].items() if distance == 1)
        parents = tuple((parent, "is_a_or_part_of") for parent in direct)
        yield Concept(identifier, term["label"], names, parents)


def descendants(concepts: list[Concept], roots: frozenset[str]) -> list[Concept]:
    """The concepts at and below the roots, with the parents that stay."""
    children = defaultdict(list)
    for concept in concepts:
        for parent, _ in concept.parents:
            children[parent].append(concept.id)
    kept, waiting = set(roots), list(roots)
    while waiting:
        for child in children[waiting.pop()]:
            if child not in kept:
                kept.add(child)
                waiting.append(child)
    return [
        Concept(concept.id, concept.label, concept.names, tuple(p for p in concept.parents if p[0] in kept))
        for concept in concepts
        if concept.id in kept
    ]
