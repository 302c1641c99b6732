"""Traces (W3C Trace Context, OpenTelemetry): what a request set off, through services and events.

Only OpenTelemetry's interface is needed here. Without `exporting` its spans do nothing, yet the `traceparent` of a
request still reaches the events that it causes. Names and attributes carry ids, counts and types of errors; never
legends, addresses with their query, tokens, messages of errors. (FastAPI's own spans carry some of these: `shared.http`
turns them off, and our provider is not the global one.)
"""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import Unsupported

HEADER: Final = "traceparent"
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
FLUSH_SECONDS: Final = 5.0

_FORMAT: Final = TraceContextTextMapPropagator()
_OFF: Final = trace.NoOpTracer()

log = structlog.get_logger()


class _Recording:
    """Who makes the spans of this process."""

    tracer: Tracer = _OFF


def on() -> bool:
    """Whether spans are recorded. Where not, and no `traceparent` came, there is nothing to do."""
    return _Recording.tracer is not _OFF


def here() -> str | None:
    """The `traceparent` of what is being done; null outside a trace."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def begun(name: str, kind: SpanKind, attributes: Mapping[str, str | int], *, cause: str | None = None) -> Span:
    """A span of the trace that `cause` (a traceparent) belongs to, else of the current one. Whoever asks ends it."""
    context = _FORMAT.extract({HEADER: cause}) if cause else None
    return _Recording.tracer.start_span(name, context, kind, attributes)


@contextmanager
def current(span: Span) -> Iterator[None]:
    """Work under this span, which ends with it."""
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except BaseException as error:
        failed(span, error)
        raise
    finally:
        span.end()


def failed(span: Span, error: BaseException) -> None:
    """Messages of errors may hold legends: their type has to do."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", type(error).__name__)


@asynccontextmanager
async def exporting(service: str) -> AsyncIterator[None]:
    """Sends traces where OpenTelemetry's own variables say (OTEL_EXPORTER_OTLP_ENDPOINT; the others hold too, like
    OTEL_TRACES_SAMPLER), and nowhere without them. Raises Unsupported where the packages are missing."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if off or not any(map(os.environ.get, ENDPOINTS)):
        yield
        return
    try:
        # Optional packages, and a quarter of a second to import.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk import trace as sdk  # noqa: PLC0415
        from opentelemetry.sdk.resources import SERVICE_NAME, Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise Unsupported(f"Traces need the package {error.name}.", remedy='Install "mitagger[telemetry]".') from error
    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = sdk.TracerProvider(resource=Resource.create({SERVICE_NAME: name}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        with recording(provider):
            yield
    finally:
        # A collector that is away must not keep us from ending.
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, FLUSH_SECONDS)
        if ending.is_alive():
            log.warning("the last traces were not sent")


@contextmanager
def recording(provider: TracerProvider) -> Iterator[None]:
    """Meanwhile, spans are made by this provider."""
    _Recording.tracer = provider.get_tracer("mitagger")
    try:
        yield
    finally:
        _Recording.tracer = _OFF
