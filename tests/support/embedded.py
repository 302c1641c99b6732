"""Real embedded engines in a temporary folder, for tests of what stands on the ports."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from shared.documents.port import Document
from shared.engine import Engine, opened
from shared.service import Service
from shared.settings import Settings


@asynccontextmanager
async def embedded(folder: Path, models: Sequence[type[Document]] = ()) -> AsyncIterator[Engine]:
    """The bus is not started: subscribe first, then `await engine.bus.start()`; it is stopped at the end."""
    settings = Settings(data=folder / "data", cache=folder / "cache")
    async with opened(settings, models) as engine:
        try:
            yield engine
        finally:
            await engine.bus.stop()


@asynccontextmanager
async def at_work(engine: Engine, *services: Service) -> AsyncIterator[None]:
    """Services that follow the bus and do what waits, until the end."""
    for one in services:
        for subscription in one.subscriptions:
            engine.bus.subscribe(subscription)
        await one.start()
    await engine.bus.start()
    try:
        yield
    finally:
        for one in services:
            await one.stop()
