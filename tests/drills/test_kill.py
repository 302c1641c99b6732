"""kill -9 at random moments while figures come in and are decided: nothing is lost, nothing doubled.

Clients work as people and scripts do: they send again what got no answer, to the same address. Afterwards the export,
the histories, the figures, their files and the events equal those of a server that nobody disturbed.

`MITAGGER_DRILL_KILLS` says how many kills (10; `make drills`: 200), `MITAGGER_DRILL_SEED` repeats the same moments.
"""

import asyncio
import os
import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest

from mitagger.client import AsyncClient
from tests.support.people import ANNOTATOR, REVIEWER, hired, signed_in, until
from tests.support.server import Server
from tests.support.work import Work

KILLS: Final = int(os.environ.get("MITAGGER_DRILL_KILLS", "10"))
SEED: Final = int(os.environ.get("MITAGGER_DRILL_SEED", str(random.SystemRandom().randrange(10**6))))
LIFE_SECONDS: Final = 2.0  # of a server that is killed at a moment: while it starts, loads, catches up
LIFE_ANSWERS: Final = 30  # of one that is killed at work, at most
SECONDS: Final = 240 + 30 * KILLS

pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]


class Site:
    """A server, and clients that live longer than its processes."""

    work: Work

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        self.up = asyncio.Event()
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        await self.server.start()
        self.up.set()
        async with self.server.client() as admin:  # with the key of this process
            staff = await hired(admin)
            key = (await admin.create_key("drill", ["administrator"])).key
        assert key is not None
        clients = {"admin": await self._stack.enter_async_context(AsyncClient(self.server.url, key=key))}
        for name in (ANNOTATOR, REVIEWER):
            clients[name] = await self._stack.enter_async_context(signed_in(self.server.url, name))
        self.work = Work(clients, staff, self.server.data, self.up)

    async def close(self) -> None:
        await self._stack.aclose()
        await self.server.kill()

    async def lived(self, chance: random.Random) -> None:
        """Until some random moment, mostly of work. (Its sleeps make moments; they wait for nothing.)"""
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
            return
        last = self.work.answers + chance.randint(1, LIFE_ANSWERS)

        async def worked() -> bool:
            return self.work.answers >= last

        await until(worked, what="the clients go on", seconds=SECONDS)
        await asyncio.sleep(chance.uniform(0, 0.02))

    async def kill(self, chance: random.Random) -> int:
        """One cold death, sometimes another while it starts, and a server that answers. Returns how many deaths."""
        self.up.clear()
        await self.server.kill()
        deaths = 1
        if chance.random() < 0.2:
            await self.server.launch()
            await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
            await self.server.kill()
            deaths += 1
        await self.server.start()
        self.up.set()
        return deaths


async def _deaths(site: Site, chance: random.Random) -> int:
    deaths = 0
    while deaths < KILLS:
        await site.lived(chance)
        deaths += await site.kill(chance)
    return deaths


async def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED} MITAGGER_DRILL_KILLS={KILLS}")  # noqa: T201 - pytest shows it when the drill fails
    disturbed, calm = Site(tmp_path / "disturbed"), Site(tmp_path / "calm")
    async with asyncio.timeout(SECONDS):
        await disturbed.open()
        reaper = asyncio.create_task(_deaths(disturbed, random.Random(SEED)))
        try:
            while not reaper.done():
                await disturbed.work.round()
            deaths = await reaper
            left = await disturbed.work.state()
        finally:
            reaper.cancel()
            await disturbed.close()
    async with asyncio.timeout(SECONDS):
        await calm.open()
        try:
            for _ in range(disturbed.work.rounds):
                await calm.work.round()
            expected = await calm.work.state()
        finally:
            await calm.close()
    print(f"{deaths} deaths, {disturbed.work.rounds} rounds, {len(left['export'])} rows")  # noqa: T201
    assert deaths >= KILLS
    assert len(left["export"]) >= 4 * disturbed.work.rounds
    for what, value in expected.items():
        assert left[what] == value, f"{what} (seed {SEED})"
    assert (left["scratch"], left["dead letters"], left["problems"]) == ([], 0, [])
    assert "Traceback" not in disturbed.server.told()
