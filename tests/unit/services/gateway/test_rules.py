"""Pure rules: readiness, throttling, ranges, keys."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.byterange import NotSatisfiable, requested
from services.gateway.secret import fingerprint, key_parts, key_text, matches, new_secret
from services.gateway.throttle import FREE, NAMES, Throttle
from shared.bus.port import Progress
from shared.readiness import PATIENCE, Readiness

START = datetime(2026, 1, 1, tzinfo=UTC)


def progress(behind: int, moved: timedelta | None = None, waiting_for: str = "") -> list[Progress]:
    return [Progress("nlp", "image.uploaded", behind, None if moved is None else START + moved, waiting_for)]


def test_group_that_is_behind_is_stuck_only_after_a_minute_without_moving() -> None:
    readiness = Readiness()
    assert readiness.problems(progress(5), START) == []
    assert readiness.problems(progress(5), START + PATIENCE) == []
    (problem,) = readiness.problems(progress(5), START + PATIENCE * 1.01)
    assert "nlp" in problem
    assert "5 events of image.uploaded" in problem


def test_group_that_moves_is_not_stuck_however_far_behind() -> None:
    readiness = Readiness()
    for minute in range(10):
        moved = timedelta(minutes=minute)
        assert readiness.problems(progress(9_000_000, moved), START + moved) == []


def test_event_after_a_long_rest_is_not_a_stuck_group() -> None:
    readiness = Readiness()
    readiness.problems(progress(1, timedelta(0)), START)
    readiness.problems(progress(0, timedelta(seconds=1)), START + timedelta(hours=1))
    assert readiness.problems(progress(1, timedelta(seconds=1)), START + timedelta(hours=2)) == []


def test_moving_between_two_distant_looks_counts() -> None:
    readiness = Readiness()
    readiness.problems(progress(1, timedelta(0)), START)
    assert readiness.problems(progress(1, timedelta(seconds=5)), START + timedelta(hours=1)) == []


def test_waiting_for_a_dependency_is_said_at_once() -> None:
    assert Readiness().problems(progress(0, waiting_for="bioportal"), START) == ["nlp waits for bioportal."]


def test_first_failures_are_free_then_pauses_double_and_end() -> None:
    throttle = Throttle()
    pauses = []
    for failure in range(FREE + 12):
        throttle.failed("ada", 1000.0)
        pauses.append(throttle.seconds("ada", 1000.0))
        assert throttle.seconds("grace", 1000.0) == 0, failure
    assert pauses[: FREE + 3] == [0, 0, 0, 0, 1, 2, 4, 8]
    assert max(pauses) == 300
    assert throttle.seconds("ada", 1300.0) == 0


def test_success_and_time_forget_failures() -> None:
    throttle = Throttle()
    for _ in range(FREE):
        throttle.failed("ada", 0.0)
        throttle.failed("grace", 0.0)
    throttle.succeeded("ada")
    assert throttle.seconds("ada", 0.0) == 0
    throttle.failed("grace", 10_000.0)
    assert throttle.seconds("grace", 10_000.0) == 0


def test_throttle_forgets_the_oldest_name_when_there_are_many() -> None:
    throttle = Throttle()
    for _ in range(FREE):
        throttle.failed("first", 0.0)
    for number in range(NAMES):
        throttle.failed(f"n{number}", 0.0)
    assert throttle.seconds("first", 0.0) == 0
    assert throttle.seconds("n9999", 0.0) == 0


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d{0,3}-\d{0,3}", fullmatch=True), st.integers(0, 300))
def test_range_lies_within_the_file(header: str, size: int) -> None:
    try:
        part = requested(header, size)
    except NotSatisfiable:
        return
    if part is not None:
        assert 0 <= part.start < part.end <= size


@pytest.mark.parametrize(
    ("header", "expected"),
    [(None, None), ("bytes=0-0", (0, 1)), ("bytes=5-", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)),
     ("bytes=4-99", (4, 10)), ("bytes=5-4", None), ("bytes=-", None), ("bytes=a-b", None)],
)  # fmt: skip
def test_ranges_of_ten_bytes(header: str | None, expected: tuple[int, int] | None) -> None:
    assert requested(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0"])
def test_ranges_outside_of_ten_bytes(header: str) -> None:
    with pytest.raises(NotSatisfiable):
        requested(header, 10)


@given(st.text(max_size=200))
def test_any_text_is_parts_of_a_key_or_none(text: str) -> None:
    parts = key_parts(text)
    assert parts is None or key_text(*parts) == text


def test_key_comes_apart_as_it_was_put_together() -> None:
    secret = new_secret()
    assert key_parts(key_text("a" * 32, secret)) == ("a" * 32, secret)
    assert matches(secret, fingerprint(secret))
    assert not matches(new_secret(), fingerprint(secret))
