"""The command line against a server that runs, and where none does."""

import asyncio
import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mitagger.cli.app import app
from mitagger.cli.outcome import REFUSED, SOME_FAILED
from mitagger.client import AsyncClient, NotSignedIn
from tests.support.images import png
from tests.support.people import ANNOTATOR, hired, until
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def mitagger(server: Server, *arguments: str) -> Any:
    return await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--data", str(server.data)])


def figures(folder: Path, name: str, *more: str) -> Path:
    """A folder of two figures and more rows of its manifest."""
    folder.mkdir()
    rows = ["collection,file,label,legend", f"{name},a.png,Figure 1,Femur of {name}.", f"{name},b.png,Figure 2,Tibia."]
    (folder / "figures.csv").write_text("\n".join([*rows, *more]), encoding="utf-8")
    (folder / "a.png").write_bytes(png(1))
    (folder / "b.png").write_bytes(png(2))
    return folder


async def test_folder_goes_in_once_and_bad_rows_are_kept_with_their_remedy(server: Server, tmp_path: Path) -> None:
    folder = figures(tmp_path / "one", "One", "One,missing.png,Figure 3,x", ",a.png,Figure 4,x")
    rejects = tmp_path / "rejects.csv"
    first = await mitagger(server, "import", str(folder), "--rejects", str(rejects))
    assert first.exit_code == SOME_FAILED
    assert first.stdout == "2 created, 0 there already, 2 rejected.\n"
    assert "row 4, missing.png, file: The file is not there." in first.stderr
    with rejects.open(encoding="utf-8") as file:
        assert [(row["row"], bool(row["remedy"])) for row in csv.DictReader(file)] == [("4", True), ("5", True)]
    again = await mitagger(server, "import", str(folder / "figures.csv"), "--json")
    found = json.loads(again.stdout)
    assert (found["created"], found["existing"], found["rejected"]) == (0, 2, 2)


async def test_zip_goes_in_and_is_followed_to_its_end(server: Server, tmp_path: Path) -> None:
    folder = figures(tmp_path / "two", "Two", ",a.png,Figure 4,x")
    archive = shutil.make_archive(str(tmp_path / "two"), "zip", folder)
    result = await mitagger(server, "import", archive)
    assert result.stdout == "2 created, 0 there already, 1 rejected.\n"
    assert result.exit_code == SOME_FAILED
    assert "row 4" in result.stderr


async def test_what_went_in_is_found_exported_and_seen_as_events(server: Server, tmp_path: Path) -> None:
    await mitagger(server, "import", str(figures(tmp_path / "three", "Three")))
    async with server.client() as client, asyncio.timeout(20):
        while (await client.search("femur three")).total == 0:
            await asyncio.sleep(0.05)
    found = json.loads((await mitagger(server, "search", "femur three", "--json")).stdout)
    assert found["total"] == 1
    shown = await mitagger(server, "search", "femur three")
    assert found["items"][0]["figure"] in shown.stdout
    output = tmp_path / "tags.csv"
    exported = await mitagger(server, "export", "--status", "new", "-o", str(output))
    assert exported.exit_code == 0, exported.stderr
    with output.open(encoding="utf-8-sig", newline="") as file:
        assert found["items"][0]["figure"] in {row["figure_id"] for row in csv.DictReader(file)}
    assert not list(tmp_path.glob("*.part"))
    piped = await mitagger(server, "export", "--status", "new")
    assert piped.stdout_bytes == output.read_bytes()
    tail = await mitagger(server, "events", "tail", "--after", "0", "--limit", "2", "--topic", "image.uploaded")
    assert [json.loads(line)["type"] for line in tail.stdout.splitlines()] == ["org.mitagger.image.uploaded.v1"] * 2


async def test_status_dead_letters_and_republishing(server: Server) -> None:
    status = json.loads((await mitagger(server, "status", "--json")).stdout)
    assert status["version"]
    assert "export" in (await mitagger(server, "status")).stdout
    assert json.loads((await mitagger(server, "dead-letters", "list", "--json")).stdout) == []
    missing = await mitagger(server, "dead-letters", "show", "unknown")
    assert (missing.exit_code, missing.stdout) == (REFUSED, "")
    assert missing.stderr.count("\n") == 1
    assert "events published again" in (await mitagger(server, "events", "republish", "image.uploaded")).stdout
    assert "0 events" in (await mitagger(server, "dead-letters", "replay", "--all")).stdout


async def test_wrong_key_is_refused(server: Server) -> None:
    result = await asyncio.to_thread(CliRunner().invoke, app, ["status", "--server", server.url, "--key", "wrong"])
    assert result.exit_code == REFUSED
    assert "API key" in result.stderr


async def test_where_no_server_runs_the_folder_is_opened_and_left(tmp_path: Path) -> None:
    folder = ["--data", str(tmp_path / "data")]
    first = await asyncio.to_thread(CliRunner().invoke, app, ["project", "create", "Atlas of the eye", *folder])
    assert first.exit_code == 0, first.stderr
    assert "sign in as administrator with" in first.stderr
    again = await asyncio.to_thread(CliRunner().invoke, app, ["status", "--json", *folder])
    assert again.exit_code == 0
    assert json.loads(again.stdout)["ready"] is True
    assert "sign in as" not in again.stderr
    assert not (tmp_path / "data" / "server.json").exists()


