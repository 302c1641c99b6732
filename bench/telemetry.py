"""What watching costs: events from publishing to a handler that does nothing, requests to a route that does nothing.

Three ways, in turn: unwatched (the peer), with metrics, with metrics and traces of which every span is kept and sent
nowhere. The bus is the embedded one on disk; the door is called as an ASGI application.
"""

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, cast

import httpx
from fastapi import APIRouter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from starlette.types import ASGIApp

from bench import measure
from bench.measure import Measurement, Report, alternated
from shared import tracing
from shared.access import DEFAULT_PROJECT
from shared.bus.log import EventLog
from shared.bus.observed import observed
from shared.bus.port import Subscription
from shared.bus.sqlite import SqliteBus
from shared.clock import now
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.grants import Signer
from shared.http import Observed, door
from shared.sqlite import Database

ROUNDS: Final = 7
EVENTS: Final = 4_000
AT_ONCE: Final = 20  # published together, as an import does
REQUESTS: Final = 3_000
PEER: Final = "unwatched"

Way = Literal["unwatched", "metrics", "metrics and traces"]
WAYS: Final[tuple[Way, ...]] = ("unwatched", "metrics", "metrics and traces")


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def watching(way: Way, stack: ExitStack) -> None:
    """Traces as this way has them, until the stack ends."""
    if way == "metrics and traces":
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(Nowhere()))
        stack.enter_context(tracing.recording(provider))
        stack.callback(provider.shutdown)


async def events(way: Way, number: int) -> float:
    """Events a second, from the first publish until all are handled."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        watching(way, stack)
        database = Database(Path(folder) / "bus.sqlite")
        await database.open()
        bus = SqliteBus(database, EventLog())
        await bus.prepare()
        subscription = Subscription("group", (ImageDeleted,), _nothing)
        bus.subscribe(subscription if way == "unwatched" else observed(subscription))
        await bus.start()
        start = time.perf_counter()
        for first in range(0, number, AT_ONCE):
            await bus.publish([_event(first + place, traced=way == "metrics and traces") for place in range(AT_ONCE)])
        await bus.settled()
        rate = number / (time.perf_counter() - start)
        await bus.stop()
        await database.close()
        return rate


async def requests(way: Way, number: int) -> float:
    """Microseconds of a request."""
    with ExitStack() as stack:
        watching(way, stack)
        app = _door(watched=way != "unwatched")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as client:
            request = client.build_request("GET", "/nothing")
            start = time.perf_counter()
            for _ in range(number):
                await client.send(request)
            return (time.perf_counter() - start) / number * 1e6


async def bench(quick: bool) -> Report:
    rounds, sizes = (1, (200, 50)) if quick else (ROUNDS, (EVENTS, REQUESTS))
    rates = await alternated(rounds, {way: partial(events, way, sizes[0]) for way in WAYS})
    micros = await alternated(rounds, {way: partial(requests, way, sizes[1]) for way in WAYS})
    measurements = [
        *(Measurement(f"events, {way}", "/s", rates[way], PEER, rates[PEER]) for way in WAYS[1:]),
        *(Measurement(f"request, {way}", "µs", micros[way], PEER, micros[PEER]) for way in WAYS[1:]),
    ]
    return Report(
        title="Metrics and traces",
        how=f"{sizes[0]:,} events, published {AT_ONCE} at once, each with a durable commit, to a handler that does"
        f" nothing; {sizes[1]:,} requests one after the other through httpx to a route that does nothing. With traces,"
        f" every event and request has a span, which is batched and sent nowhere. {rounds} rounds, the ways in turn.",
        measurements=measurements,
        limits="A span costs some 20 µs in OpenTelemetry's SDK, and `traceparent` a little in each event; metrics of"
        " events are counted once a batch. Of a request, labels are looked up and its answer is watched on its way.",
    )


async def _nothing(_events: Sequence[Event]) -> None: ...


def _event(number: int, *, traced: bool) -> ImageDeleted:
    cause = f"00-{number + 1:032x}-{number + 1:016x}-01" if traced else None
    return ImageDeleted(
        time=now(), traceparent=cause, project=DEFAULT_PROJECT, actor="bench", figure=f"figure-{number}", revision=1
    )


def _door(*, watched: bool) -> ASGIApp:
    routes = APIRouter()

    @routes.get("/nothing")
    async def nothing() -> None: ...

    app = door("bench", routes, signer=Signer(b"k" * 32))
    if not watched:
        app.user_middleware = [one for one in app.user_middleware if cast("Any", one.cls) is not Observed]
    return app


if __name__ == "__main__":
    measure.main(bench)
