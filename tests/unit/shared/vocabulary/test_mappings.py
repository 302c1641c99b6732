"""Mappings: what is read of SSSOM and OBO, and which concept stands for another."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.vocabulary import pairs
from shared.vocabulary.formats import mapped
from shared.vocabulary.formats.content import MOST_SKIPPED, Reader
from shared.vocabulary.mappings import Mappings, Member, compile_mappings, opened
from shared.vocabulary.pairs import INVERSE, Kind, Pair, Pairs

HEADER: Final = """\
#curie_map:
#  mondo: http://purl.obolibrary.org/obo/MONDO_
#  SCTID: http://snomed.info/id/
#  umls: https://uts.nlm.nih.gov/uts/umls/concept/
#mapping_set_version: "2026-03-01"
"""
COLUMNS: Final = (
    "subject_id\tsubject_label\tpredicate_id\tpredicate_modifier\tobject_id\tobject_label\tmapping_justification"
    "\tconfidence\n"
)
ROW: Final = "mondo:1\tglioma\tskos:exactMatch\t\tSCTID:393564001\tGlioma\tsemapv:ManualMappingCuration\t\n"


def read(path: Path, content: str | bytes, *, name: str = "x.sssom.tsv", least: float = 0.0) -> tuple[Reader, Pairs]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    reader, found = Reader(), Pairs(least=least)
    mapped.read(path, name=name, reader=reader, pairs=found)
    return reader, found


@contextmanager
def compiled(folder: Path, *members: Sequence[Pair]) -> Iterator[Mappings]:
    made = []
    for number, one in enumerate(members):
        path = folder / f"{number}.zip"
        pairs.write(Pairs(pairs=list(one)), path)
        made.append(Member(f"m{number}", "1", path))
    into = folder / "mappings.sqlite"
    into.unlink(missing_ok=True)
    compile_mappings(made, None, into)
    with opened(into) as mappings:
        yield mappings


def step(subject: str, kind: Kind, object: str, *, negated: bool = False, curated: bool = False) -> Pair:
    return Pair(subject, kind, object, negated=negated, curated=curated)


def test_rows_of_sssom_become_pairs_with_one_name_for_each_prefix(tmp_path: Path) -> None:
    reader, found = read(
        tmp_path / "x",
        HEADER
        + COLUMNS
        + ROW
        + "mondo:2\t\tskos:broadMatch\tNot\thttp://snomed.info/id/64572001\t\tsemapv:LexicalMatching\t0.75\r\n"
        + 'mondo:3\t"a ""quoted"" name"\tskos:relatedMatch\t\tSCTID:3\t\t\t\n'
        + "mondo:4\t\tskos:exactMatch\t\tsssom:NoTermFound\t\t\t\n",
    )
    assert (found.version, found.left_out, reader.skipped) == ("2026-03-01", 2, 0)
    assert found.pairs == [
        Pair("MONDO:1", "exact", "SNOMEDCT:393564001", False, True, None, "glioma", "Glioma"),
        Pair("MONDO:2", "broad", "SNOMEDCT:64572001", True, False, 0.75),
    ]
    assert found.iris["SNOMEDCT"] == "http://snomed.info/id/"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("\t\tskos:exactMatch\t\tSCTID:1\t\t\t\n", "subject_id is empty."),
        ("mondo:1\n", "predicate_id is empty."),
        ("mondo:1\t\tskos:exactMatch\t\tWHAT:1\t\t\t\n", "the prefix 'WHAT' is not in the curie_map."),
        ("mondo:1\t\tskos:exactMatch\t\tglioma\t\t\t\n", "'glioma' is no CURIE."),
        (
            "mondo:1\t\tskos:exactMatch\t\thttps://x.org/1\t\t\t\n",
            "no prefix of the curie_map begins 'https://x.org/1'.",
        ),
        ("mondo:1\t\tskos:exactMatch\tPerhaps\tSCTID:1\t\t\t\n", "'Perhaps' is no predicate_modifier (Not)."),
        ("mondo:1\t\tskos:exactMatch\t\tSCTID:1\t\t\tnan\n", "the confidence 'nan' is not between 0 and 1."),
        ("mondo:1\t\tskos:exactMatch\t\tSCTID:1\t\t\t2\n", "the confidence '2' is not between 0 and 1."),
        ("mondo:1\t\tskos:exactMatch\t\tSCTID:" + "1" * 300 + "\t\t\t\n", "is longer than 200 or holds spaces."),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_are_read(tmp_path: Path, row: str, problem: str) -> None:
    reader, found = read(tmp_path / "x", HEADER + COLUMNS + row + ROW)
    (skipped,) = reader.problems
    assert (skipped.file, skipped.line) == ("x.sssom.tsv", 7)
    assert skipped.problem.endswith(problem)
    assert len(found.pairs) == 1


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "holds no table"),
        ("#curie_map: [\n" + COLUMNS + ROW, "are no YAML"),
        ("#- a\n" + COLUMNS + ROW, "not built as SSSOM says"),
        ("#" + "[" * 50_000 + "\n" + COLUMNS + ROW, "are no YAML"),
        ("#" + "x" * 900_000 + "\n#" + "x" * 900_000 + "\n", "more than 1,048,576 characters"),
        ("id\tname\n1\tx\n", "there is no column subject_id"),
        (HEADER + COLUMNS + "\n", "holds no mappings"),
        ("\ufeff".encode("utf-16") + b"x", "is UTF-16"),
        (
            HEADER + COLUMNS + "x\n" * (MOST_SKIPPED + 1),
            "More than 1,000 rows cannot be read; the first is x.sssom.tsv, line 7",
        ),
        (b"\x1f\x8b" + b"x" * 50, "cannot be unpacked"),
    ],
)
def test_what_is_no_sssom_is_refused_with_what_is_wrong(tmp_path: Path, content: str | bytes, problem: str) -> None:
    with pytest.raises(Invalid, match=problem):
        read(tmp_path / "x", content)


def test_metadata_that_refer_to_themselves_many_times_stay_small(tmp_path: Path) -> None:
    bomb = "#a0: &a0 [x, x]\n" + "".join(f"#a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    _, found = read(tmp_path / "x", bomb + HEADER + COLUMNS + ROW)
    assert len(found.pairs) == 1


def test_all_tables_of_a_package_are_read_but_what_its_reviewers_doubt(tmp_path: Path) -> None:
    """Laid out as PyPI's biomappings 0.6.0: positive, negative, predicted, and those that a reviewer is unsure of."""
    doubted = COLUMNS.replace("\n", "\treviewer_agreement\n") + ROW.replace("mondo:1", "mondo:9").replace(
        "\n", "\t0.0\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name, table in {
            "positive": COLUMNS + ROW,
            "negative": COLUMNS + ROW.replace("exactMatch\t", "exactMatch\tNot").replace("mondo:1", "mondo:2"),
            "predictions": COLUMNS + ROW.replace("mondo:1", "mondo:3").replace("\n", "0.4\n"),
            "unsure": doubted,
        }.items():
            file.writestr(f"biomappings/resources/{name}.sssom.tsv", HEADER + table)
        file.writestr("biomappings/resources/curators.tsv", "key\tname\n")
    _, found = read(tmp_path / "x", packed.getvalue(), name="biomappings.whl", least=0.5)
    assert {(one.subject, one.negated) for one in found.pairs} == {("MONDO:1", False), ("MONDO:2", True)}
    assert found.left_out == 2


