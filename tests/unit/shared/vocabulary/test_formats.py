"""Published formats are read from small files of their layouts, and from what outside senders make of them."""

import gzip
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import Invalid, NotFound, TooLarge
from shared.vocabulary import package
from shared.vocabulary.axes import AxisTable, Rule, default_table
from shared.vocabulary.formats import content as bounds
from shared.vocabulary.formats import fhir, rf2
from shared.vocabulary.formats.content import Content, Reader
from shared.vocabulary.formats.reading import Format, read
from tests.support.releases import rf2_release, rrf_release

DATA = Path(os.environ.get("MITAGGER_DEVELOPMENT_DATA", "")) / "vocabularies"

NCIT = (
    "C17369\t<http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#C17369>\tC20368\tImaging Technique|Imaging\tA way.\t"
    "Imaging Technique\t\tDiagnostic Procedure\n"
    "C20368\t<http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#C20368>\troot_node\tTechnique\tA way.\t\t\tActivity\n"
    "C9\t<http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl#C9>\tC20368\tOld\t\t\tRetired_Concept\tActivity\n"
)
OBO = """format-version: 1.2
data-version: maxo/releases/2024-07-29/maxo-base.owl

[Term]
id: X:1
name: scan
namespace: things
synonym: "CT \\"scan\\"" EXACT [A:1]
synonym: "look" RELATED []
synonym: broken
xref: NCIT:C1 {source="x"}
is_a: X:2 {gci="y"} ! way
relationship: part_of X:3 ! whole

[Term]
id: X:2
name: way

[Term]
id: X:9
name: gone
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""


def said(path: Path, vocabulary: str = "X") -> tuple[Format, Content, Reader]:
    reader = Reader()
    return *read(path, vocabulary=vocabulary, reader=reader), reader


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_snomed_ct_has_its_names_parents_and_tags(tmp_path: Path, packed: bool) -> None:
    format, found, reader = said(rf2_release(tmp_path, packed=packed))
    assert (format, found.version, reader.skipped) == ("rf2", "20260101", 0)
    assert set(found.names) == {
        # The structure and the entire one are one, named as one says it too.
        ("SNOMEDCT:71341001", "Structure of femur", "LABEL"),
        ("SNOMEDCT:71341001", "Bone structure of femur", "EXACT"),
        ("SNOMEDCT:71341001", "femur", "EXACT"),
        ("SNOMEDCT:71341001", "Entire femur", "SYNONYM"),
        # Preferred in American English; acceptable in British; in no reference set.
        ("SNOMEDCT:363679005", "Imaging", "LABEL"),
        ("SNOMEDCT:363679005", "Imaging procedure", "EXACT"),
        ("SNOMEDCT:363679005", "Depiction", "SYNONYM"),
        ("SNOMEDCT:77477000", "CT scan", "LABEL"),
        ("SNOMEDCT:77477000", "Computed tomography", "EXACT"),
        ("SNOMEDCT:387713003", "Surgical procedure", "LABEL"),
    }
    assert found.parents == [("SNOMEDCT:77477000", "SNOMEDCT:363679005")]
    assert dict(found.types)["SNOMEDCT:71341001"] == "body structure"
    place = default_table().placing("SNOMEDCT", found.types, found.parents)
    assert [place(f"SNOMEDCT:{one}", None) for one in (71341001, 77477000, 387713003)] == [
        "anatomy",
        None,  # below imaging
        "intervention",
    ]


def test_rxnorm_has_ingredients_and_brands_and_no_dose_forms(tmp_path: Path) -> None:
    format, found, _ = said(rrf_release(tmp_path))
    assert format == "rrf"
    assert found.names == [
        ("RXNORM:5640", "ibuprofen", "LABEL"),
        ("RXNORM:153008", "Advil", "LABEL"),
        ("RXNORM:5640", "IBU", "EXACT"),
    ]
    assert found.parents == [("RXNORM:153008", "RXNORM:5640")]
    assert found.types == [("RXNORM:5640", "IN"), ("RXNORM:153008", "BN"), ("RXNORM:5640", "T109")]


def test_ncit_flat_file_leaves_retired_concepts_out(tmp_path: Path) -> None:
    format, found, _ = said(write(tmp_path, "Thesaurus.txt", NCIT))
    assert format == "ncit"
    assert [name for name in found.names if name[0] == "NCIT:C17369"] == [
        ("NCIT:C17369", "Imaging Technique", "LABEL"),
        ("NCIT:C17369", "Imaging", "EXACT"),
    ]
    assert found.parents == [("NCIT:C17369", "NCIT:C20368")]
    assert {identifier for identifier, _, _ in found.names} == {"NCIT:C17369", "NCIT:C20368"}


def test_obo_has_scopes_parents_and_cross_references_and_reports_what_is_malformed(tmp_path: Path) -> None:
    format, found, reader = said(write(tmp_path, "x.obo", OBO))
    assert (format, found.version) == ("obo", "2024-07-29")
    assert found.names == [
        ("X:1", "scan", "LABEL"),
        ("X:1", 'CT "scan"', "EXACT"),
        ("X:1", "look", "RELATED"),
        ("X:2", "way", "LABEL"),
    ]
    assert found.parents == [("X:1", "X:2"), ("X:1", "X:3")]
    assert found.mappings == [("X:1", "oboInOwl:hasDbXref", "NCIT:C1")]
    assert [(one.file, one.line) for one in reader.problems] == [("x.obo", 10)]


def test_fhir_reads_value_sets_and_nested_code_systems(tmp_path: Path) -> None:
    concept: dict[str, Any] = {"code": "c0", "display": "deep"}
    for depth in range(1, 400):
        concept = {"code": f"c{depth}", "display": f"level {depth}", "concept": [concept]}
    system = {
        "resourceType": "CodeSystem",
        "url": "http://x.example",
        "version": "7",
        "concept": [concept, {"code": "n"}],
    }
    _, found, reader = said(write(tmp_path, "a.json", json.dumps(system)))
    assert (len(found.names), len(found.parents), found.version, reader.skipped) == (400, 399, "7", 1)
    assert ("X:c0", "X:c1") in found.parents
    values = {
        "resourceType": "ValueSet",
        "compose": {
            "include": [
                {
                    "system": fhir.SNOMED,
                    "concept": [
                        {
                            "code": "71341001",
                            "display": "Structure of femur (body structure)",
                            "designation": [
                                {"language": "en", "value": "Femur"},
                                {"language": "de", "value": "Oberschenkelknochen"},
                            ],
                        }
                    ],
                }
            ]
        },
    }
    _, found, _ = said(write(tmp_path, "b.json", json.dumps(values)))
    assert {name for _, name, _ in found.names} == {"Structure of femur", "Femur", "femur"}
    assert found.types == [("SNOMEDCT:71341001", "body structure")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "Code\tPreferred Label\tSynonyms\nC1\tscan\tlook|glance\nC1\tCT\t\nC2\tcut\t\n"),
        ("a.csv", '"Class ID","Preferred Label","Synonyms"\nhttp://x.org/o#C1,scan,look|glance\nC1,CT,\nC2,cut,\n'),
        ("a.csv", "id;name;synonyms;scope\nC1;scan;look|glance;LABEL\nC1;CT;;\nC2;cut;;\n"),
    ],
)
def test_tables_are_known_by_their_header(tmp_path: Path, name: str, text: str) -> None:
    format, found, _ = said(write(tmp_path, name, text))
    assert format == "table"
    assert found.names == [
        ("X:C1", "scan", "LABEL"),
        ("X:C1", "look", "SYNONYM"),
        ("X:C1", "glance", "SYNONYM"),
        ("X:C1", "CT", "EXACT"),
        ("X:C2", "cut", "LABEL"),
    ]


def test_malformed_rows_are_reported_by_line_and_the_others_are_read(tmp_path: Path) -> None:
    rows = [b"id\tname\tscope", b"A:1\tscan\tLABEL", b"A:2", b"\tnone\tLABEL", b"A:3\tn\xf6\tLABEL", b"A:4\tcut\tBEST"]
    rows += [b"A:5\t" + b"x" * 2_000_000 + b"\tLABEL", b"A:6\t" + b"y" * 5_000 + b"\tLABEL", b"A:7\tlast\tLABEL"]
    _, found, reader = said(write(tmp_path, "a.tsv", b"\n".join(rows)))
    assert [name for _, name, _ in found.names] == ["scan", "last"]
    assert [one.line for one in reader.problems] == [3, 4, 5, 6, 7, 8]
    assert "UTF-8" in reader.problems[2].problem


def test_too_many_malformed_rows_refuse_the_file_with_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MOST_SKIPPED", 3)
    with pytest.raises(Invalid, match=r"a\.tsv, line 3:"):
        said(write(tmp_path, "a.tsv", "id\tname\nA:1\tscan\n" + "A:2\n" * 4))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tsv", "id\tname\nA:1\tscan\n".encode("utf-16"), "UTF-16"),
        ("a.tsv", b"", "empty"),
        ("a.tsv", b"one\ttwo\n", "line 1"),
        ("a.obo", b"nothing", "no terms"),
        ("a.json", b'{"resourceType": "Patient"}', "no CodeSystem"),
        ("a.json", b"[" * 100_000, "no JSON"),
        ("a.json", b'{"resourceType": "ValueSet", "compose": {"include": [1]}}', "not built"),
        ("a.json", b'{"resourceType": "CodeSystem", "concept": []}', "lists no codes"),
        ("a.pdf", b"%PDF", "no file that could be"),
        ("a.tsv.gz", gzip.compress(b"id\tname\nA:1\tscan\n", mtime=0)[:-9], "unpacked"),
    ],
)
def test_what_is_no_vocabulary_is_refused_with_what_would_be(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        said(write(tmp_path, name, content))


def test_zips_that_would_do_harm_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.tsv", bytes(50_000_000))
    with pytest.raises(Invalid, match="100 times"):
        said(tmp_path / "bomb.zip")
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as file:
        file.writestr("../a.tsv", "id\tname\nA:1\tscan\n")
    with pytest.raises(Invalid, match="leads out"):
        said(tmp_path / "out.zip")
    monkeypatch.setattr(bounds, "LARGEST_FILE", 1_000_000)
    with pytest.raises(TooLarge):
        said(write(tmp_path, "a.tsv.gz", gzip.compress(b"id\tname\n" + b"A:1\tscan\n" * 200_000)))
    monkeypatch.setattr(bounds, "MOST_NAMES", 2)
    with pytest.raises(TooLarge, match="more than 2 names"):
        said(write(tmp_path, "b.tsv", "id\tname\n" + "A:1\tscan\n" * 3))
    with pytest.raises(NotFound):
        said(tmp_path / "none")


def test_a_release_without_its_descriptions_is_refused(tmp_path: Path) -> None:
    folder = rf2_release(tmp_path, packed=False)
    next(folder.rglob("sct2_Description_Snapshot*")).unlink()
    with pytest.raises(Invalid, match="sct2_Description_Snapshot"):
        said(folder)
    file = next(folder.rglob("sct2_Concept_Snapshot*"))
    file.write_text("\t".join(reversed(rf2.CONCEPT)) + "\n", encoding="utf-8")
    write(folder, "sct2_Description_Snapshot-en_INT_20260101.txt", "\t".join(rf2.DESCRIPTION) + "\n")
    with pytest.raises(Invalid, match="line 1: the columns"):
        said(folder)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".obo", ".json", ".csv", ".tsv", ".txt"]),
    seed=st.sampled_from([OBO, NCIT, "id\tname\nA:1\tscan\n", '{"resourceType":"ValueSet","compose":{"include":[]}}']),
    changes=st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=6)), max_size=8),
)
def test_damaged_files_end_in_names_or_in_clear_words(
    tmp_path: Path, suffix: str, seed: str, changes: list[tuple[int, bytes]]
) -> None:
    content = seed.encode()
    for at, put in changes:
        content = content[: at % len(content)] + put + content[at % len(content) + 1 :]
    with suppress(Invalid):
        _, found, _ = said(write(tmp_path, f"a{suffix}", content))
        assert found.names


def test_a_package_gives_back_what_was_read_and_the_same_bytes(tmp_path: Path) -> None:
    _, found, _ = said(rf2_release(tmp_path, packed=True))
    found.axes["SNOMEDCT:387713003"] = "intervention"
    for name in ("one.zip", "two.zip"):
        package.write(found, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    source = package.read(tmp_path / "one.zip", name="X", version="1", digest="d", table=AxisTable())
    assert [(one.id, one.name, one.scope) for one in source.names] == found.names
    assert source.parents == found.parents
    assert source.types == found.types
    assert source.iri_prefix == {"SNOMEDCT:": "http://snomed.info/id/"}
    with pytest.raises(Invalid, match="no vocabulary that was imported"):
        package.read(write(tmp_path, "bad.zip", b"no"), name="X", version="1", digest="d", table=AxisTable())


def test_rules_place_by_type_and_branch_the_first_that_fits_and_circles_end() -> None:
    types = [("X:1", "a"), ("X:2", "a"), ("X:3", "b"), ("X:4", "b")]
    parents = [("X:2", "X:1"), ("X:1", "X:2"), ("X:3", "X:2")]
    table = AxisTable(
        rules=(
            Rule(axis="imaging", vocabulary="X", types=("b",), under=("X:1",)),
            Rule(axis="disease", vocabulary="X", types=("b",), outside=("X:1",)),
            Rule(axis="anatomy", vocabulary="X", types=("a",)),
            Rule(axis="genetics", vocabulary="Y"),
        )
    )
    place = table.placing("X", types, parents)
    assert [place(f"X:{number}", None) for number in range(1, 5)] == ["anatomy", "anatomy", "imaging", "disease"]
    assert place("X:5", "genetics") == "genetics"  # no rule fits: its own file says
    assert table.placing("other", [], [])("Y:1", None) == "genetics"
    assert table.wholly("X", "disease").placing("X", types, parents)("X:1", "imaging") == "disease"
    assert table.digest("X") != table.wholly("X", "disease").digest("X")


@pytest.mark.skipif(not DATA.is_dir(), reason="set MITAGGER_DEVELOPMENT_DATA to the shared samples")
@pytest.mark.parametrize(
    ("file", "vocabulary", "names"),
    [
        ("ValueSet-snomed-intl-gps-2020.json", "SNOMEDCT", 26_158),
        ("maxo-base.obo", "MAXO", 6_600),
        ("doid-ncit-subset.obo", "DOID", 13_000),
        ("rxnorm-ingredients.tsv", "RXNORM", 610),
    ],
)
def test_the_shared_samples_are_read_without_a_row_skipped(file: str, vocabulary: str, names: int) -> None:
    _, found, reader = said(DATA / file, vocabulary)
    assert len(found.names) >= names
    assert reader.skipped == 0
