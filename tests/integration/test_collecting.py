"""Files that nothing names go; nothing that is in use ever does, whatever happens at the same moment."""

import io
import os
import time
from pathlib import Path

import pytest
from fastapi import APIRouter
from pydicom.data import get_testdata_file

from services.gateway.collecting import Collector
from shared.errors import Unavailable
from shared.http import Hop, door
from tests.support.images import png
from tests.support.people import exported
from tests.support.system import System, system

# One loop for all: worker processes belong to a loop, and starting one takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

DAY = 24 * 3600


def files(folder: Path) -> dict[str, Path]:
    return {path.name: path for path in (folder / "data" / "blobs").rglob("*") if path.is_file()}


def aged(folder: Path, days: float) -> None:
    """All files were stored `days` ago."""
    for path in files(folder).values():
        os.utime(path, (time.time() - days * DAY,) * 2)


async def upload(site: System, content: bytes) -> str:
    return (await site.work.ask("admin", lambda c: c.upload(io.BytesIO(content)))).upload


async def row(site: System, upload: str, label: str) -> str:
    """What becomes of a row with this upload."""
    job = (await site.work.ask("admin", lambda c: c.start_import("one", 1))).id
    values = {"row": 1, "collection": "C", "label": label, "file": "a.png", "upload": upload}
    (result,) = await site.work.ask("admin", lambda c: c.import_rows(job, [values]))
    return result.status if result.problem is None else f"{result.status}: {result.problem.remedy}"


async def test_unnamed_files_go_when_they_are_old_and_all_others_stay(tmp_path: Path) -> None:
    async with system(tmp_path) as site:
        await site.work.round()  # figures, tags, reviews
        await site.work.ask("admin", exported)
        dicom = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()
        assert (await row(site, await upload(site, dicom), "CT")).startswith("created")
        await site.engine.bus.settled()
        used = set(files(tmp_path))
        unused = await upload(site, png(900))
        # Of a figure that is there, but its original must not be: it came again and no row was sent.
        original = await upload(site, dicom)
        aged(tmp_path, 3)
        (tmp_path / "data" / "blobs" / unused[:2] / "part-x").write_bytes(b"half")
        os.utime(tmp_path / "data" / "blobs" / unused[:2] / "part-x", (0, 0))
        fresh = await upload(site, png(901))
        would = await site.work.ask("admin", lambda c: c.collect_files(dry_run=True))
        assert (would.kept, would.unnamed) == (len(used), 2)
        assert set(files(tmp_path)) == used | {unused, original, fresh, "part-x"}
        done = await site.work.ask("admin", lambda c: c.collect_files())
        assert (done.kept, done.unnamed, done.bytes) == (len(used), 2, len(png(900)) + len(dicom))
        assert set(files(tmp_path)) == used | {fresh}


async def test_an_upload_is_named_within_a_day_or_sent_again(tmp_path: Path) -> None:
    """So that what is collected after two days was named by nobody, and will not be."""
    async with system(tmp_path) as site:
        late = await upload(site, png(1))
        aged(tmp_path, 1.5)
        assert await row(site, late, "Late") == "rejected: Upload it again, then send the row again."
        assert await upload(site, png(1)) == late
        assert await row(site, late, "In time") == "created"
        aged(tmp_path, 1.5)
        assert await row(site, late, "In time") == "existing"
        shared = await upload(site, png(2))
        aged(tmp_path, 3)
        assert await upload(site, png(2)) == shared  # the same content again: it is young again
        assert (await site.work.ask("admin", lambda c: c.collect_files())).unnamed == 0
        assert await row(site, shared, "Again") == "created"


async def test_a_service_that_does_not_say_what_it_keeps_keeps_everything(tmp_path: Path) -> None:
    async with system(tmp_path) as site:
        await upload(site, png(1))
        aged(tmp_path, 3)
        engine = site.engine
        older = Hop("older", app=door("older", APIRouter(), signer=engine.signer))
        with pytest.raises(Unavailable, match="older"):
            await Collector(engine.documents, engine.blobs, engine.signer, {"older": older}).collect()
        assert len(files(tmp_path)) == 1