def test_an_obo_file_brings_its_xrefs_and_matches(tmp_path: Path) -> None:
    _, found = read(
        tmp_path / "x",
        "format-version: 1.2\ndata-version: releases/2026-03-01\n\n[Term]\nid: MONDO:1\nname: glioma\n"
        'xref: SCTID:393564001 {source="MONDO:equivalentTo"}\nxref: https://en.wikipedia.org/wiki/Glioma\n'
        "property_value: skos:exactMatch http://purl.obolibrary.org/obo/NCIT_C3059\n",
        name="mondo.obo",
    )
    assert [one[:3] for one in found.pairs] == [
        ("MONDO:1", "xref", "SNOMEDCT:393564001"),
        ("MONDO:1", "exact", "NCIT:C3059"),
    ]
    assert (found.version, found.left_out) == ("2026-03-01", 1)


def test_a_step_leads_both_ways_and_the_strongest_counts(tmp_path: Path) -> None:
    given = [
        step("MONDO:1", "exact", "SNOMEDCT:1"),
        step("MONDO:1", "broad", "SNOMEDCT:9"),
        step("MONDO:2", "broad", "SNOMEDCT:9"),
        step("MONDO:3", "xref", "SNOMEDCT:3"),
    ]
    with compiled(tmp_path, given) as mappings:
        assert mappings.targets() == {"MONDO": 3, "SNOMEDCT": 3}
        exact = mappings.to("mondo:1", "snomedct_us")
        assert (exact.outcome, exact.target and exact.target[:4]) == (
            "exact",
            ("SNOMEDCT:1", "http://snomed.info/id/1", "", "skos:exactMatch"),
        )
        assert mappings.to("SCTID:1", "MONDO").outcome == "exact"
        broad = mappings.to("MONDO:2", "SNOMEDCT")
        assert (broad.outcome, broad.target and broad.target.curie) == ("broad", "SNOMEDCT:9")
        assert mappings.to("MONDO:3", "SNOMEDCT").outcome == "close"
        assert mappings.to("MONDO:4", "SNOMEDCT").outcome == "unmapped"
        back = mappings.to("SNOMEDCT:9", "MONDO")
        assert (back.outcome, back.target) == ("ambiguous", None)


