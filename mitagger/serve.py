"""All services in one process on loopback: the only place where services meet."""

import asyncio
import gc
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

import services.annotation.model
import services.annotation.service
import services.export.service
import services.gateway.model
import services.gateway.service
import services.ingest.model
import services.ingest.service
import services.nlp.service
import services.recommender.model
import services.recommender.service
from services.gateway.identity import SignIn
from shared import logs
from shared.documents.port import Document
from shared.engine import opened
from shared.errors import Invalid, Unsupported
from shared.service import Service
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies

SERVICES: Final = ("gateway", "ingest", "nlp", "recommender", "annotation", "export")
MODELS: Final[tuple[type[Document], ...]] = (
    *services.ingest.model.MODELS,
    *services.recommender.model.MODELS,
    *services.annotation.model.MODELS,
    *services.export.service.MODELS,
    *services.gateway.model.MODELS,
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `key` is an administrator's key that holds while it runs."""

    url: str
    key: str
    first_sign_in: SignIn | None


def run(settings: Settings, names: Sequence[str] = ()) -> None:
    """Serves until it is interrupted. Raises Unsupported when only some services are asked for, Invalid when the port
    or the data folder is taken."""
    if names and set(names) != set(SERVICES):
        raise Unsupported(
            "Running some of the services needs the distributed engines (Kafka, MongoDB, Meilisearch).",
            remedy="This version has the embedded ones, which serve one process: run mitagger serve without names.",
        )
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    async with running(settings) as server:
        print(f"MITagger serves on {server.url}", flush=True)  # noqa: T201 - what the person who started it waits for
        if server.first_sign_in is not None:
            first = server.first_sign_in
            print(f"Sign in as {first.name} with the password {first.password} (shown only now).", flush=True)  # noqa: T201
        await until_interrupted()


async def until_interrupted() -> None:
    """Waits for Ctrl+C or SIGTERM."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal in (2, 15):
        with suppress(NotImplementedError):  # Windows: Ctrl+C cancels the main task instead
            loop.add_signal_handler(signal, interrupted.set)
    await interrupted.wait()


@asynccontextmanager
async def running(settings: Settings, *, port: int | None = None) -> AsyncIterator[Running]:
    """All services, answering on `port` (default: the settings'; 0: a free one), stopped in order at the end."""
    logs.configure(settings.log_level, json=settings.log_json)
    listening = _listen(settings.host, settings.port if port is None else port)
    key = secrets.token_urlsafe(32)
    try:
        async with opened(settings, MODELS) as engine:
            behind: list[Service] = [
                services.ingest.service.build(engine, workers=settings.workers),
                services.nlp.service.build(engine),
                services.recommender.service.build(engine, load=lambda: _vocabularies(settings)),
                services.annotation.service.build(engine),
                services.export.service.build(engine),
            ]
            gateway = services.gateway.service.build(engine, behind, upload_bytes=settings.upload_bytes, local_key=key)
            everyone: list[Service] = [*behind, gateway]
            for service in everyone:
                for subscription in service.subscriptions:
                    engine.bus.subscribe(subscription)
            started: list[Service] = []
            try:
                for service in everyone:
                    started.append(service)
                    await service.start()
                await engine.bus.start()
                assert gateway.app is not None  # noqa: S101 - the gateway is a door
                url = f"http://{_host(settings.host)}:{listening.getsockname()[1]}"
                async with _answering(gateway.app, listening), _announced(settings.data, url, key):
                    # What is loaded now stays: without it in the way, full collections pause no request.
                    gc.collect()
                    gc.freeze()
                    log.info("serving", url=url)
                    yield Running(url, key, gateway.first_sign_in)
            finally:
                for service in reversed(started):
                    await service.stop()
                await engine.bus.stop()
    finally:
        listening.close()


def _vocabularies(settings: Settings) -> Vocabularies:
    cache = settings.cache / "vocabularies"
    return defaults.load(
        cache,
        added=defaults.in_folder(settings.vocabularies) if settings.vocabularies else None,
        only=settings.vocabularies is not None,
        compiling=lambda: log.info("compiling the vocabularies, once", cache=str(cache)),
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        raise Invalid(
            f"Cannot listen on {host}:{port}: {error.strerror}.", remedy="Choose another with --port or --host."
        ) from error
    return listening


def _host(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 - read, not bound


@asynccontextmanager
async def _answering(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
        server_header=False,
        h11_max_incomplete_event_size=64_000,
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="http")
    while not server.started:
        if task.done():
            await task
            raise Invalid("The server did not start.", remedy="See the log above.")
        await asyncio.sleep(0.005)
    try:
        yield
    finally:
        server.should_exit = True
        await task


class _Quiet(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
