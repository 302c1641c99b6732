"""All services in this process, put together as `mitagger.serve` does, with small vocabularies and no network."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from starlette.types import ASGIApp

import services.annotation.service
import services.export.service
import services.gateway.service
import services.ingest.service
import services.nlp.service
import services.recommender.service
from mitagger.client import AsyncClient
from mitagger.client.errors import ClientError
from mitagger.serve import MODELS
from shared.bus.observed import observed
from shared.engine import Engine
from shared.http import Hop
from shared.service import Service
from tests.support.embedded import embedded
from tests.support.people import ANNOTATOR, PASSWORD, REVIEWER, hired
from tests.support.vocabularies import Given, vocabularies
from tests.support.work import AGAIN, Work

KEY: Final = "a key of this test"

WORDS: Final = vocabularies(
    UBERON=[("UBERON:1", "hippocampus", "LABEL", "anatomy"), ("UBERON:2", "femur", "LABEL", "anatomy")],
    MONDO=[("MONDO:1", "fibrosis", "LABEL", "disease"), ("MONDO:2", "hypertension", "LABEL", "disease")],
    NCIT=[("NCIT:1", "western blot", "LABEL", "imaging"), ("NCIT:2", "ibuprofen", "LABEL", "pharmaceutical")],
)


def composed(engine: Engine) -> list[Service]:
    """All services over these engines, subscribed and not started; the gateway, which has the public door, is last."""
    behind: list[Service] = [
        services.ingest.service.build(engine, workers=1),
        services.nlp.service.build(engine),
        services.recommender.service.build(engine, library=Given(WORDS)),
        services.annotation.service.build(engine),
        services.export.service.build(engine),
    ]
    hops = {one.name: Hop(one.name, app=one.app) for one in behind if one.app is not None}
    gateway = services.gateway.service.build(engine, hops, upload_bytes=10_000_000, local_key=KEY)
    everyone = [*behind, gateway]
    for service in everyone:
        for subscription in service.subscriptions:
            engine.bus.subscribe(observed(subscription))
    return everyone


@asynccontextmanager
async def working(
    data: Path, wire: Callable[[], httpx.AsyncBaseTransport], up: asyncio.Event, again: tuple[type[ClientError], ...]
) -> AsyncIterator[Work]:
    """Clients of a system whose files lie in `data`, signed in."""
    async with AsyncExitStack() as stack:
        clients = {}
        for name, key in (("admin", KEY), (ANNOTATOR, ""), (REVIEWER, "")):
            client = AsyncClient("http://system", key=key, transport=wire())
            clients[name] = await stack.enter_async_context(client)
        staff = await hired(clients["admin"])
        for name in (ANNOTATOR, REVIEWER):
            await clients[name].sign_in(name, PASSWORD)
        yield Work(clients, staff, data, up, again)


@dataclass(frozen=True, slots=True)
class System:
    """`app`: its public door."""

    engine: Engine
    work: Work
    app: ASGIApp


@asynccontextmanager
async def system(folder: Path) -> AsyncIterator[System]:
    """A running one, in `folder`."""
    async with embedded(folder, MODELS) as engine, running(engine, folder / "data") as found:
        yield found


@asynccontextmanager
async def running(engine: Engine, data: Path) -> AsyncIterator[System]:
    """All services at work on these engines, whose files lie in `data`. The bus is left to its owner to stop."""
    everyone = composed(engine)
    for service in everyone:
        await service.start()
    await engine.bus.start()
    app, up = everyone[-1].app, asyncio.Event()
    assert app is not None
    up.set()
    async with working(data, lambda: httpx.ASGITransport(app), up, AGAIN) as work:
        yield System(engine, work, app)
    for service in reversed(everyone):
        await service.stop()
