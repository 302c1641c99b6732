"""Every await of every handler fails once: the process dies there, or the call does, and the end is the same.

All services run in this process over one store. Each call that they make of the store or of the files is a point; what
is new to the drill fails the first time it is reached, before its effect and after it:

- `died`: the process is gone. Nothing that it had begun goes on; another one starts on the same data.
- `lost`: the call raises what a dependency that is down raises; the process goes on.
- `broken`: the call raises an error that nobody foresaw; the process goes on.

So one run visits all points, those of starting and of recovering too, and ends when there is nothing new to fail.
"""

import asyncio
import sys
import zipfile
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

import httpx
import pytest
import pytest_asyncio
from pydicom.data import get_testdata_file

from mitagger.client import AsyncClient
from mitagger.client.errors import Busy, Failed, Missing, ServerFailed, Unreachable
from mitagger.serve import MODELS
from services.export import jobs
from services.ingest import imports
from shared import logs
from shared.blobs import MAX_BYTES, Blob, Blobs
from shared.bus import sqlite as bus_engine
from shared.bus.log import EventLog
from shared.bus.sqlite import SqliteBus
from shared.documents.sqlite import NoOutbox, SqliteDocuments
from shared.engine import Engine
from shared.erasures import FileErasures
from shared.errors import Unavailable
from shared.grants import Signer
from shared.search.fts5 import Fts5Search
from shared.service import Service
from shared.sqlite import Database, Job
from tests.support import late_routes
from tests.support.images import png
from tests.support.people import exported, until
from tests.support.system import composed, working
from tests.support.work import Work, quiet

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1_200)]

SECONDS: Final = 500.0
MOST_IN_A_ROW: Final = 100  # starts that fail one after the other
ROOT: Final = str(Path(__file__).parents[2])

How: TypeAlias = Literal["died", "lost", "broken"]
T = TypeVar("T")


class Died(BaseException):
    """Nothing of the process goes on from here."""


class Fate:
    """What fails, where: each point once. One for a whole run; `dead` is set anew with each process."""

    def __init__(self, how: How | None, dying: Callable[[], None]) -> None:
        self.how = how
        self.failed: set[str] = set()
        self._dying = dying

    def meet(self, process: "Process", moment: str) -> None:
        """Called before or after each call. Raises as it must."""
        if process.dead:
            raise Died
        if self.how is None or (point := _point(moment)) in self.failed:
            return
        self.failed.add(point)
        if self.how == "lost":
            raise Unavailable("drill", point)
        if self.how == "broken":
            raise ArithmeticError(point)
        process.dead = True
        self._dying()
        raise Died


def _point(moment: str) -> str:
    """The two innermost places of the product's code, outside the engines, and whose turn it is."""
    places: list[str] = []
    frame = sys._getframe(2)
    while frame is not None and len(places) < 2:
        name = frame.f_code.co_filename
        if name.startswith(ROOT) and "/tests/" not in name and not name.endswith(("/sqlite.py", "/blobs.py")):
            places.append(f"{name.removeprefix(ROOT)}:{frame.f_lineno}")
        elif name.endswith("/bus/sqlite.py"):
            places.append(f"bus.{frame.f_code.co_name}")
        frame = frame.f_back  # type: ignore[assignment]
    task = asyncio.current_task()
    turn = task.get_name() if task is not None and task.get_name().startswith("bus ") else ""
    return " < ".join([moment, *places, turn])


class MortalDatabase(Database):
    def __init__(self, path: Path, meet: Callable[[str], None]) -> None:
        super().__init__(path)
        self._meet = meet

    async def write(self, job: Job[T]) -> T:
        self._meet("before write")
        done = await super().write(job)
        self._meet("after write")
        return done

    async def read(self, job: Job[T]) -> T:
        self._meet("before read")
        return await super().read(job)

    def look(self, job: Job[T]) -> T:
        self._meet("before look")
        return super().look(job)


class MortalBlobs(Blobs):
    def __init__(self, url: str, *, scratch: Path, meet: Callable[[str], None]) -> None:
        super().__init__(url, scratch=scratch)
        self._meet = meet

    async def put(self, chunks: AsyncIterable[bytes], *, limit: int = MAX_BYTES) -> Blob:
        self._meet("before put")
        blob = await super().put(chunks, limit=limit)
        self._meet("after put")
        return blob

    async def put_file(self, path: Path) -> Blob:
        self._meet("before put file")
        blob = await super().put_file(path)
        self._meet("after put file")
        return blob

    async def stat(self, sha256: str) -> Blob:
        self._meet("before stat")
        return await super().stat(sha256)

    async def delete(self, sha256: str) -> None:
        self._meet("before delete")
        await super().delete(sha256)
        self._meet("after delete")


