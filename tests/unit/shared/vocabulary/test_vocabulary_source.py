"""Vocabulary files are read in three packings; a bad one is refused with its line."""

import gzip
import lzma
from pathlib import Path

import pytest

from shared.errors import Invalid, NotFound, TooLarge
from shared.vocabulary.source import LONGEST_LINE, LONGEST_NAME, MOST_NAMES, Name, Source, check, read

GOOD = "id\tname\tscope\nCL:1\tneuron\tLABEL\nCL:1\tnerve cell\tEXACT\n"


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "CL.tsv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
def test_reads_plain_and_packed_files(tmp_path: Path, pack: type[bytes]) -> None:
    found = read(write(tmp_path, pack(GOOD.encode())), name="CL")
    assert [(name.id, name.name, name.scope) for name in found.names] == [
        ("CL:1", "neuron", "LABEL"),
        ("CL:1", "nerve cell", "EXACT"),
    ]
    assert found.version == f"sha256:{found.digest[:12]}"


def test_reads_axis_and_parents(tmp_path: Path) -> None:
    names = write(tmp_path, "id\tname\tscope\taxis\nX:1\tscan\tLABEL\timaging\nX:2\tcut\tLABEL\t\n")
    parents = tmp_path / "parents.tsv"
    parents.write_text("id\tparent\trelation\nX:2\tX:1\tis_a\n", encoding="utf-8")
    found = read(names, name="X", parents=parents, axis="intervention", version="7")
    assert [name.axis for name in found.names] == ["imaging", "intervention"]
    assert (found.parents, found.version) == ([("X:2", "X:1")], "7")


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert len(read(write(tmp_path, content), name="CL").names) == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("name\tid\n", "line 1: the header"),
        ("id\tname\tscope\nCL:1\tneuron\n", "line 2: 3 columns are expected, 2 found"),
        ("id\tname\tscope\nCL:1\tneuron\tPREFERRED\n", "line 2: 'PREFERRED' is no scope"),
        ("id\tname\tscope\n\tneuron\tLABEL\n", "line 2: the id"),
        ("id\tname\tscope\nCL 1\tneuron\tLABEL\n", "line 2: the id"),
        ("id\tname\tscope\nCL:1\t \tLABEL\n", "line 2: the name is empty"),
        ("id\tname\tscope\taxis\nCL:1\tneuron\tLABEL\tcells\n", "line 2: 'cells' is no axis"),
        (b"id\tname\tscope\nCL:1\tneur\xf6n\tLABEL\n", "line 2: not UTF-8"),
        (gzip.compress(GOOD.encode(), mtime=0)[:-12], "cannot be unpacked"),
        (lzma.compress(GOOD.encode())[:-20], "cannot be unpacked"),
        (b"\x1f\x8bnonsense", "cannot be unpacked"),
    ],
)
def test_what_is_no_vocabulary_is_refused_with_its_line(tmp_path: Path, content: str | bytes, says: str) -> None:
    with pytest.raises(Invalid, match=r"CL\.tsv") as refused:
        read(write(tmp_path, content), name="CL")
    assert says in str(refused.value)


@pytest.mark.parametrize("length", [LONGEST_NAME + 1, LONGEST_LINE + 1])
def test_a_name_without_measure_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(TooLarge, match="line 2"):
        read(write(tmp_path, f"id\tname\tscope\nCL:1\t{'x' * length}\tLABEL\n"), name="CL")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(b"id\tname\tscope\n" + b"x" * 50_000_000)
    with pytest.raises(TooLarge, match="line 2"):
        read(write(tmp_path, bomb), name="CL")


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"none\.tsv"):
        read(tmp_path / "none.tsv", name="CL")


def made(names: list[Name], parents: list[tuple[str, str]] | None = None) -> Source:
    return Source(name="X", version="1", digest="x", names=names, parents=parents or [])


ONE = Name("X:1", "neuron", "LABEL", None)


@pytest.mark.parametrize(
    ("bomb", "says"),
    [
        (made([]), "no names"),
        (made([ONE] * (MOST_NAMES + 1)), "more than 5,000,000 names"),
        (made([ONE._replace(name="x" * 1_000_000)]), "1,000,000 characters"),
        (made([ONE._replace(id="x" * 201)]), "201 characters"),
        (made([ONE._replace(name=f"neuron {n}") for n in range(5_001)]), "5,001 names of X:1"),
        (made([ONE], [("X:1", f"X:{n}") for n in range(2, 1_003)]), "1,001 parents of X:1"),
        (made([ONE], [("X:1", "X:2"), ("X:2", "X:3"), ("X:3", "X:1"), ("X:4", "X:1")]), "own ancestors: X:"),
        (made([ONE], [(f"X:{n}", f"X:{(n + 1) % 100_000}") for n in range(100_000)]), "…"),
    ],
    ids=["empty", "names", "a long name", "a long id", "synonyms", "parents", "a small cycle", "a large cycle"],
)
def test_a_bomb_is_refused_whoever_made_it(bomb: Source, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        check(bomb)


def test_many_parents_without_a_cycle_are_no_bomb() -> None:
    check(made([ONE], [(f"X:{n}", f"X:{n // 2}") for n in range(1, 50_000)] + [("X:1", "X:1")]))
