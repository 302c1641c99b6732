"""The search index beside export's records: several writers at once, erasures, rebuilds; on every engine."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.export import rebuilding
from services.export.entries import entry_of
from services.export.indexing import Indexing
from services.export.merge import merged
from services.export.model import MODELS, FigureRecord, Rebuild
from services.export.rebuilding import Rebuilds
from shared import leases
from shared.documents.port import Collection
from shared.errors import Conflict, Erased, Unavailable
from shared.search.port import FigureEntry, Query, Search
from tests.support.builders import image_uploaded
from tests.support.embedded import embedded

Write = Callable[[Sequence[FigureEntry]], Awaitable[None]]


class HeldBack:
    """An index whose next write waits, as one that is on its way does."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self.arrived = asyncio.Event()
        self.go_on = asyncio.Event()

    def __getattr__(self, name: str) -> object:
        return getattr(self._search, name)

    async def put(self, entries: Sequence[FigureEntry]) -> None:
        await self._once(self._search.put, entries)

    async def fill(self, entries: Sequence[FigureEntry]) -> None:
        await self._once(self._search.fill, entries)

    async def _once(self, write: Write, entries: Sequence[FigureEntry]) -> None:
        if not self.arrived.is_set():
            self.arrived.set()
            await self.go_on.wait()
        await write(entries)


@dataclass
class Site:
    figures: Collection[FigureRecord]
    rebuilds: Collection[Rebuild]
    search: Search

    def indexing(self, search: object = None) -> Indexing:
        """What one process has."""
        return Indexing(self.figures, search or self.search)  # type: ignore[arg-type]

    def rebuilding(self, search: object = None) -> Rebuilds:
        there = search or self.search
        return Rebuilds(self.figures, self.rebuilds, there, self.indexing(there))  # type: ignore[arg-type]

    async def record(self, figure: str, revision: int) -> None:
        event = image_uploaded(figure=figure, revision=revision, legend=f"legend{revision}")
        await self.figures.update(
            figure, lambda record: (merged(record, event), ()), initial=FigureRecord(id=figure)
        )  # fmt: skip

    async def indexed(self) -> dict[str, int]:
        found = await self.search.search(Query(limit=1000))
        assert found.total == len(found.hits)
        return {hit.entry.id: hit.entry.version for hit in found.hits}

    async def recorded(self) -> dict[str, int]:
        page = await self.figures.find(limit=1000)
        return {entry.id: entry.version for entry in map(entry_of, page.items) if entry is not None}


@pytest.fixture(params=["fts5", pytest.param("meilisearch", marks=pytest.mark.servers)])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    async with embedded(tmp_path, MODELS) as engine:
        figures, rebuilds = engine.documents.collection(FigureRecord), engine.documents.collection(Rebuild)
        if request.param == "fts5":
            await engine.search.prepare()
            yield Site(figures, rebuilds, engine.search)
            return
        place = request.getfixturevalue("meilisearch")
        from tests.support.servers import meilisearch

        async with meilisearch.index(place) as there:
            yield Site(figures, rebuilds, there)


async def test_a_late_write_of_an_older_record_does_not_stay(site: Site) -> None:
    await site.record("f1", 1)
    slow = HeldBack(site.search)
    late = asyncio.create_task(site.indexing(slow).bring(["f1"]))
    await slow.arrived.wait()
    await site.record("f1", 2)
    await site.indexing().bring(["f1"])
    slow.go_on.set()
    await late
    assert await site.indexed() == await site.recorded() == {"f1": 2}


async def test_a_late_write_of_an_erased_figure_does_not_stay(site: Site) -> None:
    await site.record("f1", 1)
    slow = HeldBack(site.search)
    late = asyncio.create_task(site.indexing(slow).bring(["f1"]))
    await slow.arrived.wait()
    await site.figures.erase("f1")
    await site.indexing().bring(["f1"])
    slow.go_on.set()
    await late
    assert await site.indexed() == {}


async def test_what_changes_while_a_page_of_a_rebuild_is_on_its_way_is_in_the_new_index(site: Site) -> None:
    await site.record("changed", 1)
    await site.record("erased", 1)
    slow = HeldBack(site.search)
    rebuilds = site.rebuilding(slow)
    await rebuilds.ask()
    await slow.arrived.wait()
    await site.record("changed", 2)
    await site.record("new", 1)
    await site.indexing().bring(["changed", "new"])
    await site.figures.erase("erased")
    await site.indexing().bring(["erased"])
    slow.go_on.set()
    await finished(rebuilds)
    assert await site.indexed() == await site.recorded() == {"changed": 2, "new": 1}


