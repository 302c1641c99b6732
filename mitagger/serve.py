"""All services in one process: the only place where services meet."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

import services.annotation.model
import services.annotation.service
import services.export.model
import services.export.service
import services.gateway.model
import services.gateway.service
import services.ingest.model
import services.ingest.service
import services.nlp.service
import services.recommender.model
import services.recommender.service
from services.gateway.identity import SignIn
from services.gateway.oidc import Terms
from services.recommender.choosing import chosen
from services.recommender.learned import Thresholds
from services.recommender.loading import Library
from shared import logs
from shared.bus.port import Bus
from shared.documents.port import Document
from shared.engine import Engine, opened
from shared.http import Hop
from shared.process import answering, listening, started, until_interrupted, watched
from shared.service import Service
from shared.settings import Settings

# Who follows others stands before them (see mitagger/backup.py).
MODELS: Final[tuple[type[Document], ...]] = (
    *services.export.model.MODELS,
    *services.annotation.model.MODELS,
    *services.recommender.model.MODELS,
    *services.ingest.model.MODELS,
    *services.gateway.model.MODELS,
)

SETTLE_SECONDS: Final = 600.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `key` is an administrator's key that holds while it runs."""

    url: str
    key: str
    first_sign_in: SignIn | None
    bus: Bus

    async def settled(self) -> None:
        """Returns when every consumer has done what there was to do."""
        await self.bus.settled(timeout=SETTLE_SECONDS)


def run(settings: Settings) -> None:
    """Serves all services until interrupted. Raises Invalid when the port or the data folder is taken."""
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    async with running(settings) as server:
        print(f"MITagger serves on {server.url}", flush=True)  # noqa: T201 - what the person who started it waits for
        if server.first_sign_in is not None:
            print(server.first_sign_in.said(), flush=True)  # noqa: T201
        await until_interrupted()


@asynccontextmanager
async def running(settings: Settings, *, port: int | None = None) -> AsyncIterator[Running]:
    """All services, answering on `port` (default: the settings'; 0: a free one), stopped in order at the end."""
    logs.configure(settings.log_level, json=settings.log_json)
    key = secrets.token_urlsafe(32)
    with listening(settings.host, settings.port if port is None else port) as door:
        async with opened(settings, MODELS) as engine:
            others = behind(engine, settings)
            hops = {service.name: Hop(service.name, app=service.app) for service in others if service.app is not None}
            gateway = services.gateway.service.build(
                engine,
                hops,
                upload_bytes=settings.upload_bytes,
                local_key=key,
                trusted_proxies=settings.trusted_proxies,
                oidc=Terms.of(settings),
            )
            async with (
                watched(settings, "all", engine),
                started([*others, gateway], engine.bus),
                answering(gateway.app, door) as url,
                _announced(settings.data, url, key),
            ):
                log.info("serving", url=url)
                yield Running(url, key, gateway.first_sign_in, engine.bus)


def behind(engine: Engine, settings: Settings) -> list[Service]:
    """The services behind the gateway, over these engines, not started."""
    return [
        services.ingest.service.build(engine, workers=settings.workers, view_bytes=settings.view_bytes),
        services.nlp.service.build(engine),
        services.recommender.service.build(
            engine,
            library=Library(settings),
            choice=chosen(settings, engine),
            least=Thresholds.of(settings),
        ),
        services.annotation.service.build(engine),
        services.export.service.build(engine),
    ]


@asynccontextmanager
async def _announced(data: Path, url: str, key: str) -> AsyncIterator[None]:
    """While the server runs, `server.json` in the data folder (mode 0600) tells the command line how to reach it."""
    path = data / "server.json"
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump({"url": url, "pid": os.getpid(), "key": key}, file)
    os.replace(part, path)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
