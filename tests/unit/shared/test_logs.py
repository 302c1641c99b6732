import json
import logging

import pytest
import structlog
from opentelemetry.trace import SpanKind

from shared import logs, tracing


def test_an_exception_is_logged_by_type_and_line_never_by_message(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=True)
    try:
        try:
            try:
                raise ValueError("legend of Jane Doe")
            except ValueError as error:
                raise RuntimeError("Jane Doe again") from error
        except RuntimeError:
            structlog.get_logger().exception("it failed", figure="f1")
    finally:
        structlog.reset_defaults()
    line = capsys.readouterr().err
    assert "Jane" not in line
    said = json.loads(line)
    assert (said["event"], said["figure"], said["level"]) == ("it failed", "f1", "error")
    assert "RuntimeError at" in said["failed"]
    assert "ValueError at" in said["failed"]
    assert "test_logs.py" in said["failed"]


def test_within_a_trace_lines_carry_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    logs.configure("info", json=True)
    try:
        structlog.get_logger().info("before")
        with tracing.current(tracing.begun("work", SpanKind.INTERNAL, {}, cause=f"00-{trace}-b7ad6b7169203331-01")):
            structlog.get_logger().info("within")
    finally:
        structlog.reset_defaults()
    before, within = map(json.loads, capsys.readouterr().err.splitlines())
    assert "trace_id" not in before
    assert within["trace_id"] == trace


def test_what_opentelemetry_complains_of_is_a_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", json=True)
    try:
        logging.getLogger("opentelemetry.exporter").warning("The collector is away: %s.", "refused")
    finally:
        structlog.reset_defaults()
    said = json.loads(capsys.readouterr().err)
    assert (said["event"], said["said"]) == ("traces", "The collector is away: refused.")
