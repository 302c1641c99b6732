from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.kafka_records import (
    Origin,
    attributes,
    cursor,
    headers,
    letter,
    letter_headers,
    letter_id,
    positions,
)
from shared.bus.port import DeadLetter
from shared.errors import Invalid
from shared.events.image import ImageDeleted

ORIGIN = Origin("image.deleted", 3, 41)


@given(st.dictionaries(st.tuples(st.text(max_size=30), st.integers(0, 999)), st.integers(0, 2**63 - 1), max_size=20))
def test_a_cursor_gives_back_its_positions(at: dict[tuple[str, int], int]) -> None:
    assert positions(cursor(at)) == at


@given(st.text(max_size=200) | st.text("k0123456789abcdefABCDEF-_=", max_size=200).map(lambda text: f"k{text}"))
def test_a_foreign_cursor_is_invalid_and_nothing_worse(text: str) -> None:
    try:
        found = positions(text)
    except Invalid:
        return
    assert all(type(offset) is int and offset >= 0 for offset in found.values())


@pytest.mark.parametrize(
    "text",
    ["", "s17", "k", "k!!", "kbnVsbA", "kW10", "keyJhIjogMX0", "keyJhIjogeyIwIjogLTF9fQ", "k" + "W" * 19_000],
)
def test_a_cursor_that_is_none_of_ours_is_invalid(text: str) -> None:
    with pytest.raises(Invalid, match="not one of ours"):
        positions(text)


def test_attributes_travel_as_headers_of_their_own() -> None:
    event = ImageDeleted(time=datetime.now(UTC), project="p", actor="a", figure="f é", revision=1)
    assert attributes(headers(event.attributes())) == event.attributes()
    assert attributes([("other", b"x"), ("mitagger_error", b"x")]) == {}


def test_a_dead_letter_survives_as_a_record() -> None:
    event = ImageDeleted(time=datetime.now(UTC), project="p", actor="a", figure="f", revision=1)
    dead = DeadLetter(
        id=letter_id("g", "image.deleted", event.attributes(), ORIGIN),
        group="g",
        topic="image.deleted",
        attributes=event.attributes(),
        body=event.body(),
        error="Invalid: bad",
        traceback="line\nline",
        died_at=datetime.now(UTC),
        attempts=5,
    )
    head = letter_headers(dead, ORIGIN)
    assert letter(dead.id, head, dead.body) == dead
    assert ("mitagger_origin", b"image.deleted/3/41") in head
    with pytest.raises(Invalid):
        letter(dead.id, headers(event.attributes()), dead.body)


def test_a_letter_is_named_by_its_event_else_by_its_place() -> None:
    elsewhere = Origin("image.deleted", 0, 1)
    assert letter_id("g", "t", {"id": "e"}, ORIGIN) == letter_id("g", "t", {"id": "e"}, elsewhere)
    assert letter_id("g", "t", {}, ORIGIN) != letter_id("g", "t", {}, elsewhere)
    assert letter_id("g", "t", {"id": "e"}, ORIGIN) != letter_id("h", "t", {"id": "e"}, ORIGIN)
