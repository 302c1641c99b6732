"""A folder of good, bad and hostile files goes in while the command, the server and its workers are killed: nothing of
it is lost, nothing is left over.

Whoever imports goes on by the id of the job, and in the end sends the folder once more, as one does whose file was
blamed for a worker that somebody killed. Then figures and files equal those of an undisturbed import, which is the same
whatever the engines.

`MITAGGER_DRILL_BATCH` says how many files (150; `make drills`: 10,000), `MITAGGER_DRILL_SEED` repeats the choices.
"""

import asyncio
import json
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from mitagger.cli.outcome import UNREACHABLE
from mitagger.client import AsyncClient
from tests.support.cluster import Cluster
from tests.support.images import bomb, png
from tests.support.people import until
from tests.support.server import ROOT, Server
from tests.support.servers import kafka, mongo

FILES: Final = int(os.environ.get("MITAGGER_DRILL_BATCH", "150"))
SEED: Final = int(os.environ.get("MITAGGER_DRILL_SEED", str(random.SystemRandom().randrange(10**6))))
DEATHS: Final = 6 + FILES // 500
BAD: Final = sum(number % 40 in (3, 13, 23, 33) for number in range(FILES))
SECONDS: Final = 360 + FILES / 5
DAYS: Final = 3 * 24 * 3600

pytestmark = [pytest.mark.drill, pytest.mark.timeout(int(2 * SECONDS))]


def filled(folder: Path) -> Path:
    """One in ten is bad: empty, cut short, a bomb, no picture; some have legends beside them."""
    for number in range(FILES):
        place = folder / f"{number % 7}" / f"{number:05}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        content = png(number, width=120, height=90)
        bad = {3: b"", 13: content[:200], 23: bomb(), 33: b"no picture"}
        place.write_bytes(bad.get(number % 40, content))
        if number % 5 == 0:
            place.with_suffix(".txt").write_text(f"MRI of mouse {number}.", encoding="utf-8")
    return folder


