"""A project with six people through the public API, on both engines: `mitagger.team` plays it, and says what is wrong.

`MITAGGER_TEAM_FIGURES` figures on real servers (120, `make drills`: 500); 40 in one process.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from mitagger.client import AsyncClient
from mitagger.sample.sample import write
from mitagger.serve import MODELS
from mitagger.team import Connect, play
from tests.support.cluster import Cluster
from tests.support.embedded import embedded
from tests.support.servers import kafka, mongo
from tests.support.system import KEY, composed

FIGURES = int(os.environ.get("MITAGGER_TEAM_FIGURES", "120"))


@pytest.mark.timeout(120)
async def test_six_people_bring_a_project_to_its_end(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        services = composed(engine)
        for service in services:
            await service.start()
        await engine.bus.start()
        transport = httpx.ASGITransport(services[-1].app)  # type: ignore[arg-type]
        async with AsyncClient("http://team", key=KEY, transport=transport) as admin:
            played = await play(admin, _connecting("http://team", transport), 40, write(tmp_path / "sample"))
        await engine.bus.stop()
        for service in reversed(services):
            await service.stop()
    assert played.wrong == []


@pytest.mark.servers
@pytest.mark.drill
@pytest.mark.timeout(1800)
async def test_six_people_bring_a_project_to_its_end_on_kafka_and_mongodb(tmp_path: Path, mongodb: str) -> None:
    name = f"team{secrets.token_hex(4)}"
    cluster = Cluster(tmp_path, bus=f"kafka://{kafka.address()}/{name}", documents=mongo.named(mongodb, name))
    await cluster.start()
    try:
        async with cluster.client() as admin:
            played = await play(admin, _connecting(cluster.url), FIGURES, write(tmp_path / "sample"))
        assert played.wrong == []
        assert await cluster.stop() == 0
    finally:
        await cluster.kill()


def _connecting(url: str, transport: httpx.AsyncBaseTransport | None = None) -> Connect:
    @asynccontextmanager
    async def connect(name: str, password: str) -> AsyncIterator[AsyncClient]:
        async with AsyncClient(url, transport=transport) as client:
            await client.sign_in(name, password)
            yield client

    return connect