@pytest.mark.parametrize("command", [["project", "list"], ["status"], ["search", "liver"], ["people", "list"]])
async def test_where_there_is_nothing_who_only_asks_is_told_how_to_begin(tmp_path: Path, command: list[str]) -> None:
    folder = tmp_path / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MITAGGER_DATA", str(folder))
        asked = await asyncio.to_thread(CliRunner().invoke, app, command)
    assert (asked.exit_code, asked.stdout) == (REFUSED, "")
    assert str(folder) in asked.stderr
    assert "mitagger serve" in asked.stderr
    assert not folder.exists()


async def test_people_are_invited_kept_out_and_deleted_and_it_is_on_record(server: Server) -> None:
    invited = await mitagger(server, "people", "invite", "=Lin", "--role", "annotator", "--json")
    made = json.loads(invited.stdout)
    async with AsyncClient(server.url) as lin:
        assert (await lin.join(made["link"], "four quite unrelated words")).name == "=Lin"
        assert (await mitagger(server, "people", "disable", "=lin")).exit_code == 0
        with pytest.raises(NotSignedIn):
            await lin.session()
    assert (await mitagger(server, "people", "delete", made["person"], "--yes")).exit_code == 0
    gone = await mitagger(server, "people", "enable", "=Lin")
    assert (gone.exit_code, "people list" in gone.stderr) == (REFUSED, True)
    listed = csv.DictReader((await mitagger(server, "audit", "export")).stdout.splitlines())
    assert [row["action"] for row in listed if row["target"] == made["person"]] == [
        "account.delete",
        "account.change",
        "account.invite",
    ]
    lines = (await mitagger(server, "audit", "export", "--format", "jsonl")).stdout.splitlines()
    assert {json.loads(line)["actor"] for line in lines} == {"command-line"}


async def test_what_a_project_asks_is_set_piece_by_piece(server: Server) -> None:
    assert (await mitagger(server, "gold", "standards", "--gold-share", "0.1")).exit_code == 0
    shown = await mitagger(server, "gold", "standards", "--sample", "0.2", "--json")
    asked = json.loads(shown.stdout)
    assert (asked["gold_share"], asked["sampling"]["share"], asked["qualification"]) == (0.1, 0.2, None)
    refused = await mitagger(server, "gold", "standards", "--qualify", "5:0.8")  # there is no gold figure
    assert (refused.exit_code, "Mark more figures" in refused.stderr) == (REFUSED, True)
    assert (await mitagger(server, "gold", "standards", "--qualify", "many")).exit_code == 2
    assert "let in because" in (await mitagger(server, "gold", "newcomers")).stdout


async def test_commands_work_in_the_project_that_is_named_and_in_no_other(server: Server, tmp_path: Path) -> None:
    made = await mitagger(server, "project", "create", "Atlas of the eye", "--id", "eye")
    assert made.exit_code == 0, made.stderr
    came = await mitagger(server, "--project", "eye", "import", str(figures(tmp_path / "eye", "Eye")))
    assert came.exit_code == 0, came.stderr

    async def found() -> bool:
        return "1 figure found" in (await mitagger(server, "--project", "eye", "search", "Tibia")).stderr

    await until(found, what="the figures of the project")
    assert "Figures of eye: 2 new" in (await mitagger(server, "--project", "eye", "status")).stdout
    assert "Femur of Eye" not in (await mitagger(server, "search", "Femur", "--json")).stdout
    assert (await mitagger(server, "--project", "eye", "keys", "create", "PACS of the eye")).exit_code == 0
    keys = json.loads((await mitagger(server, "keys", "list", "--json")).stdout)
    assert [one["projects"] for one in keys if one["name"] == "PACS of the eye"] == [["eye"]]
    refused = await mitagger(server, "--project", "nowhere", "import", str(tmp_path / "eye"))
    assert refused.exit_code == REFUSED


async def test_people_are_named_by_their_names_or_pseudonyms(server: Server) -> None:
    async with server.client() as admin:
        staff = await hired(admin)
        await admin.set_member("default", staff.annotator, ["annotator"], reviewer=staff.reviewer)
        await admin.create_figure(None, collection="Names", label="Figure 1", legend="Femur.")
        await until(lambda: _caught_up(admin), what="the figure to reach the annotators")
    given = await mitagger(server, "project", "hand-out", "--to", ANNOTATOR)
    assert given.exit_code == 0, given.stderr
    assert f"{ANNOTATOR} " in given.stdout
    moved = await mitagger(server, "project", "move-work", "--of", staff.annotator)
    assert "would go" in moved.stdout
    assert (await mitagger(server, "gold", "scores", ANNOTATOR)).exit_code == 0
    nobody = await mitagger(server, "gold", "scores", "nobody")
    assert nobody.exit_code == REFUSED
    assert "nobody called nobody" in nobody.stderr


async def _caught_up(admin: AsyncClient) -> bool:
    return not any(one.behind for one in (await admin.status()).progress)