class Site:
    """A server, and a key that outlives its processes; `blobs` and `scratch` are where its files lie."""

    def __init__(self, folder: Path) -> None:
        self.server: Server | Cluster = Server(folder)
        self.blobs, self.scratch = folder / "data" / "blobs", folder / "data" / "scratch"
        self.key = ""
        self.deaths = 0

    async def start(self) -> None:
        await self.server.start()
        if not self.key:
            async with self.server.client() as admin:
                self.key = (await admin.create_key("drill", ["administrator"])).key or ""

    async def fall(self) -> None:
        """The server dies and is started again."""
        await self.server.kill()
        await self.server.start()

    def workers(self) -> list[int]:
        assert isinstance(self.server, Server)
        return children(self.server.pid)

    async def command(self, *arguments: str) -> asyncio.subprocess.Process:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MITAGGER_")}
        if "MITAGGER_CACHE" in os.environ:
            kept["MITAGGER_CACHE"] = os.environ["MITAGGER_CACHE"]
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mitagger", "import", *arguments, "--json"),
            *("--server", self.server.url, "--key", self.key),
            env={**kept, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def imported(self, folder: Path, chance: random.Random | None) -> dict[str, Any]:
        """What the command says in the end. With `chance` it dies on the way, and what it needs."""
        job = ""
        while True:
            process = await self.command(*(["--resume", job] if job else [str(folder)]))
            talk = asyncio.create_task(process.communicate())
            while chance is not None and self.deaths < DEATHS and not talk.done():
                # By what is done, not by time: a fast machine would be through, a slow one hardly begun.
                due = self.stored() + chance.randrange(max(2, FILES // DEATHS))
                while not talk.done() and self.stored() < due:
                    await asyncio.wait([talk], timeout=0.05)
                if not talk.done():
                    self.deaths += await self.kill(chance.choice(["command", "server", "worker"]), process)
            out, err = await talk
            job = next((line.split()[1].rstrip(".") for line in err.decode().splitlines() if "Import " in line), job)
            if process.returncode in (0, 1):
                return dict(json.loads(out))
            # Killed, or it gave up on who was killed and took long to come back.
            assert chance is not None, err.decode()
            gave_up = process.returncode == UNREACHABLE or b"is not available. Try again" in err
            assert gave_up or process.returncode == -signal.SIGKILL, err.decode()

    def stored(self) -> int:
        """How many files lie there: several of each picture."""
        return sum(path.is_file() for path in self.blobs.rglob("*"))

    async def kill(self, victim: str, command: asyncio.subprocess.Process) -> int:
        """How many died."""
        if victim == "command":
            command.kill()
        elif victim == "server":
            await self.fall()
        else:
            workers = self.workers()
            if not workers:
                return 0
            os.kill(workers[0], signal.SIGKILL)
        return 1

    async def left(self) -> dict[str, Any]:
        """Figures and files, once everything is old and what nothing names is collected."""
        async with AsyncClient(self.server.url, key=self.key) as admin:

            async def quiet() -> bool:
                return not any(one.behind for one in (await admin.status()).progress)

            await until(quiet, what="every group has caught up", seconds=SECONDS)
            for path in [*self.blobs.rglob("*"), *self.scratch.rglob("*")]:
                os.utime(path, (time.time() - DAYS,) * 2)
            collected = await admin.collect_files()
            figures = [figure async for figure in admin.figures()]
        return {
            "figures": sorted((one.picture["file"], one.picture["sha256"], one.legend) for one in figures),  # type: ignore[index]
            "files": sorted(path.name for path in self.blobs.rglob("*") if path.is_file()),
            "kept": collected.kept,
            "scratch": sorted(path.name for path in self.scratch.iterdir() if path.name != "views"),
        }


class Apart(Site):
    """A process a service, on Kafka and MongoDB; of the server, the one that takes pictures in dies."""

    def __init__(self, folder: Path, mongodb: str) -> None:
        super().__init__(folder)
        folder.mkdir()
        name = f"batch{secrets.token_hex(4)}"
        self.cluster = Cluster(folder, bus=f"kafka://{kafka.address()}/{name}", documents=mongo.named(mongodb, name))
        self.server = self.cluster
        self.blobs, self.scratch = folder / "blobs", folder / "ingest" / "scratch"

    async def fall(self) -> None:
        await self.cluster.end("ingest", signal.SIGKILL)
        await self.cluster.launch("ingest")
        await self.cluster.ready("ingest")

    def workers(self) -> list[int]:
        return children(self.cluster.pid("ingest"))


def children(process: int) -> list[int]:
    """Its worker processes."""
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(pid) for pid in path.read_text().split()]


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("figures"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def calm(tmp_path_factory: pytest.TempPathFactory, figures: Path) -> dict[str, Any]:
    """What an undisturbed import leaves."""
    left, _ = await _imported(Site(tmp_path_factory.mktemp("calm")), figures, None)
    assert len(left["figures"]) == FILES - BAD
    assert len(left["files"]) == left["kept"]
    return left


@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
async def test_a_folder_goes_in_whole_whoever_is_killed(tmp_path: Path, figures: Path, calm: dict[str, Any]) -> None:
    await _drilled(Site(tmp_path / "disturbed"), figures, calm)


@pytest.mark.servers
@pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc")
async def test_a_folder_goes_in_whole_on_kafka_and_mongodb_too(
    tmp_path: Path, mongodb: str, figures: Path, calm: dict[str, Any]
) -> None:
    await _drilled(Apart(tmp_path / "disturbed", mongodb), figures, calm)


async def _drilled(site: Site, figures: Path, calm: dict[str, Any]) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED} MITAGGER_DRILL_BATCH={FILES}")  # noqa: T201 - pytest shows it on failure
    disturbed, deaths = await _imported(site, figures, random.Random(SEED))
    assert deaths >= 3, "it was over before much could happen: more files"
    for what, value in calm.items():
        assert disturbed[what] == value, f"{what} (seed {SEED})"


async def _imported(site: Site, folder: Path, chance: random.Random | None) -> tuple[dict[str, Any], int]:
    """What is left where the folder went in twice, and how many died meanwhile."""
    async with asyncio.timeout(SECONDS):
        await site.start()
        try:
            first = await site.imported(folder, chance)
            again = await site.imported(folder, None)
            assert first["rejected"] >= again["rejected"] == BAD, (first, again)
            assert again["created"] + again["existing"] + again["rejected"] == FILES
            left = await site.left()
            workers = site.workers()
            await site.server.stop()
            assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []
            assert "Traceback" not in site.server.told()
        finally:
            await site.server.kill()
    return left, site.deaths
