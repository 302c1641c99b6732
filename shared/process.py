"""What a serving process is: a socket, an HTTP server on it, one service or all behind it, an orderly end."""

import asyncio
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from shared import logs, scraping, tracing
from shared.bus.observed import observed
from shared.bus.port import Bus
from shared.documents.port import Document
from shared.engine import Engine, opened
from shared.errors import Invalid, MitaggerError
from shared.service import Service
from shared.settings import Settings
from shared.standing import Watch

BACKLOG: Final = 1024
END_SECONDS: Final = 5
# Longer than proxies keep connections that nobody uses (nginx: 60 s, `keepalive_timeout` of an upstream), so that they
# never send into one that is just being closed.
KEEP_ALIVE_SECONDS: Final = 75

log = structlog.get_logger()


def serve(settings: Settings, models: Sequence[type[Document]], build: Callable[[Engine], Service]) -> None:
    """Serves one service until it is interrupted. Raises Invalid when the port or the data folder is taken,
    Unavailable when an engine is."""
    asyncio.run(_serve(settings, models, build))


def main(run: Callable[[Settings], None]) -> None:
    """`python -m services.…`: an error of ours is one line, and exit code 4 (as the command line has it)."""
    try:
        run(Settings())
    except MitaggerError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the last word of a command
        sys.exit(4)


async def _serve(settings: Settings, models: Sequence[type[Document]], build: Callable[[Engine], Service]) -> None:
    logs.configure(settings.log_level, json=settings.log_json)
    with listening(settings.host, settings.port) as door:
        async with opened(settings, models) as engine:
            service = build(engine)
            app = with_health(service.app, Watch(engine, service.name))
            async with (
                watched(settings, service.name, engine),
                started([service], engine.bus),
                answering(app, door) as url,
            ):
                log.info("serving", service=service.name, url=url)
                await until_interrupted()


@asynccontextmanager
async def started(services: Sequence[Service], bus: Bus) -> AsyncIterator[None]:
    """The services and the bus behind them, from start to stop; stopped in the opposite order."""
    for service in services:
        for subscription in service.subscriptions:
            bus.subscribe(observed(subscription))
    async with AsyncExitStack() as ends:
        ends.push_async_callback(bus.stop)
        for service in services:
            ends.push_async_callback(service.stop)
            await service.start()
        await bus.start()
        loaded()
        yield


def loaded() -> None:
    """What is loaded now stays: collections look at it no more, and come when 20,000 objects are new, not 700. Nearly
    all that a request makes is freed as it ends; looking for cycles among it took a tenth of what a decision costs
    (decision 40)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@asynccontextmanager
async def watched(settings: Settings, service: str, engine: Engine) -> AsyncIterator[None]:
    """Traces are sent and metrics are shown, where the settings want it. Raises Invalid when the port is taken,
    Unsupported when packages are missing."""
    async with AsyncExitStack() as ends:
        await ends.enter_async_context(tracing.exporting(f"mitagger-{service}"))
        if settings.metrics:
            host, _, port = settings.metrics.rpartition(":")
            door = ends.enter_context(listening(host.strip("[]"), int(port), "Choose another with MITAGGER_METRICS."))
            await ends.enter_async_context(scraping.beating())
            scrape = scraping.Scrape(service, engine.bus, engine.outbox)
            url = await ends.enter_async_context(answering(scraping.door(scrape), door))
            log.info("metrics", url=f"{url}/metrics")
        yield


@contextmanager
def listening(host: str, port: int, remedy: str = "Choose another with --port or --host.") -> Iterator[socket.socket]:
    """A socket that listens; port 0 takes a free one. Raises Invalid."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it, each answer waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as door:
        try:
            if os.name == "posix":
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind((host, port))
            door.listen(BACKLOG)
        except OSError as error:
            raise Invalid(f"Cannot listen on {host}:{port}: {error.strerror}.", remedy=remedy) from error
        yield door


@asynccontextmanager
async def answering(app: ASGIApp, door: socket.socket) -> AsyncIterator[str]:
    """The application, answering at the address that is yielded."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=END_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
        proxy_headers=False,  # the gateway believes the proxies that the settings name, and no others
        h11_max_incomplete_event_size=64_000,
    )
    server = _Quiet(config)
    task = asyncio.create_task(server.serve(sockets=[door]), name="http")
    while not server.started:
        if task.done():
            await task
            raise Invalid("The server did not start.", remedy="See the log above.")
        await asyncio.sleep(0.005)
    host, port = door.getsockname()[:2]
    try:
        yield f"http://{_reachable(host)}:{port}"
    finally:
        server.should_exit = True
        await task


async def until_interrupted() -> None:
    """Waits for Ctrl+C or SIGTERM."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl+C cancels the main task instead
            loop.add_signal_handler(number, interrupted.set)
    await interrupted.wait()


def with_health(app: ASGIApp | None, watch: Watch) -> Starlette:
    """A service's door with /healthz (the process answers) and /readyz (503 while a consumer is stuck or waits)."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "up"})

    async def ready(_request: Request) -> JSONResponse:
        found = await watch.look()
        return JSONResponse(found.model_dump(mode="json"), 200 if found.ready else 503)

    doors = [Mount("/", app)] if app is not None else []
    return Starlette(routes=[Route("/healthz", health), Route("/readyz", ready), *doors])


class _Quiet(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - read