async def test_writers_that_race_with_each_other_and_with_a_rebuild_leave_what_the_records_say(site: Site) -> None:
    figures = [f"f{number}" for number in range(8)]
    dice = random.Random(11)

    async def writer(revisions: Sequence[int]) -> None:
        """Events of all figures in an order of its own, as a process has them that took over partitions."""
        indexing = site.indexing()
        for revision in revisions:
            some = dice.sample(figures, 3)
            for figure in some:
                try:
                    if dice.random() < 0.05:
                        await site.figures.erase(figure)
                    else:
                        await site.record(figure, revision)
                except Erased:
                    pass
            await indexing.bring(some)

    await site.indexing().bring(figures)
    rebuilds = site.rebuilding()
    await rebuilds.ask()
    await asyncio.gather(*(writer(dice.sample(range(1, 20), 6)) for _ in range(3)), finished(rebuilds))
    assert await site.indexed() == await site.recorded()


async def test_a_rebuild_drops_what_no_record_knows_and_brings_what_was_lost(site: Site) -> None:
    for number in range(3):
        await site.record(f"f{number}", 1)
    await site.search.put([FigureEntry(id="stray", version=1, project="p", article="a", status="new")])
    rebuilds = site.rebuilding()
    begun = await rebuilds.ask()
    assert (await rebuilds.ask()).run == begun.run  # the one that goes on
    done = await finished(rebuilds)
    assert (done.state, done.figures) == ("done", 3)
    assert await site.indexed() == await site.recorded()
    await rebuilds.ask()
    await finished(rebuilds)
    assert await site.indexed() == await site.recorded()


async def test_a_rebuild_whose_process_died_is_begun_again_and_the_dead_one_disturbs_nobody(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.record("f1", 1)
    slow = HeldBack(site.search)
    dead = site.rebuilding(slow)
    await dead.ask()
    await slow.arrived.wait()
    monkeypatch.setattr(leases, "SILENCE", leases.SILENCE * 0)
    monkeypatch.setattr(leases, "BEAT_SECONDS", 0.01)
    survivor = site.rebuilding()
    await survivor.start()
    async with asyncio.timeout(20):
        while (await survivor.get()).state == "running":
            await asyncio.sleep(0.01)
    assert (await survivor.get()).state == "done"
    slow.go_on.set()  # it was only slow: it sees that another took over
    async with asyncio.timeout(20):
        while not dead._tasks.idle:
            await asyncio.sleep(0.01)
    assert (await dead.get()).state == "done"
    assert await site.indexed() == {"f1": 1}
    await survivor.stop()
    with pytest.raises(Conflict):
        await site.search.switch()


async def test_a_rebuild_waits_for_an_index_that_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.record("f1", 1)
    monkeypatch.setattr(rebuilding, "RETRY_SECONDS", 0.01)
    fill, failures = site.search.fill, iter(range(3))

    async def away_at_first(entries: Sequence[FigureEntry]) -> None:
        if next(failures, None) is not None:
            raise Unavailable("search")
        await fill(entries)

    monkeypatch.setattr(site.search, "fill", away_at_first)
    rebuilds = site.rebuilding()
    await rebuilds.ask()
    await finished(rebuilds)
    assert next(failures, None) is None
    assert await site.indexed() == {"f1": 1}


async def test_a_rebuild_that_cannot_go_on_says_why(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(entries: Sequence[FigureEntry]) -> None:
        raise Unavailable("search", "The disk is full.")

    await site.record("f1", 1)
    monkeypatch.setattr(rebuilding, "TRIES", 2)
    monkeypatch.setattr(rebuilding, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(site.search, "fill", full)
    rebuilds = site.rebuilding()
    await rebuilds.ask()
    async with asyncio.timeout(20):
        while (known := await rebuilds.get()).state == "running":
            await asyncio.sleep(0.01)
    assert (known.state, known.problem) == ("failed", "The disk is full.")


async def finished(rebuilds: Rebuilds) -> Rebuild:
    async with asyncio.timeout(50):
        while (known := await rebuilds.get()).state == "running":
            await asyncio.sleep(0.01)
    assert known.state == "done", known
    return known