class Process:
    """All services over the data of `folder`, as `mitagger.serve` puts them together, on mortal engines."""

    def __init__(self, folder: Path, fate: Fate) -> None:
        self.dead = False
        self._folder = folder
        self._fate = fate
        self._database = MortalDatabase(folder / "mitagger.sqlite", self._meet)
        self._bus: SqliteBus | None = None
        self._services: list[Service] = []
        self.app: Any = None

    def _meet(self, moment: str) -> None:
        self._fate.meet(self, moment)

    async def start(self) -> None:
        await self._database.open()
        log = EventLog()
        documents, search = SqliteDocuments(self._database, log), Fts5Search(self._database)
        self._bus = SqliteBus(self._database, log)
        await documents.prepare(MODELS)
        await self._bus.prepare()
        await search.prepare()
        blobs = MortalBlobs(f"file://{self._folder / 'blobs'}", scratch=self._folder / "scratch", meet=self._meet)
        blobs.sweep()
        engine = Engine(
            documents,
            NoOutbox(),
            self._bus,
            search,
            blobs,
            FileErasures(self._folder / "erasures.log"),
            Signer(b"k" * 32),
        )
        everyone = composed(engine)
        self.app = everyone[-1].app
        for service in everyone:
            self._services.append(service)
            await service.start()
        await engine.bus.start()

    async def end(self) -> None:
        """Whether it died or not: its tasks are over and its store is closed."""
        self.dead = True  # what still runs meets its end at its next call
        mine = [task for task in asyncio.all_tasks() if task.get_name().startswith("bus ")]
        for service in reversed(self._services):
            await service.stop()
        if self._bus is not None:
            with suppress(Died):
                await self._bus.stop()
        if mine:
            await asyncio.wait(mine, timeout=20)
        await self._database.close()


