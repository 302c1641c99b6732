"""The committed vocabularies are what their README promises: bounds, headers, encodings, one label a concept."""

import csv
import json
import lzma
import unicodedata
from functools import cache
from pathlib import Path

import pytest

import shared.vocabulary

DATA = Path(shared.vocabulary.__file__).parent / "data"
VOCABULARIES = {"GO", "SO", "UBERON", "CL", "MONDO", "EFO", "NCIT", "MESH", "UNII"}
WITH_PARENTS = {"GO", "SO", "UBERON", "CL", "MONDO", "EFO"}
AXES = {"anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical"}
SCOPES = {"LABEL", "EXACT", "NARROW", "BROAD", "RELATED", "SYNONYM"}


@cache
def rows(file: str) -> list[dict[str, str]]:
    with lzma.open(DATA / file, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@cache
def axes_of_names() -> dict[str, set[str]]:
    """Names in lower case to the axes of their concepts."""
    found: dict[str, set[str]] = {}
    for name in VOCABULARIES:
        axis = ""
        for row in rows(f"{name}.tsv.xz"):
            axis = row["axis"] or axis
            found.setdefault(row["name"].lower(), set()).add(axis)
    return found


def test_all_files_together_are_small() -> None:
    assert sum(file.stat().st_size for file in DATA.iterdir()) <= 12_000_000


def test_the_files_are_those_of_the_manifest() -> None:
    manifest = json.loads((DATA / "vocabularies.json").read_text(encoding="utf-8"))
    assert {entry["name"] for entry in manifest} == VOCABULARIES
    expected = {f"{name}.tsv.xz" for name in VOCABULARIES} | {f"{name}.parents.tsv.xz" for name in WITH_PARENTS}
    assert {file.name for file in DATA.iterdir()} == expected | {"vocabularies.json", "synonyms.tsv"}


def test_every_vocabulary_says_where_it_is_from() -> None:
    for entry in json.loads((DATA / "vocabularies.json").read_text(encoding="utf-8")):
        assert all(entry[key] for key in ("title", "version", "source", "licence", "attribution", "iri_prefix"))
        assert entry["axis"] in AXES | {None}
        assert list(entry["iri_prefix"]) == [f"{entry['name']}:"]


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_rows_are_well_formed(name: str) -> None:
    found = rows(f"{name}.tsv.xz")
    assert list(found[0]) == ["id", "name", "scope", "axis"]
    for row in found:
        assert row["id"].startswith(f"{name}:")
        assert row["scope"] in SCOPES
        assert len(row["name"]) >= 2
        assert row["name"] == unicodedata.normalize("NFC", " ".join(row["name"].split()))


@pytest.mark.parametrize("name", sorted(VOCABULARIES))
def test_a_concept_begins_with_its_only_label_which_carries_the_axis(name: str) -> None:
    seen: set[str] = set()
    current = ""
    for row in rows(f"{name}.tsv.xz"):
        if row["id"] != current:
            current = row["id"]
            assert current not in seen
            seen.add(current)
            assert row["scope"] == "LABEL"
            assert row["axis"] in AXES
        else:
            assert row["scope"] != "LABEL"
            assert row["axis"] == ""


@pytest.mark.parametrize("name", sorted(WITH_PARENTS))
def test_parents_are_concepts_of_the_same_file_without_cycles_of_one(name: str) -> None:
    known = {row["id"] for row in rows(f"{name}.tsv.xz")}
    edges = rows(f"{name}.parents.tsv.xz")
    assert list(edges[0]) == ["id", "parent", "relation"]
    for edge in edges:
        assert edge["id"] in known
        assert edge["parent"] in known
        assert edge["id"] != edge["parent"]
        assert edge["relation"] in {"is_a", "part_of", "is_a_or_part_of"}


def test_obsolete_terms_stay_out() -> None:
    for name in VOCABULARIES:
        assert not [row for row in rows(f"{name}.tsv.xz") if row["name"].lower().startswith("obsolete")]


def test_the_own_list_names_its_sources() -> None:
    with (DATA / "synonyms.tsv").open(encoding="utf-8", newline="") as lines:
        own = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert list(own[0]) == ["id", "name", "scope", "axis", "source"]
    assert len({(row["id"], row["name"]) for row in own}) == len(own)
    assert all(row["source"] and row["axis"] in AXES for row in own)


@pytest.mark.parametrize(
    ("axis", "names"),
    [
        ("anatomy", ["kidney", "aorta", "neuron", "hippocampus", "skin", "blood plasma"]),
        ("disease", ["melanoma", "asthma", "sepsis", "stroke", "edema", "oedema", "fibrosis"]),
        ("genetics", ["mitochondrion", "cell cycle", "apoptosis", "exon"]),
        ("imaging", ["ct", "ultrasound", "flow cytometry", "h&e", "qpcr", "electron microscopy"]),
        ("intervention", ["biopsy", "stents", "liver transplantation", "radiotherapy", "surgery"]),
        ("pharmaceutical", ["aspirin", "cisplatin", "morphine", "rapamycin", "5-fu", "nivolumab"]),
    ],
)
def test_common_words_of_an_axis_are_there(axis: str, names: list[str]) -> None:
    missing = [name for name in names if axis not in axes_of_names().get(name, set())]
    assert not missing


def test_foods_and_organs_are_no_drugs() -> None:
    for name in ("water", "honey", "sand", "thyroid"):
        assert "pharmaceutical" not in axes_of_names().get(name, set())
