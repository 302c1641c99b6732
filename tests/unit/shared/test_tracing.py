"""Where traces go, and that a collector that is away harms nobody."""

import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind

from shared import tracing
from shared.errors import Unsupported
from shared.tracing import ENDPOINTS, begun, current, exporting, here, on

CAUSE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINTS, "OTEL_SERVICE_NAME", "OTEL_SDK_DISABLED"):
        monkeypatch.delenv(name, raising=False)


class Collector(ThreadingHTTPServer):
    """Takes traces over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests: list[tuple[str, ExportTraceServiceRequest]] = []


class _Taking(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            raise AssertionError("not asked for")
        self.server.requests.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def work(cause: str = "") -> None:
    with current(begun("work", SpanKind.INTERNAL, {"mitagger.figure": "f1"}, cause=cause or None)):
        pass


async def test_spans_reach_the_collector_before_the_process_ends(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    async with exporting("mitagger-nlp"):
        assert on()
        work(CAUSE)
    assert not on()
    ((path, sent),) = collector.requests
    assert path == "/v1/traces"
    (resource,) = sent.resource_spans
    named = {one.key: one.value.string_value for one in resource.resource.attributes}
    assert named["service.name"] == "mitagger-nlp"
    (span,) = resource.scope_spans[0].spans
    assert span.name == "work"
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (CAUSE.split("-")[1], CAUSE.split("-")[2])


async def test_opentelemetrys_own_variables_hold(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/mine")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "renamed")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    async with exporting("mitagger"):
        work()
        work(CAUSE)  # whoever asked has it sampled
    ((path, sent),) = collector.requests
    assert path == "/mine"
    (resource,) = sent.resource_spans
    assert [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"] == ["renamed"]
    assert len(resource.scope_spans[0].spans) == 1


@pytest.mark.parametrize("disabled", ["", "true"])
async def test_without_them_or_switched_off_nothing_is_recorded(disabled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if disabled:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_SDK_DISABLED", disabled)
    async with exporting("mitagger"):
        assert not on()


async def test_a_collector_that_is_away_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    async with exporting("mitagger"):
        work()
        start = time.monotonic()
    assert time.monotonic() - start < 5


async def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(Unsupported, match=r"mitagger\[telemetry\]"):
        async with exporting("mitagger"):
            pass


def test_an_error_leaves_its_type_and_not_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with (
        tracing.recording(provider),
        pytest.raises(RuntimeError),
        current(begun("work", SpanKind.INTERNAL, {})),
    ):
        raise RuntimeError("the patient's legend")
    said = exporter.get_finished_spans()[0].to_json()
    assert '"error.type": "RuntimeError"' in said
    assert "legend" not in said


def test_outside_a_trace_there_is_none() -> None:
    assert here() is None
    with current(begun("work", SpanKind.INTERNAL, {}, cause=CAUSE)):
        assert here() == CAUSE  # nothing is recorded: what came goes on
    assert here() is None
