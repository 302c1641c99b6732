"""What is asked for when Prometheus asks, and the door at which it does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final, TypeVar

import structlog
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared import metrics
from shared.bus.port import Bus, Progress
from shared.clock import now
from shared.documents.port import Backlog, Outbox
from shared.errors import TransientError
from shared.readiness import Readiness
from shared.standing import OUTBOX
from shared.tasks import ended

# Prometheus waits for 10 s, if not told otherwise.
SECONDS: Final = 3.0
BEAT_SECONDS: Final = 0.5
LONGEST_NAME: Final = 30

T = TypeVar("T")

log = structlog.get_logger()


class Scrape:
    """Asks the bus and the outbox of the process of `service` at each scrape, and waits no longer than SECONDS for
    either. What one that is down would have said is absent: never zero, and never its last answer."""

    def __init__(self, service: str, bus: Bus, outbox: Outbox) -> None:
        self._service = service
        self._bus = bus
        self._outbox = outbox
        self._readiness = Readiness()
        metrics.BUILD_INFO.labels(version("mitagger"), service).set(1)

    async def ask(self) -> None:
        """Brings the gauges up to date."""
        progress, backlogs = await asyncio.gather(
            _answer("bus", self._bus.progress), _answer("outbox", self._outbox.backlogs)
        )
        _show_progress(progress or ())
        _show_backlogs(backlogs or {})
        waiting_for = self._outbox.waiting_for
        if waiting_for:
            metrics.GROUP_WAITING.labels(OUTBOX, waiting_for).set(1)
        ready = False
        if progress is not None and backlogs is not None:
            # As /readyz has it.
            documents = sum(backlog.documents for backlog in backlogs.values())
            outbox = Progress(OUTBOX, self._service, documents, self._outbox.moved_at, waiting_for)
            ready = not self._readiness.problems([*progress, outbox], now())
        metrics.READY.set(ready)


def door(scrape: Scrape) -> Starlette:
    """/metrics, and nothing else."""

    async def show(request: Request) -> Response:
        await scrape.ask()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(metrics.REGISTRY), media_type=content_type)

    return Starlette(routes=[Route("/metrics", show)])


@asynccontextmanager
async def beating() -> AsyncIterator[None]:
    """Meanwhile, measures how late the loop is."""
    loop = asyncio.get_running_loop()

    async def beat() -> None:
        while True:
            due = loop.time() + BEAT_SECONDS
            await asyncio.sleep(BEAT_SECONDS)
            metrics.LOOP_LATE.observe(max(0.0, loop.time() - due))

    task = asyncio.create_task(beat(), name="loop beat")
    try:
        yield
    finally:
        await ended(task)


async def _answer(source: str, ask: Callable[[], Awaitable[T]]) -> T | None:
    try:
        async with asyncio.timeout(SECONDS):
            answer = await ask()
    except (TransientError, TimeoutError):
        metrics.SOURCE_UP.labels(source).set(0)
        return None
    except Exception:  # a scrape shows the rest
        log.exception("cannot be measured", source=source)
        metrics.SOURCE_UP.labels(source).set(0)
        return None
    metrics.SOURCE_UP.labels(source).set(1)
    return answer


def _show_progress(progress: Sequence[Progress]) -> None:
    for gauge in (metrics.GROUP_BEHIND, metrics.GROUP_MOVED, metrics.GROUP_WAITING):
        gauge.clear()
    for one in progress:
        metrics.GROUP_BEHIND.labels(one.group, one.topic).set(one.behind)
        if one.moved_at is not None:
            metrics.GROUP_MOVED.labels(one.group, one.topic).set(one.moved_at.timestamp())
        if one.waiting_for:
            # What is no name of a dependency is the sentence on a reaction that stopped.
            dependency = one.waiting_for if len(one.waiting_for) <= LONGEST_NAME else "position"
            metrics.GROUP_WAITING.labels(one.group, dependency).set(1)


def _show_backlogs(backlogs: Mapping[str, Backlog]) -> None:
    for gauge in (metrics.OUTBOX_DOCUMENTS, metrics.OUTBOX_AGE):
        gauge.clear()
    for collection, backlog in backlogs.items():
        metrics.OUTBOX_DOCUMENTS.labels(collection).set(backlog.documents)
        if backlog.oldest is not None:
            metrics.OUTBOX_AGE.labels(collection).set(max(0.0, (now() - backlog.oldest).total_seconds()))
