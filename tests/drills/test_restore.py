"""Backups are made while people work; a figure is erased; a backup that still holds it is restored: everything of the
backup is back, and the erased figure is nowhere, except in Kafka's records inside their retention.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import AsyncMongoClient

from mitagger.client import AsyncClient
from mitagger.client.errors import Missing
from tests.support.cluster import Cluster
from tests.support.people import ANNOTATOR, REVIEWER, exported, hired, signed_in, until
from tests.support.server import ROOT, Server
from tests.support.servers import kafka, mongo
from tests.support.work import Work, quiet

SENTINEL: Final = "zymurgiasentinel"
COMMAND_SECONDS: Final = 120

pytestmark = [pytest.mark.drill, pytest.mark.timeout(800)]


async def mitagger(*arguments: str, settings: Mapping[str, str] = {}, code: int = 0) -> str:
    """What a command printed. Raises AssertionError on another exit code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MITAGGER_")}
    cache = {"MITAGGER_CACHE": os.environ["MITAGGER_CACHE"]} if "MITAGGER_CACHE" in os.environ else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mitagger", *arguments),
        cwd=ROOT, env={**kept, **cache, **settings}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_SECONDS):
        said, complained = await process.communicate()
    assert process.returncode == code, (said + complained).decode()
    return said.decode() + complained.decode()


@asynccontextmanager
async def people(server: Server | Cluster, data: Path) -> AsyncIterator[Work]:
    async with AsyncExitStack() as stack:
        up = asyncio.Event()
        up.set()
        admin = await stack.enter_async_context(server.client())
        staff = await hired(admin)
        clients = {"admin": admin}
        for name in (ANNOTATOR, REVIEWER):
            clients[name] = await stack.enter_async_context(signed_in(server.url, name))
        yield Work(clients, staff, data, up)


async def erased(admin: AsyncClient, figure: str) -> None:
    """Returns when nobody has it any more."""
    await admin.delete_figure(figure)
    await gone(admin, figure)


async def gone(admin: AsyncClient, figure: str) -> None:
    async def nowhere() -> bool:
        for ask in (admin.figure, admin.recommendations):
            try:
                await ask(figure)
            except Missing:
                continue
            return False
        return (await admin.search(SENTINEL)).total == 0 and await quiet(admin)

    await until(nowhere, what="the figure is gone")


async def brought(admin: AsyncClient) -> str:
    """A figure with the sentinel in its legend, recommended; its id."""
    job = await admin.start_import("one", 1)
    row = {"row": 1, "collection": "erasing", "label": "Figure", "legend": f"Femur of {SENTINEL}."}
    (result,) = await admin.import_rows(job.id, [row])
    assert result.figure is not None

    async def indexed() -> bool:
        return (await admin.search(SENTINEL)).total == 1 and await quiet(admin)

    await until(indexed, what="the figure in the index")
    return result.figure


def holds(folder: Path) -> list[str]:
    """Files that hold the sentinel."""
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and SENTINEL.encode() in path.read_bytes().lower()
    ]


async def rows(admin: AsyncClient) -> list[dict[str, str]]:
    """The export, once it knows of everything that was done."""
    await until(lambda: quiet(admin), what="every group has caught up")
    return sorted(await exported(admin), key=lambda row: sorted(row.items()))


async def test_restored_store_has_everything_of_the_backup_and_nothing_that_was_erased(tmp_path: Path) -> None:
    server, copy = Server(tmp_path), tmp_path / "backup"
    try:
        await server.start()
        async with people(server, server.data) as work:
            admin = work._clients["admin"]
            await work.round()
            figure = await brought(admin)
            kept = await rows(admin)
            working = asyncio.create_task(work.round())
            await mitagger("backup", str(copy), "--data", str(server.data))
            await working
            assert holds(copy)
            await erased(admin, figure)
            said = await mitagger("restore", str(copy), "--data", str(server.data), "--replace", code=4)
            assert "Another MITagger serves" in said
        await server.kill()
        said = await mitagger("restore", str(copy), "--data", str(server.data), code=4)
        assert "--replace" in said
        await mitagger("restore", str(copy), "--data", str(server.data), "--replace")
        assert holds(server.data) == []
        await server.start()
        async with server.client() as admin:
            await gone(admin, figure)
            back = await rows(admin)
            assert [row for row in back if row["label"].startswith("Figure") and row["collection"] == "Round 0001"] == [
                row for row in kept if row["collection"] == "Round 0001"
            ]
            await admin.republish(["image.uploaded", "tag.accepted", "tag.withdrawn", "review.done"])
            await until(lambda: quiet(admin), what="what was republished is heard")
            await gone(admin, figure)
            assert await rows(admin) == back
            status = await admin.status()
            assert (status.problems, status.dead_letters) == ([], 0)
        await server.stop()
        assert holds(server.data) == []
    finally:
        await server.kill()


