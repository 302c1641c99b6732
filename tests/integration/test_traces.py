"""What a request set off is one trace, across services and events, on every bus; and it tells nothing of legends."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mitagger.serve import MODELS
from shared import tracing
from shared.engine import opened
from shared.events.image import ImageUploaded
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from shared.settings import Settings
from tests.support.people import until
from tests.support.system import KEY, System, running, system

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
CAUSE: Final = f"00-{TRACE}-b7ad6b7169203331-01"
LEGEND: Final = "Zymurgic femur without fibrosis."
STEPS: Final = ((ImageUploaded, "nlp"), (LegendTokenized, "recommender"), (RecommendationsReady, "annotation"))


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    with tracing.recording(provider):
        yield found


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.servers)])
async def there(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            yield await stack.enter_async_context(system(tmp_path))
            return
        from tests.support.servers import kafka

        name, mongo = f"traces-{uuid4().hex[:8]}", str(request.getfixturevalue("mongodb"))
        settings = Settings(
            data=tmp_path / "data",
            bus=f"kafka://{kafka.address()}/{name}",
            documents=mongo.replace("/?", f"/{name}?") if "/?" in mongo else f"{mongo}/{name}",
            key="k" * 40,  # type: ignore[arg-type]
        )
        engine = await stack.enter_async_context(opened(settings, MODELS))
        found = await stack.enter_async_context(running(engine, tmp_path / "data"))
        stack.push_async_callback(engine.bus.stop)
        yield found


async def test_from_upload_to_recommendations_is_one_trace(there: System, exporter: InMemorySpanExporter) -> None:
    exporter.clear()
    figure = await there.work.ask("admin", lambda c: c.create_figure(collection="c", legend=LEGEND))
    await until(lambda: there.work.recommended(figure.id), what="recommendations")

    async def told() -> bool:
        return any(_consumer(one) == "annotation.recommendations" for one in exporter.get_finished_spans())

    await until(told, what="the last handler's span")
    spans = exporter.get_finished_spans()
    (root,) = [one for one in spans if one.name == "POST /api/v1/figures" and one.parent is None]
    ours = [one for one in spans if _trace(one) == _trace(root)]
    assert {"POST to ingest", "POST /api/v1/figures"} <= {one.name for one in ours}
    assert {one.attributes["mitagger.service"] for one in ours if one.name.startswith("POST")} == {"gateway", "ingest"}  # type: ignore[index]
    for topic, group in STEPS:
        handled = [one for one in ours if one.name == f"process {topic.topic}" and _consumer(one).startswith(group)]
        assert handled, (topic.topic, group)
        assert {one.attributes["mitagger.figure"] for one in handled} == {figure.id}  # type: ignore[index]
    # Each hangs on another one of the trace.
    known = {one.context.span_id for one in ours if one.context}
    assert all(one.parent.span_id in known for one in ours if one.parent)


async def test_spans_tell_nothing_of_legends_queries_and_keys(there: System, exporter: InMemorySpanExporter) -> None:
    figure = await there.work.ask("admin", lambda c: c.create_figure(collection="c", legend=LEGEND))
    await until(lambda: there.work.recommended(figure.id), what="recommendations")
    await there.work.ask("admin", lambda c: c.search("zymurgic"))
    said = "".join(one.to_json() for one in exporter.get_finished_spans())
    assert "GET /api/v1/search" in said
    for secret in ("ymurgic", KEY, "Bearer", "eyJ"):
        assert secret not in said


async def test_events_carry_the_trace_of_the_request_also_when_none_is_recorded(tmp_path: Path) -> None:
    async with system(tmp_path) as there:
        async with _client(there, CAUSE) as client:
            made = await client.post("/api/v1/figures", files={"collection": (None, "c"), "legend": (None, LEGEND)})
            assert made.status_code == 201
            id = made.json()["id"]
            changed = await client.patch(f"/api/v1/figures/{id}", json={"legend": "A femur."})
            assert changed.status_code == 200
        await there.engine.bus.settled()
        events = (await there.engine.bus.read([topic for topic, _ in STEPS])).events
        assert [event.traceparent for event in events] == [CAUSE] * 6


@pytest.mark.parametrize("header", ["", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 10_000, "00-Ä-1-01"])
async def test_a_header_that_is_no_traceparent_is_no_part_of_any_trace(tmp_path: Path, header: str) -> None:
    async with system(tmp_path) as there:
        async with _client(there, header) as client:
            assert (
                await client.post("/api/v1/figures", files={"collection": (None, "c"), "legend": (None, LEGEND)})
            ).status_code == 201
        (event,) = (await there.engine.bus.read([ImageUploaded])).events
        assert event.traceparent is None


def _client(there: System, traceparent: str) -> httpx.AsyncClient:
    headers = {b"Authorization": f"Bearer {KEY}".encode(), b"traceparent": traceparent.encode()}
    return httpx.AsyncClient(transport=httpx.ASGITransport(there.app), base_url="http://system", headers=headers)


def _consumer(span: ReadableSpan) -> str:
    return str((span.attributes or {}).get("messaging.consumer.group.name", ""))


def _trace(span: ReadableSpan) -> int:
    return span.context.trace_id if span.context else 0
