"""Who follows live hears of their own assignments, of nobody else's, and of having missed some."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from services.gateway import changes as following
from services.gateway.api import changes as door
from services.gateway.changes import BEHIND, STREAMS_OF_ONE, Change, Changes
from shared.errors import Unavailable
from tests.support.builders import assignment_changed
from tests.unit.services.gateway.conftest import Installation

SECONDS = 10.0


async def test_annotator_and_reviewer_hear_of_an_assignment_and_nobody_else(installation: Installation) -> None:
    bus = installation.engine.bus
    changes = Changes(bus)
    async with changes.of("ada") as ada, changes.of("grace") as grace, changes.of("lin") as lin:
        told = [
            assignment_changed(assignment="a1", annotator="ada", reviewer="grace", revision=2, state="submitted"),
            assignment_changed(assignment="a2", annotator="lin", reviewer="grace", revision=1, about="recommendations"),
        ]
        # The look at the bus begins where the bus is then; whatever comes before may be missed.
        while ada.empty():
            await bus.publish(told)
            await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS):
            mine, offer = Change("a1", 2, "submitted"), Change("a2", 1, "open", "recommendations")
            assert await ada.get() == mine
            assert [await grace.get(), await grace.get()] == [mine, offer]
            assert await lin.get() == offer
        assert all(heard == mine for heard in (ada.get_nowait() for _ in range(ada.qsize())))


async def test_who_cannot_keep_up_is_told_to_read_anew(installation: Installation) -> None:
    bus = installation.engine.bus
    changes = Changes(bus)
    async with changes.of("person-ada") as slow, asyncio.timeout(SECONDS):
        number = 0
        heard: Change | None = Change("none", 0, "open")
        while heard is not None:
            number += 1
            await bus.publish([assignment_changed(revision=number * BEHIND + place) for place in range(BEHIND)])
            if slow.full() or number > 2:
                heard = await slow.get()
        assert slow.qsize() < BEHIND


async def test_streams_of_one_person_are_bounded_and_free_again(installation: Installation) -> None:
    changes = Changes(installation.engine.bus)
    async with AsyncExitStack() as windows:
        for _ in range(STREAMS_OF_ONE):
            await windows.enter_async_context(changes.of("ada"))
        with pytest.raises(Unavailable):
            async with changes.of("ada"):
                pass
        async with changes.of("grace"):
            pass
    async with changes.of("ada"):
        pass


async def test_a_bus_that_was_away_is_looked_at_again_and_everybody_reads_anew(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "PAUSE", 0.01)
    bus = installation.engine.bus
    real, failures = bus.tail, [Unavailable("kafka", "Away.")]

    async def tail(*arguments: object, **named: object):  # type: ignore[no-untyped-def]
        if failures:
            raise failures.pop()
        async for one in real(*arguments, **named):  # type: ignore[arg-type]
            yield one

    monkeypatch.setattr(bus, "tail", tail)
    async with Changes(bus).of("ada") as ada, asyncio.timeout(SECONDS):
        assert await ada.get() is None


async def test_the_stream_ends_in_time_and_asks_who_follows(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "STREAM_SECONDS", 0.05)
    async with installation.browser(Authorization="Bearer local") as browser:
        answer = await browser.get("/api/v1/session/changes")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
    async with installation.browser() as stranger:
        assert (await stranger.get("/api/v1/session/changes")).status_code == 401