def test_only_narrower_concepts_stand_for_none(tmp_path: Path) -> None:
    with compiled(tmp_path, [step("MONDO:1", "narrow", "SNOMEDCT:1")]) as mappings:
        found = mappings.to("MONDO:1", "SNOMEDCT")
        assert (found.outcome, found.target, len(found.targets)) == ("narrow", None, 1)


def test_of_several_the_one_that_a_person_chose_counts_and_else_none(tmp_path: Path) -> None:
    two = [step("MONDO:1", "exact", "MESH:1"), step("MONDO:1", "exact", "MESH:2")]
    with compiled(tmp_path, two) as mappings:
        found = mappings.to("MONDO:1", "MESH")
        assert (found.outcome, [one.curie for one in found.targets]) == ("ambiguous", ["MESH:1", "MESH:2"])
    with compiled(tmp_path, two, [step("MONDO:1", "exact", "MESH:2", curated=True)]) as mappings:
        target = mappings.to("MONDO:1", "MESH").target
        assert target is not None
        assert (target.curie, target.source) == ("MESH:2", "m1 1")


def test_two_exact_steps_are_one_where_none_leads_there_directly(tmp_path: Path) -> None:
    chain = [step("MONDO:1", "exact", "UMLS:1"), step("SNOMEDCT:1", "exact", "UMLS:1")]
    with compiled(tmp_path, chain[:1], chain[1:]) as mappings:
        target = mappings.to("MONDO:1", "SNOMEDCT").target
        assert target is not None
        assert (target.curie, target.via, target.source) == ("SNOMEDCT:1", "UMLS:1", "m0 1; m1 1")
    with compiled(tmp_path, [*chain, step("MONDO:1", "broad", "SNOMEDCT:2")]) as mappings:
        assert mappings.to("MONDO:1", "SNOMEDCT").outcome == "broad"
    for weaker in ("close", "xref", "broad"):
        with compiled(tmp_path, [chain[0]._replace(kind=weaker), chain[1]]) as mappings:  # type: ignore[arg-type]
            assert mappings.to("MONDO:1", "SNOMEDCT").outcome == "unmapped"
    three = [*chain, step("SNOMEDCT:1", "exact", "MESH:1")]
    with compiled(tmp_path, three) as mappings:
        assert mappings.to("MONDO:1", "MESH").outcome == "unmapped"


def test_what_one_file_negates_none_brings_back(tmp_path: Path) -> None:
    no = [step("SNOMEDCT:1", "exact", "MONDO:1", negated=True)]
    for yes in (
        [step("MONDO:1", "exact", "SNOMEDCT:1")],
        [step("MONDO:1", "xref", "SNOMEDCT:1")],
        [step("MONDO:1", "exact", "UMLS:1"), step("UMLS:1", "exact", "SNOMEDCT:1")],
    ):
        with compiled(tmp_path, yes) as mappings:
            assert mappings.to("MONDO:1", "SNOMEDCT").target is not None
        with compiled(tmp_path, no, yes) as mappings:
            assert mappings.to("MONDO:1", "SNOMEDCT").outcome == "unmapped"


IDS = st.sampled_from(["A:1", "A:2", "B:1", "B:2", "C:1"])
PAIRS = st.lists(
    st.builds(
        Pair,
        IDS,
        st.sampled_from(list(INVERSE)),
        IDS,
        negated=st.booleans(),
        curated=st.booleans(),
        confidence=st.none() | st.floats(0, 1),
        subject_label=st.just(""),
        object_label=st.just(""),
    ).filter(lambda one: one.subject != one.object),
    max_size=12,
)


@settings(max_examples=40)
@given(PAIRS, st.data())
def test_the_order_and_direction_of_rows_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, given: list[Pair], data: st.DataObject
) -> None:
    """Not even the file: the same mappings compile to the same bytes."""
    other = [
        one._replace(subject=one.object, kind=INVERSE[one.kind], object=one.subject)
        if data.draw(st.booleans())
        else one
        for one in data.draw(st.permutations(given))
    ]
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    with compiled(one, given), compiled(two, [*other, *given]):
        assert (one / "mappings.sqlite").read_bytes() == (two / "mappings.sqlite").read_bytes()