async def test_damaged_or_interrupted_backups_change_nothing_and_an_interrupted_restore_is_run_again(
    tmp_path: Path,
) -> None:
    server, copy = Server(tmp_path), tmp_path / "backup"
    try:
        await server.start()
        async with people(server, server.data) as work:
            await work.round()
            before = await rows(work._clients["admin"])
        await server.stop()
        await mitagger("backup", str(copy), "--data", str(server.data))
        new = tmp_path / "new"
        assert "There is no whole backup" in await mitagger("restore", str(tmp_path), "--data", str(new), code=4)
        blob = next((copy / "blobs").glob("??/*"))
        content = blob.read_bytes()
        blob.write_bytes(content[:-1] + b"?")
        assert "damaged" in await mitagger("restore", str(copy), "--data", str(new), code=4)
        blob.write_bytes(content)
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
        assert "newer MITagger" in await mitagger("restore", str(copy), "--data", str(new), code=4)
        (copy / "manifest.json").write_text(json.dumps(manifest))
        assert not new.exists()
        # As a restore leaves it that is killed while it copies.
        new.mkdir()
        (new / "restoring").touch()
        (new / "mitagger.restored").write_bytes(b"half")
        assert "was interrupted" in await mitagger("status", "--data", str(new), code=4)
        await mitagger("restore", str(copy), "--data", str(new))
        server.data = new
        await server.start()
        async with server.client() as admin:
            assert await rows(admin) == before
    finally:
        await server.kill()


@pytest.mark.servers
async def test_restored_cluster_has_everything_of_the_backup_and_nothing_that_was_erased(
    tmp_path: Path, mongodb: str
) -> None:
    def site(folder: Path) -> tuple[Cluster, dict[str, str]]:
        name = f"restore{secrets.token_hex(4)}"
        folder.mkdir()
        bus, documents = f"kafka://{kafka.address()}/{name}", mongo.named(mongodb, name)
        settings = {
            "MITAGGER_BUS": bus,
            "MITAGGER_DOCUMENTS": documents,
            "MITAGGER_BLOBS": f"file://{folder / 'blobs'}",
            "MITAGGER_KEY": secrets.token_hex(32),
            "MITAGGER_DATA": str(folder / "operator"),
        }
        return Cluster(folder, bus=bus, documents=documents), settings

    copy = tmp_path / "backup"
    old, settings = site(tmp_path / "old")
    try:
        await old.start()
        async with people(old, tmp_path / "old") as work:
            admin = work._clients["admin"]
            await work.round()
            figure = await brought(admin)
            kept = await rows(admin)
            await mitagger("backup", str(copy), settings=settings)
            await erased(admin, figure)
            # The ledger of the newest backup goes with whoever restores an older one.
            newest = tmp_path / "newest"
            await mitagger("backup", str(newest), settings=settings)
            key = old.key
        await old.stop()
    finally:
        await old.kill()
    new, settings = site(tmp_path / "new")
    ledger = (copy / "erasures.log").read_bytes()
    (copy / "erasures.log").write_bytes((newest / "erasures.log").read_bytes())
    assert "damaged" in await mitagger("restore", str(copy), settings=settings, code=4)
    (copy / "erasures.log").write_bytes(ledger)
    await mitagger("restore", str(copy), "--erasures", str(newest / "erasures.log"), settings=settings)
    new.key = key
    try:
        await new.start()
        async with new.client() as admin:
            await until(lambda: quiet(admin), what="the ledger is applied")
            await gone(admin, figure)
            await admin.republish(["image.uploaded", "tag.accepted", "tag.withdrawn", "review.done"])
            await until(lambda: quiet(admin), what="what was republished is heard")
            await gone(admin, figure)
            assert await rows(admin) == [row for row in kept if row["figure_id"] != figure]
            status = await admin.status()
            assert (status.problems, status.dead_letters) == ([], 0)
        await new.stop()
        assert [name for name in holds(tmp_path / "new") if not name.endswith(".log")] == []
        assert SENTINEL not in await _everything(settings["MITAGGER_DOCUMENTS"])
        assert "There is no" not in await mitagger("restore", str(copy), settings=settings, code=4)
    finally:
        await new.kill()


async def _everything(url: str) -> str:
    """All documents of a database, as text."""
    async with AsyncMongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        names = await database.list_collection_names()
        return "".join([str(await database[name].find({}).to_list()) for name in names]).lower()
