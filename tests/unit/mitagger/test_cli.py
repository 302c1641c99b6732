"""The command line: help that is true, errors of one line, exit codes."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from mitagger.cli import outcome
from mitagger.cli.app import app
from mitagger.client import Failed, NotMitagger, Problem, Refused, ServerFailed, Unreachable
from shared.errors import Invalid

DOCS = Path(__file__).parents[3] / "docs" / "command-line.md"
WANTED = {
    "serve", "demo", "learned list",
        "learned disable",
        "learned enable", "bioportal show", "bioportal allow", "bioportal forbid", "learned widen", "learned narrow",
    "learned scores list", "learned scores disable", "learned scores enable",
        "import", "annotate", "search", "export", "vocabulary list", "vocabulary lookup",
    "vocabulary import", "vocabulary versions", "vocabulary activate", "vocabulary deactivate", "vocabulary rollback",
    "vocabulary diff", "vocabulary delete", "events tail",
    "vocabulary axes show", "vocabulary axes preview", "vocabulary axes apply", "vocabulary axes rollback",
    "vocabulary remap", "mapping import", "mapping list", "mapping targets", "mapping activate", "mapping deactivate",
    "mapping rollback", "mapping delete",
    "events republish", "dead-letters list", "dead-letters show", "dead-letters replay", "status", "doctor", "erase",
    "measures", "measures rebuild",
    "quarantine list", "quarantine show", "quarantine confirm", "quarantine black-out", "quarantine refuse",
    "people list", "people invite", "people link", "people roles", "people disable", "people enable", "people sign-out",
    "people connect",
    "project list", "project create", "project rename", "project archive", "project open", "project members",
    "project member", "project remove", "project hand-out", "project move-work",
    "people delete", "keys list", "keys create", "keys delete", "audit export",
    "topics plan", "topics apply", "indexes plan", "indexes apply", "indexes rebuild", "backup", "restore",
    "files collect",
    "gold list", "gold mark", "gold withdraw", "gold standards", "gold newcomers", "gold admit", "gold scores",
}  # fmt: skip

runner = CliRunner()


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by its whole name. (typer carries a click of its own: its types have no public name.)"""
    for name, command in group.commands.items():
        if getattr(command, "invoke_without_command", False):
            yield " ".join((*path, name)), command
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def example(command: Any) -> str:
    found = re.search(r"Example: (.+)", command.help or "")
    assert found, f"{command.name} needs an example in its help"
    return found[1]


def test_every_command_is_there() -> None:
    assert set(COMMANDS) == WANTED


@pytest.mark.parametrize("name", sorted(WANTED))
def test_example_in_help_is_true_and_stands_in_the_docs(name: str) -> None:
    text = example(COMMANDS[name])
    arguments = shlex.split(text.rpartition("| ")[2])
    assert arguments[0] == "mitagger"
    assert arguments[1 : 1 + len(name.split())] == name.split()
    COMMANDS[name].make_context(name, arguments[1 + len(name.split()) :])
    row = next(line for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    assert text.replace("|", "\\|") in row, f"docs/command-line.md shows another example of {name}"


@pytest.mark.parametrize(
    "name", ["import", "search", "status", "vocabulary list", "vocabulary lookup", "dead-letters list"]
)
def test_what_may_be_piped_offers_json(name: str) -> None:
    assert any("--json" in parameter.opts for parameter in COMMANDS[name].params)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unreachable("No answer."), outcome.UNREACHABLE),
        (Refused(Problem(status=404, detail="No such figure.")), outcome.REFUSED),
        (Invalid("Another server holds the folder.", remedy="Stop it."), outcome.REFUSED),
        (ServerFailed(Problem(status=500, detail="It broke.")), outcome.SERVER_FAILED),
        (NotMitagger("Not\nMITagger."), outcome.SERVER_FAILED),
        (Failed("The export failed."), outcome.SERVER_FAILED),
    ],
)
def test_error_is_one_line_with_a_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(typer.Exit) as caught:
        outcome.perform(work())
    assert caught.value.exit_code == code
    said = capsys.readouterr().err
    assert said == f"mitagger: {' '.join(str(error).split())}\n"


def test_codes_in_help_and_docs_are_those_of_the_code() -> None:
    docs = DOCS.read_text(encoding="utf-8")
    for code in (outcome.SOME_FAILED, outcome.UNREACHABLE, outcome.REFUSED, outcome.SERVER_FAILED):
        assert f"{code} " in outcome.CODES
        assert f"| {code} |" in docs


def test_no_server_there_is_code_3() -> None:
    result = runner.invoke(app, ["events", "tail", "--server", "http://127.0.0.1:1"])
    assert result.exit_code == outcome.UNREACHABLE
    assert "No answer from http://127.0.0.1:1" in result.stderr


def test_serving_some_services_is_refused_with_the_reason(tmp_path: Path) -> None:
    result = runner.invoke(app, ["serve", "gateway", "--data", str(tmp_path)])
    assert result.exit_code == outcome.REFUSED
    assert "needs the distributed engines" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["search", "--limit", "0"], ["export", "--format", "pdf"], ["dead-letters", "replay"],
     ["dead-letters", "replay", "x", "--all"], ["vocabulary", "lookup", "x", "--axis", "nonsense"]],
)  # fmt: skip
def test_wrong_usage_is_code_2(arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--team", "--figures", "10"], "10 is too small; give 40 or more."),
        (["serve", "--port", "99999"], "99999 is too large; give 65535 or less."),
        (["search", "x", "--limit", "many"], "many is no whole number."),
        (["export", "--format", "pdf"], "'pdf' is not one of 'csv', 'xml'."),
    ],
)
def test_wrong_usage_is_said_in_plain_words(arguments: list[str], said: str) -> None:
    result = runner.invoke(app, arguments)
    assert said in " ".join(result.stderr.split())
    assert "Input should" not in result.stderr
    assert "Value error" not in result.stderr


@pytest.mark.parametrize("name", ["missing", "notes.txt"])
def test_source_that_cannot_be_imported_is_refused_before_anything_starts(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no figures")
    result = runner.invoke(app, ["import", str(tmp_path / name), "--data", str(tmp_path / "data")])
    assert result.exit_code == outcome.REFUSED
    assert "figures.csv" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text", ["", "{", json.dumps({"url": "http://127.0.0.1:1", "key": "k", "pid": 1})])
async def test_announcement_of_a_killed_server_is_not_believed(tmp_path: Path, text: str) -> None:
    from mitagger.cli.connection import _announced

    (tmp_path / "server.json").write_text(text)
    assert await _announced(tmp_path) is None
