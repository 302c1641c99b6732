"""Structured logs on standard error. They carry ids, counts and error types; never legends, tokens or keys."""

import logging
import sys
import traceback
from typing import TextIO, cast

import structlog

from shared import tracing


class _StandardError:
    """Whatever sys.stderr is when a line is written."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


class _Exporting(logging.Handler):
    """What OpenTelemetry says of its exports (a collector that is away), as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning("traces", said=record.getMessage())


def where_it_failed(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replaces an exception by its types and lines of code: messages and locals may hold legends."""
    if event.pop("exc_info", None):
        error = sys.exc_info()[1]
        chain = []
        while error is not None:
            frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
            chain.append(f"{type(error).__name__} at {' > '.join(frames[-8:])}")
            error = error.__cause__ or error.__context__
        event["failed"] = "; after ".join(chain)
    return event


def with_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Within a trace, adds its id, by which its spans are found."""
    if here := tracing.here():
        event["trace_id"] = here.split("-")[1]
    return event


def configure(level: str, *, json: bool) -> None:
    """Called once by whoever owns the process. `level`: debug, info, warning or error."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            with_trace,
            where_it_failed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    theirs = logging.getLogger("opentelemetry")
    theirs.handlers, theirs.propagate = [_Exporting(logging.WARNING)], False
