"""A file into a file: in order, whatever ends a run; packed by name; a bad line is refused by its number."""

import gzip
import json
import sys
from pathlib import Path

import pytest

from mitagger import annotate_file as module
from mitagger import blocks as reading
from mitagger.annotate import Narrowed
from mitagger.annotate_file import Files, Job, Loading, Progress, annotate_block, annotate_file
from mitagger.blocks import blocks, packed, packing, unpacked
from shared.errors import Conflict, Invalid

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.fixture(scope="module")
def loading(tmp_path_factory: pytest.TempPathFactory) -> Loading:
    folder: Path = tmp_path_factory.mktemp("vocabulary")
    cells = folder / "cells.tsv"
    cells.write_text("id\tname\tscope\nCL:1\tneuron\tLABEL\n", encoding="utf-8")
    return Loading(folder / "cache", (("CL", cells),), True, "tagging")


@pytest.fixture
def legends(tmp_path: Path) -> Path:
    path = tmp_path / "legends.jsonl"
    path.write_text("".join(json.dumps({"id": i, "text": f"neuron {i}"}) + "\n" for i in range(600)), "utf-8")
    return path


async def run(files: Files, loading: Loading, shown: module.Shown = lambda progress, share: None) -> Progress:
    return await annotate_file(files, loading, Narrowed(), made_by="this test", workers=1, shown=shown)


async def test_after_a_death_the_same_call_goes_on_without_loss_or_repetition(
    tmp_path: Path, legends: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_NOTED_EVERY", 0.0)
    monkeypatch.setattr(reading, "_READ", 2_000)
    files = Files(legends, tmp_path / "out.jsonl.gz", None)

    def die(progress: Progress, share: float | None) -> None:
        raise RuntimeError(progress.line)

    with pytest.raises(RuntimeError) as died:
        await run(files, loading, die)
    assert 1 < died.value.args[0] < 600
    with files.output.open("ab") as file:
        file.write(b"what was written and not noted")
    done = await run(files, loading)
    records = [json.loads(line) for line in gzip.decompress(files.output.read_bytes()).splitlines()]
    assert [record["id"] for record in records] == list(range(600))
    assert (done.legends, done.failed) == (600, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["legends.jsonl", "out.jsonl.gz"]


async def test_another_run_does_not_write_over_it(tmp_path: Path, legends: Path, loading: Loading) -> None:
    files = Files(legends, tmp_path / "out.jsonl", None)
    files.output.write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="exists"):
        await run(files, loading)
    progress = Progress(made_by="another", output=2).model_dump_json()
    (tmp_path / "out.jsonl.progress").write_text(progress, encoding="utf-8")
    with pytest.raises(Conflict, match="another input"):
        await run(files, loading)
    assert files.output.read_text(encoding="utf-8") == "mine"


async def test_a_damaged_file_is_annotated_up_to_where_it_is(tmp_path: Path, legends: Path, loading: Loading) -> None:
    damaged = tmp_path / "legends.jsonl.gz"
    damaged.write_bytes(gzip.compress(legends.read_bytes())[:-800])
    files = Files(damaged, tmp_path / "out.jsonl", None)
    with pytest.raises(Invalid, match="damaged"):
        await run(files, loading)
    records = [json.loads(line) for line in files.output.read_bytes().splitlines()]
    assert [record["id"] for record in records] == list(range(len(records)))
    assert len(records) > 300


def test_bad_lines_go_to_the_rejects_by_their_number(loading: Loading) -> None:
    lines = [
        b'{"id": 1, "text": "neuron"}',
        b"nonsense",
        b"",
        b'{"id": 2}',
        b'{"id": 18446744073709551616, "text": ""}',
    ]
    done = annotate_block(Job(loading, Narrowed(), "", ".zst"), True, 7, lines)
    rejects = [json.loads(line) for line in zstd.decompress(done.rejects).splitlines()]
    assert [record["error"].partition(":")[0] for record in rejects] == ["line 8", "line 10", "line 11"]
    assert [json.loads(line)["id"] for line in done.output.splitlines()] == [1]
    assert (done.legends, done.failed) == (4, 3)


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.jsonl.zst"])
def test_packed_parts_make_one_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(packed(b"one\ntw", packing(path)) + packed(b"o\r\nthree", packing(path)))
    with path.open("rb") as file:
        found = list(blocks(unpacked(file, packing(path)).read1))
    assert [line for block in found for line in block.lines] == [b"one", b"two", b"three"]
    assert found[-1].end == len(b"one\ntwo\r\nthree")