class Site:
    """One process after the other on the same data, and clients that live longer."""

    work: Work

    def __init__(self, folder: Path, how: How | None) -> None:
        self.folder = folder
        self.up = asyncio.Event()
        self.fate = Fate(how, self._dying)
        self.deaths = 0
        self._died = asyncio.Event()
        self._process: Process | None = None

    def _dying(self) -> None:
        self.up.clear()
        self._died.set()

    async def handle(self, request: httpx.Request) -> httpx.Response:
        """As the network does: a process that dies does not answer."""
        process = self._process
        assert process is not None
        try:
            answer = await httpx.ASGITransport(process.app, raise_app_exceptions=False).handle_async_request(request)
            await answer.aread()
        except BaseException as error:
            if process.dead and not isinstance(error, asyncio.CancelledError):
                raise httpx.ConnectError("It died.", request=request) from None
            raise
        if process.dead:
            raise httpx.ReadError("It died.", request=request)
        return answer

    async def live(self) -> None:
        """Starts a process whenever there is none, until it is cancelled."""
        try:
            while True:
                await self._start()
                await self._died.wait()
                await self._end()
        finally:
            await self._end()

    async def _start(self) -> None:
        for _ in range(MOST_IN_A_ROW):
            self._process = Process(self.folder, self.fate)
            try:
                await self._process.start()
            except (Died, Unavailable, ArithmeticError):
                pass  # whoever runs servers starts it again
            else:
                if not self._process.dead:
                    self._died.clear()
                    self.up.set()
                    return
            await self._end()
        raise AssertionError("It does not start any more.")

    async def _end(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            self.deaths += process.dead
            await process.end()


class Wire(httpx.AsyncBaseTransport):
    def __init__(self, site: Site) -> None:
        self._site = site

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._site.up.wait()
        return await self._site.handle(request)


@asynccontextmanager
async def lived(folder: Path, how: How | None) -> AsyncIterator[Site]:
    """A site, its people hired before anything fails."""
    folder.mkdir()
    site = Site(folder, None)
    async with asyncio.TaskGroup() as group:
        life = group.create_task(site.live(), name="life")
        again = (Unreachable, Busy, ServerFailed, Failed)
        async with working(folder, lambda: Wire(site), site.up, again) as site.work:
            site.fate.how = how
            yield site
        life.cancel()


async def job(site: Site, folder: Path) -> dict[str, Any]:
    """Figures one by one, from rows and from an archive, a correction, an export, an erasure, tags and reviews."""
    work = site.work
    await work.round()
    archive = folder / "figures.zip"
    with zipfile.ZipFile(archive, "w") as out:
        rows = ["collection,label,file,legend,external_id", "Atlas,Figure 1,a.png,Femur with fibrosis.,zip-1"]
        rows += ["Atlas,Figure 2,b.dcm,The hippocampus.,zip-2", ",Figure 3,c.png,No article.,zip-3"]
        out.writestr("figures.csv", "\n".join(rows))
        out.writestr("a.png", png(77))
        out.write(str(get_testdata_file("CT_small.dcm", download=False)), "b.dcm")
        out.writestr("c.png", png(78))
    id = (await work.ask("admin", lambda c: c.import_archive(archive))).id

    async def imported() -> bool:
        return (await work.ask("admin", lambda c: c.import_(id))).state != "running"

    await until(imported, what="the archive is read", seconds=SECONDS)
    done = await work.ask("admin", lambda c: c.import_(id))
    assert (done.state, done.created + done.existing, done.rejected) == ("done", 2, 1), done
    figures = {f.external_id: f for f in await work.ask("admin", _figures)}
    corrected, erased = figures["zip-1"], figures["zip-2"]
    legend = "Femur of a patient with hypertension."
    await work.ask("admin", lambda c: c.change_figure(corrected.id, version=corrected.version, legend=legend))
    await until(lambda: work.recommended(erased.id), what="recommendations", seconds=SECONDS)
    # An export that fails between storing its file and recording it leaves the file; the next one, of the same state,
    # has the same. So the state must be at rest.
    await work.ask("admin", lambda c: until(lambda: quiet(c), what="every group has caught up"))
    await work.ask("admin", exported)
    await work.ask("admin", lambda c: c.delete_figure(erased.id))
    with pytest.raises(Missing):
        await work.ask("admin", lambda c: c.figure(erased.id))

    async def revised() -> bool:
        found = await work.ask("admin", lambda c: c.recommendations(corrected.id))
        return {item.curie for item in found.items} == {"UBERON:2", "MONDO:2"}

    await until(revised, what="recommendations of the corrected legend", seconds=SECONDS)
    site.fate.how = None
    return await work.state()


async def _figures(client: AsyncClient) -> list[Any]:
    return [figure async for figure in client.figures()]


@pytest.fixture(autouse=True, scope="module")
def impatient() -> Iterator[None]:
    """What waits before it tries again waits shortly, what takes long to begin begins late, and the log is that of a
    server."""
    logs.configure("error", json=True)
    with pytest.MonkeyPatch.context() as patch:
        late_routes.put_off(patch)  # each process that starts makes all doors anew
        patch.setattr(bus_engine, "delay", lambda attempt: 0.005)
        patch.setattr(bus_engine, "DEPENDENCY_SECONDS", 0.01)
        # A handler may have more points than an event has attempts; what is dead-lettered then has drills of its own.
        patch.setattr(bus_engine, "ATTEMPTS", 1_000)
        patch.setattr(imports, "RETRY_SECONDS", 0.01)
        patch.setattr(jobs, "RETRY_SECONDS", 0.01)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What an undisturbed run leaves."""
    folder = tmp_path_factory.mktemp("calm")
    async with asyncio.timeout(SECONDS), lived(folder / "data", None) as site:
        return await job(site, folder)


@pytest.mark.parametrize("how", ["died", "lost", "broken"])
async def test_a_failure_at_any_point_leaves_what_an_undisturbed_run_leaves(
    tmp_path: Path, how: How, expected: dict[str, Any]
) -> None:
    async with asyncio.timeout(SECONDS), lived(tmp_path / "disturbed", how) as site:
        left = await job(site, tmp_path)
    print(f"{how}: {len(site.fate.failed)} points, {site.deaths} deaths")  # noqa: T201 - pytest shows it on failure
    assert len(site.fate.failed) > 100, sorted(site.fate.failed)
    assert site.deaths >= (len(site.fate.failed) if how == "died" else 0)
    for what, value in expected.items():
        assert left[what] == value, what
    assert (left["dead letters"], left["problems"]) == (0, [])
