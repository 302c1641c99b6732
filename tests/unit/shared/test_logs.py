import json

import pytest
import structlog

from shared import logs


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
