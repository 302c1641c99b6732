"""`mitagger import` of what people really have in folders: nothing of it is lost, and what breaks off goes on."""

import asyncio
import csv
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from mitagger.cli.app import app
from mitagger.cli.outcome import SOME_FAILED
from mitagger.client import AsyncClient
from mitagger.import_records import Record, Records
from mitagger.importing import BATCH, bring, read
from tests.support.images import bomb, png
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def imported(server: Server, *arguments: object) -> Any:
    """The command's result, and what it said as JSON (under `said`)."""
    given = ["import", *map(str, arguments), "--data", str(server.data), "--json"]
    result = await asyncio.to_thread(CliRunner().invoke, app, given)
    assert result.exit_code in (0, SOME_FAILED), result.stderr
    return result, json.loads(result.stdout)


def counts(said: dict[str, Any]) -> tuple[int, int, int]:
    return said["created"], said["existing"], said["rejected"]


async def collection(server: Server, name: str) -> list[Any]:
    async with server.client() as client:
        return [figure async for figure in client.figures() if figure.article.collection == name]


def mixed(folder: Path) -> Path:
    """Nine pictures under difficult names, two with legends, and eight things that are none or cannot go in."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "plain.png").write_bytes(png(1))
    (folder / "plain.txt").write_text("MRI of the hippocampus.\n", encoding="utf-8")
    (folder / "deep" / "er" / "two.PNG").write_bytes(png(2))
    (folder / "deep" / "er" / "two.PNG.txt").write_bytes("Größe: 5 µm".encode("cp1252"))
    (folder / "Case.png").write_bytes(png(3))
    (folder / "case.PNG").write_bytes(png(4))
    Path(os.fsdecode(os.fsencode(folder) + b"/Z\xfcrich.png")).write_bytes(png(5))  # of an old Windows
    (folder / "line\nbreak.png").write_bytes(png(6))
    (folder / unicodedata.normalize("NFD", "é.png")).write_bytes(png(7))
    (folder / "no ending").write_bytes(png(8))
    (folder / "DOE^JANE.dcm").write_bytes(Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes())
    # What stays out
    (folder / unicodedata.normalize("NFC", "é.png")).write_bytes(png(9))
    (folder / "readme.md").write_text("Not a picture.", encoding="utf-8")
    (folder / "lonely.txt").write_text("A legend of nothing.", encoding="utf-8")
    (folder / "empty.png").touch()
    (folder / "bomb.png").write_bytes(bomb())
    (folder / "cut.png").write_bytes(png(10)[:-40])
    (folder / "out.png").symlink_to("/etc/hostname")
    (folder / "loop").symlink_to(folder)
    return folder


async def test_mixed_folder_goes_in_and_what_does_not_is_told(server: Server, tmp_path: Path) -> None:
    folder = mixed(tmp_path / "mixed")
    _, would = await imported(server, folder, "--dry-run")
    assert await collection(server, "DICOM") == []
    # Only decoding shows that a file was cut short; all else is seen before.
    assert counts(would) == (10, 0, 7), would
    first, said = await imported(server, folder)
    assert counts(said) == (9, 0, 8)
    assert first.exit_code == SOME_FAILED
    progress = [json.loads(line) for line in first.stderr.splitlines() if line.startswith("{")]
    assert progress[-1]["done"] == progress[-1]["total"] == 17
    assert {"per_second", "seconds_left", "created", "existing", "rejected"} <= set(progress[-1])
    left_out = {"é.png", "readme.md", "lonely.txt", "empty.png", "bomb.png", "cut.png", "out.png", "loop"}
    errors = [one for one in said["problems"] if one["severity"] == "error"]
    assert {unicodedata.normalize("NFC", one["file"]) for one in errors} == left_out
    assert all(one["problem"] and one["remedy"] for one in errors)
    figures = {figure.picture["file"]: figure.legend for figure in await collection(server, "DICOM")}
    assert figures["plain.png"] == "MRI of the hippocampus."
    assert figures["deep/er/two.PNG"] == "Größe: 5 µm"
    assert {"Case.png", "case.PNG", "Zürich.png", "no ending", "line\N{REPLACEMENT CHARACTER}break.png"} <= set(figures)
    # There is a DICOM in it: its folder may be named after the patient.
    assert await collection(server, "mixed") == []
    assert not any("DOE" in figure.model_dump_json() for figure in await collection(server, "DICOM"))
    async with server.client() as client:
        assert "mixed" not in {job.name async for job in client.imports()}
    _, said = await imported(server, folder)
    assert counts(said) == (0, 9, 8)


async def test_rejects_are_corrected_and_imported_as_they_are(server: Server, tmp_path: Path) -> None:
    folder, rejects = tmp_path / "folder", tmp_path / "elsewhere.csv"
    folder.mkdir()
    manifest = [
        "Collection;File;Note;Legend;Year",
        "Corrected;a.png;mine;Femur.;2020",
        "Corrected;b.png;mine;Tibia;twenty",
        "Corrected;c.png;mine;One;2020;cell too many",
        "Corrected;empty.png;mine;Ulna;2020",
    ]
    (folder / "figures.csv").write_text("\n".join(manifest), encoding="utf-8")
    for place, name in enumerate(("a.png", "b.png", "c.png")):
        (folder / name).write_bytes(png(100 + place))
    (folder / "empty.png").touch()
    _, said = await imported(server, folder, "--rejects", rejects)
    assert counts(said) == (1, 0, 3)
    with rejects.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file))
    assert header == ["collection", "file", "note", "legend", "year", "row", "field", "problem", "remedy"]
    assert rows[0][:7] == ["Corrected", "b.png", "mine", "Tibia", "twenty", "3", "year"]
    # As it is, each is refused again; nothing slips in half.
    _, said = await imported(server, folder, "--manifest", rejects, "--rejects", tmp_path / "again.csv")
    assert counts(said) == (0, 0, 3)
    text = rejects.read_text(encoding="utf-8").replace("twenty", "2020").replace(",cell too many", "")
    rejects.write_text(text, encoding="utf-8")
    (folder / "empty.png").write_bytes(png(103))
    _, said = await imported(server, folder, "--manifest", rejects)
    assert counts(said) == (3, 0, 0)
    assert {f.legend for f in await collection(server, "Corrected")} == {"Femur.", "Tibia", "One", "Ulna"}


async def test_import_that_was_cut_off_goes_on_and_sends_nothing_twice(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "cut off"
    folder.mkdir()
    for number in range(BATCH + 5):
        (folder / f"{number:03}.png").write_bytes(png(1000 + number, width=16, height=16))
    (folder / "000.png").write_bytes(b"")
    (folder / "001.png").write_bytes(png(1)[:60])
    records = Records(tmp_path / "records")
    job = ""

    def begun(id: str) -> None:
        nonlocal job
        job = id

    async with server.client() as client:
        with read(folder) as found:
            record = Record(str(folder), "", found.state)
            with pytest.raises(KeyboardInterrupt):
                await bring(client, found, records=records, record=record, begun=begun, told=_cut)
        assert (await client.import_(job)).state == "running"
        uploads: list[Any] = []
        with read(folder) as found:
            assert records.get(job)[0] == Record(str(folder), "", found.state)
            watched = _Watched(client, uploads)
            done = await bring(watched, found, records=records, record=record, resume=job)  # type: ignore[arg-type]
        assert (await client.import_(job)).state == "done"
    assert (done.created, done.existing, done.rejected) == (BATCH + 3, 0, 2)
    assert len(uploads) == 4  # of the batch that was not sent
    assert [problem.file for problem in done.problems if problem.severity == "error"] == ["000.png", "001.png"]


def _cut(progress: Any) -> None:
    if progress.created:
        raise KeyboardInterrupt


class _Watched:
    """A client, and what it uploads."""

    def __init__(self, client: AsyncClient, uploads: list[Any]) -> None:
        self._client = client
        self._uploads = uploads

    def __getattr__(self, name: str) -> Any:
        if name == "upload":
            self._uploads.append(name)
        return getattr(self._client, name)
