"""The command: options, exit codes, one-line errors; a closed pipe is no error."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from mitagger.cli.annotate import annotate

CELLS = "id\tname\tscope\nCL:1\tneuron\tLABEL\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("annotate")
    (made / "cells.tsv").write_text(CELLS, encoding="utf-8")
    return made


@pytest.fixture(autouse=True)
def _cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MITAGGER_CACHE", str(folder / "cache"))


def run(options: Sequence[str], given: bytes = b"") -> Result:
    command = typer.Typer()
    command.command()(annotate)
    return CliRunner().invoke(command, ["--only", *options], input=given)


def test_writes_a_record_a_line_from_standard_input(folder: Path) -> None:
    done = run(["--vocabulary", f"CL={folder / 'cells.tsv'}"], b"one neuron\ntwo neurons\n")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["annotations"][0]["text"] for record in records] == ["neuron", "neurons"]
    assert records[0]["annotations"][0]["iri"] == "http://purl.obolibrary.org/obo/CL_1"
    assert done.exit_code == 0


def test_a_bad_line_makes_the_exit_code_one(folder: Path) -> None:
    legends = folder / "legends.jsonl"
    legends.write_text('{"id": 1, "text": "neuron"}\nnonsense\n{"id": 3, "text": "neuron"}\n', encoding="utf-8")
    done = run(["--vocabulary", f"CL={folder / 'cells.tsv'}", str(legends)])
    assert ["error" in json.loads(line) for line in done.stdout.splitlines()] == [False, True, False]
    assert done.exit_code == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ([], "no vocabulary"),
        (["--vocabulary", "cells.tsv"], "is not NAME=FILE"),
        (["--vocabulary", "CL=none.tsv"], "none.tsv cannot be read"),
        (["--vocabulary", "CL={cells}", "--vocabulary", "CL={cells}"], "twice"),
        (["--vocabulary", "CL={legends}"], "line 1: the header"),
        (["--vocabulary", "CL={cells}", "--axis", "cells"], "Use one of anatomy"),
        (["--vocabulary", "CL={cells}", "--ontology", "GO"], "Use one of CL"),
        (["--vocabulary", "CL={cells}", "none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line_that_says_what_to_do(folder: Path, options: list[str], says: str) -> None:
    legends = folder / "legends.txt"
    legends.write_text("a neuron\n", encoding="utf-8")
    done = run([option.format(cells=folder / "cells.tsv", legends=legends) for option in options])
    assert done.exit_code == 2
    assert done.stdout == ""
    errors = [line for line in done.stderr.splitlines() if not line.startswith("Compiling")]
    assert len(errors) == 1
    assert says in errors[0]


def test_a_reader_that_leaves_is_no_error(folder: Path) -> None:
    legends = folder / "many.txt"
    legends.write_text("a neuron\n" * 2_000, encoding="utf-8")
    program = "import typer; from mitagger.cli.annotate import annotate; typer.run(annotate)"
    with subprocess.Popen(
        [sys.executable, "-c", program, "--only", "--vocabulary", f"CL={folder / 'cells.tsv'}", str(legends)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline().startswith(b'{"id":"1"')
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(50) == 0


def test_help_has_an_example() -> None:
    assert "Example: echo" in run(["--help"]).stdout
