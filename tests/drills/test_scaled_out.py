"""Services in processes of their own on real Kafka, recommenders killed at random, the broker stopped in between: what
is left equals what an undisturbed run with one recommender leaves.

`MITAGGER_DRILL_FIGURES` (200; `make drills`: 2,000) go in while people work; `MITAGGER_DRILL_DEATHS` (3; `make drills`:
20) recommenders die by kill -9; `MITAGGER_DRILL_SEED` repeats which and when.
"""

import asyncio
import os
import random
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo import AsyncMongoClient

from mitagger.client import AsyncClient
from tests.support.cluster import Cluster
from tests.support.people import ANNOTATOR, REVIEWER, hired, signed_in, until
from tests.support.servers import mongo
from tests.support.servers.kafka import Broker
from tests.support.work import Work, quiet

FIGURES: Final = int(os.environ.get("MITAGGER_DRILL_FIGURES", "200"))
DEATHS: Final = int(os.environ.get("MITAGGER_DRILL_DEATHS", "3"))
SEED: Final = int(os.environ.get("MITAGGER_DRILL_SEED", str(random.SystemRandom().randrange(10**6))))
ROWS_AT_ONCE: Final = 50
RECOMMENDERS: Final = ("recommender", "recommender.2", "recommender.3")
SECONDS: Final = 480 + FIGURES / 4 + 30 * DEATHS

pytestmark = [pytest.mark.servers, pytest.mark.drill, pytest.mark.timeout(int(2 * SECONDS))]

LEGENDS: Final = (
    "MRI of the hippocampus of mouse {}, with gliosis.",
    "Case {}: femur with osteosarcoma, no metastasis.",
    "Western blot {} of apoptosis in neurons.",
    "Of {} and zymurgy.",
)


class Site:
    """A cluster on a database and topics of its own, and the people who work on it."""

    work: Work
    admin: AsyncClient

    def __init__(self, folder: Path, recommenders: int, *, kafka: str, mongodb: str) -> None:
        self.name = f"drill{secrets.token_hex(4)}"
        self.documents = mongo.named(mongodb, self.name)
        self.cluster = Cluster(
            folder,
            bus=f"kafka://{kafka}/{self.name}",
            documents=self.documents,
            copies={"recommender": recommenders},
        )
        self.stack = AsyncExitStack()

    async def open(self) -> None:
        await self.cluster.start()
        up = asyncio.Event()
        up.set()
        self.admin = await self.stack.enter_async_context(self.cluster.client())
        staff = await hired(self.admin)
        clients = {"admin": self.admin}
        for name in (ANNOTATOR, REVIEWER):
            clients[name] = await self.stack.enter_async_context(signed_in(self.cluster.url, name))
        self.work = Work(clients, staff, self.cluster.folder, up)

    async def bring(self) -> None:
        """The figures of the drill, in parts."""
        job = (await self.work.ask("admin", lambda c: c.start_import("many", FIGURES))).id
        rows = [
            {
                "row": number,
                "collection": f"Many {number // 500}",
                "label": f"Figure {number}",
                "legend": LEGENDS[number % len(LEGENDS)].format(number),
                "external_id": f"many-{number}",
            }
            for number in range(1, FIGURES + 1)
        ]
        for start in range(0, FIGURES, ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            results = await self.work.ask("admin", lambda c, part=part: c.import_rows(job, part))  # type: ignore[misc]
            assert {result.status for result in results} <= {"created", "existing"}, results

    async def left(self) -> dict[str, Any]:
        """Everything that the run left."""
        await until(lambda: quiet(self.admin), what="every group has caught up", seconds=SECONDS)
        figures = [figure.id async for figure in self.admin.figures()]
        assert len(figures) == FIGURES + 4 * self.work.rounds
        for figure in figures:
            await until(lambda figure=figure: self.work.recommended(figure), what=figure, seconds=SECONDS)  # type: ignore[misc]
        return await self.work.state() | {"documents": await self._counts()}

    async def close(self) -> None:
        await self.stack.aclose()
        await self.cluster.kill()

    async def _counts(self) -> dict[str, int]:
        """Documents of each collection, except what people open and close."""
        async with AsyncMongoClient[dict[str, Any]](self.documents) as client:
            database = client.get_default_database()
            names = [name for name in await database.list_collection_names() if not name.startswith("gateway.")]
            return {name: await database[name].count_documents({}) for name in sorted(names)}


async def _disturb(site: Site, broker: Broker, chance: random.Random) -> None:
    for death in range(DEATHS):
        await asyncio.sleep(chance.uniform(1, 4))
        if death == DEATHS // 2:
            await asyncio.to_thread(broker.stop)
            await asyncio.sleep(chance.uniform(1, 4))
            await asyncio.to_thread(broker.start)
        name = chance.choice(RECOMMENDERS)
        await site.cluster.end(name, signal.SIGKILL)
        await asyncio.sleep(chance.uniform(0, 2))
        await site.cluster.launch(name)
        await site.cluster.revive()


@asynccontextmanager
async def opened(folder: Path, recommenders: int, broker: Broker, mongodb: str) -> AsyncIterator[Site]:
    site = Site(folder, recommenders, kafka=broker.address, mongodb=mongodb)
    folder.mkdir()
    try:
        await site.open()
        yield site
    finally:
        await site.close()


async def test_recommenders_that_die_and_a_broker_that_stops_change_nothing_that_is_left(
    tmp_path: Path, mongodb: str
) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED}")  # noqa: T201 - pytest shows it when the drill fails
    broker = Broker(tmp_path)
    broker.start()
    try:
        async with (
            asyncio.timeout(SECONDS),
            opened(tmp_path / "disturbed", len(RECOMMENDERS), broker, mongodb) as disturbed,
        ):
            bringing = asyncio.create_task(disturbed.bring())
            disturbing = asyncio.create_task(_disturb(disturbed, broker, random.Random(SEED)))
            while not (bringing.done() and disturbing.done()):
                await disturbed.work.round()
            await asyncio.gather(bringing, disturbing)
            # Every copy that was started again works: nobody stays outside of its group.
            await disturbed.cluster.recovered()
            left = await disturbed.left()
        async with asyncio.timeout(SECONDS), opened(tmp_path / "calm", 1, broker, mongodb) as calm:
            await calm.bring()
            for _ in range(disturbed.work.rounds):
                await calm.work.round()
            expected = await calm.left()
    finally:
        broker.kill()
    print(f"{DEATHS} deaths, {disturbed.work.rounds} rounds, {len(left['export'])} rows")  # noqa: T201
    for what, value in expected.items():
        assert left[what] == value, f"{what} (seed {SEED})"
    assert (left["dead letters"], left["problems"]) == (0, [])
    assert len(left["export"]) >= 4 * disturbed.work.rounds
