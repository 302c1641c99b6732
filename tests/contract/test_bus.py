"""What every bus promises. Engines are listed once, in `make_bus`."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.bus import sqlite as sqlite_bus
from shared.bus.log import EventLog
from shared.bus.observed import observed
from shared.bus.port import Bus, Kind, Subscription
from shared.bus.retry import ATTEMPTS
from shared.bus.sqlite import SqliteBus
from shared.errors import Invalid, NotFound, TransientError, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.sqlite import Database
from tests.support.samples import Risen

MakeBus = Callable[[], Awaitable[Bus]]


KAFKA = pytest.param("kafka", marks=pytest.mark.servers)
# What SQLite alone can do: a record on Kafka stays as it is until its retention is over.
blanking = pytest.mark.parametrize(
    "make_bus",
    [
        "sqlite",
        pytest.param("kafka", marks=[pytest.mark.servers, pytest.mark.xfail(strict=True, raises=AssertionError)]),
    ],
    indirect=True,
)
late_blanking = pytest.mark.parametrize("make_bus", ["sqlite"], indirect=True)  # on Kafka it goes round for ever


@pytest.fixture(params=["sqlite", KAFKA])
async def make_bus(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeBus]:
    """Makes buses over the same log: a second one is what a process sees after a restart."""
    engine = {"sqlite": _sqlite, "kafka": _kafka}[request.param]
    async with engine(tmp_path, monkeypatch) as make:
        yield make


@asynccontextmanager
async def _sqlite(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBus]:
    monkeypatch.setattr(sqlite_bus, "delay", lambda attempt: 0.001)
    monkeypatch.setattr(sqlite_bus, "DEPENDENCY_SECONDS", 0.01)
    database = Database(folder / "log.sqlite")
    await database.open()
    made: list[Bus] = []

    async def make() -> Bus:
        for running in made:
            await running.stop()
        bus = SqliteBus(database, EventLog())
        await bus.prepare()
        made.append(bus)
        return bus

    yield make
    for bus in made:
        await bus.stop()
    await database.close()


@asynccontextmanager
async def _kafka(_folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBus]:
    """Topics of one partition, where Kafka keeps the order over all figures that these tests look at."""
    from tests.support.servers import buses

    async with buses.opened(monkeypatch, partitions=1) as make_one:
        made: list[Bus] = []

        async def make() -> Bus:
            for running in made:
                await running.stop()
            bus: Bus = await make_one()
            made.append(bus)
            return bus

        yield make


class Recorder:
    """A handler that remembers the batches it finished, and fails as told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.calls = 0
        self.fail: Callable[[Event], Exception | None] = lambda event: None

    async def __call__(self, events: Sequence[Event]) -> None:
        self.calls += 1
        for event in events:
            error = self.fail(event)
            if error is not None:
                raise error
        self.batches.append([event.figure for event in events])

    @property
    def figures(self) -> list[str]:
        return [figure for batch in self.batches for figure in batch]


def deleted(figure: str, revision: int = 1) -> ImageDeleted:
    return ImageDeleted(time=datetime.now(UTC), project="default", actor="test", figure=figure, revision=revision)


def subscription(handler: Recorder, **more: object) -> Subscription:
    return Subscription(**{"group": "g", "topics": (ImageDeleted,), "handler": handler, **more})  # type: ignore[arg-type]


async def test_events_arrive_once_and_in_order(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    bus.subscribe(subscription(handler, batch=10))
    await bus.start()
    await bus.publish([deleted(f"f{n}") for n in range(25)])
    await bus.settled()
    assert handler.figures == [f"f{n}" for n in range(25)]
    assert max(map(len, handler.batches)) <= 10


async def test_an_event_arrives_as_it_was_published(make_bus: MakeBus) -> None:
    bus, got = await make_bus(), list[Event]()

    async def handler(events: Sequence[Event]) -> None:
        got.extend(events)

    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.start()
    event = deleted("f1").model_copy(update={"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01"})
    await bus.publish([event])
    await bus.settled()
    assert got == [event]


async def test_a_new_projection_starts_with_the_oldest_event(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    await bus.publish([deleted("before")])
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.settled()
    assert handler.figures == ["before"]


async def test_a_new_reaction_starts_with_the_next_event(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    await bus.publish([deleted("before")])
    bus.subscribe(subscription(handler, kind=Kind.REACTION))
    await bus.start()
    await bus.publish([deleted("after")])
    await bus.settled()
    assert handler.figures == ["after"]


async def test_every_group_gets_every_event(make_bus: MakeBus) -> None:
    bus, one, two = await make_bus(), Recorder(), Recorder()
    bus.subscribe(subscription(one, group="one"))
    bus.subscribe(subscription(two, group="two"))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    assert one.figures == two.figures == ["f1"]


async def test_a_group_goes_on_where_it_stopped(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    again = await make_bus()
    again.subscribe(subscription(handler))
    await again.start()
    await again.publish([deleted("f2")])
    await again.settled()
    assert handler.figures == ["f1", "f2"]


async def test_a_bus_that_was_stopped_starts_again(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.stop()
    await bus.publish([deleted("f1")])
    await bus.start()
    await bus.settled()
    assert handler.figures == ["f1"]


async def test_what_was_not_finished_arrives_again_after_a_restart(make_bus: MakeBus) -> None:
    bus, dying, handler = await make_bus(), Recorder(), Recorder()
    dying.fail = lambda event: Unavailable("itself")
    bus.subscribe(subscription(dying))
    await bus.publish([deleted("f1")])
    await bus.start()
    again = await make_bus()
    again.subscribe(subscription(handler))
    await again.start()
    await again.settled()
    assert handler.figures == ["f1"]


async def test_only_the_failing_event_of_a_batch_is_retried(make_bus: MakeBus) -> None:
    bus, handler, tries = await make_bus(), Recorder(), list[str]()

    def fail(event: Event) -> Exception | None:
        tries.append(event.figure)
        return ValueError() if event.figure == "f1" and tries.count("f1") < 4 else None

    handler.fail = fail
    await bus.publish([deleted(f"f{n}") for n in range(3)])
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.settled()
    assert handler.figures == ["f0", "f1", "f2"]
    assert await bus.dead_letters() == []


async def test_a_poison_event_is_dead_lettered_and_the_rest_goes_on(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.fail = lambda event: TransientError("no luck") if event.figure == "f1" else None
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.publish([deleted(f"f{n}") for n in range(3)])
    await bus.settled()
    assert handler.figures == ["f0", "f2"]
    (letter,) = await bus.dead_letters()
    assert (letter.group, letter.topic, letter.attempts) == ("g", "image.deleted", ATTEMPTS)
    assert letter.attributes["subject"] == "f1"
    assert "TransientError" in letter.error
    assert "test_bus.py" in letter.traceback


async def test_what_a_handler_does_shows_in_metrics(make_bus: MakeBus) -> None:
    bus, handler, risen = await make_bus(), Recorder(), Risen()
    handler.fail = lambda event: {"poison": RuntimeError(), "refused": Invalid("bad")}.get(event.figure)
    bus.subscribe(observed(subscription(handler)))
    await bus.start()
    await bus.publish([deleted(figure) for figure in ("before", "poison", "refused", "after")])
    await bus.settled()
    where = {"group": "g", "topic": ImageDeleted.topic}
    assert risen("mitagger_events_handled_total", **where) == 2
    assert risen("mitagger_events_retried_total", **where) == ATTEMPTS - 1
    assert risen("mitagger_events_dead_lettered_total", **where) == 2
    assert risen("mitagger_handler_failures_total", **where, reason="permanent") == 1
    assert risen("mitagger_handler_failures_total", **where, reason="error") >= ATTEMPTS
    assert risen("mitagger_handler_seconds_count", **where) == handler.calls


async def test_a_permanent_error_is_dead_lettered_at_once(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.fail = lambda event: Invalid("bad")
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    (letter,) = await bus.dead_letters(group="g")
    assert letter.attempts == 1
    assert await bus.dead_letters(group="another") == []


async def test_a_replay_reaches_that_group_alone(make_bus: MakeBus) -> None:
    bus, broken, healthy = await make_bus(), Recorder(), Recorder()
    broken.fail = lambda event: Invalid("bad")
    bus.subscribe(subscription(broken, group="broken"))
    bus.subscribe(subscription(healthy, group="healthy"))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    broken.fail = lambda event: None
    (letter,) = await bus.dead_letters()
    assert await bus.replay([letter.id, "unknown"]) == 1
    await bus.settled()
    assert broken.figures == ["f1"]
    assert healthy.figures == ["f1"]
    assert await bus.dead_letters() == []
    with pytest.raises(NotFound):
        await bus.dead_letter(letter.id)


async def test_a_replayed_event_that_fails_again_is_one_dead_letter(make_bus: MakeBus) -> None:
    bus, broken = await make_bus(), Recorder()
    broken.fail = lambda event: Invalid("bad")
    bus.subscribe(subscription(broken))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    (first,) = await bus.dead_letters()
    await bus.replay([first.id])
    await bus.settled()
    (second,) = await bus.dead_letters()
    assert (second.id, second.topic) == (first.id, "image.deleted")


async def test_a_missing_dependency_makes_the_group_wait_without_spending_attempts(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.fail = lambda event: Unavailable("annotator")
    bus.subscribe(subscription(handler))
    await bus.start()
    await bus.publish([deleted("f1"), deleted("f2")])
    async with asyncio.timeout(10):
        while handler.calls < 3 * ATTEMPTS:
            await asyncio.sleep(0)
    waiting = {p.topic: p.waiting_for for p in await bus.progress()}
    assert waiting["image.deleted"] == "annotator"
    handler.fail = lambda event: None
    await bus.settled()
    assert handler.figures == ["f1", "f2"]
    assert await bus.dead_letters() == []
    assert [p.waiting_for for p in await bus.progress()] == [""]


async def test_one_topic_waiting_does_not_hold_up_another(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.fail = lambda event: Unavailable("x") if isinstance(event, ImageUploaded) else None
    bus.subscribe(subscription(handler, topics=(ImageUploaded, ImageDeleted)))
    await bus.start()
    await bus.publish([uploaded("f1"), deleted("f2")])
    async with asyncio.timeout(10):
        while handler.figures != ["f2"]:
            await asyncio.sleep(0)


async def test_reading_pages_through_the_log(make_bus: MakeBus) -> None:
    bus = await make_bus()
    await bus.publish([deleted(f"f{n}") for n in range(5)])
    first = await bus.read([ImageDeleted], limit=3)
    second = await bus.read([ImageDeleted], after=first.cursor, limit=3)
    third = await bus.read([ImageDeleted], after=second.cursor)
    assert [e.figure for e in first.events + second.events] == [f"f{n}" for n in range(5)]
    assert (third.events, third.cursor) == ([], second.cursor)
    with pytest.raises(Invalid):
        await bus.read([ImageDeleted], after="nonsense")


async def test_a_tail_shows_what_comes_from_now_on_and_resumes_after_a_cursor(make_bus: MakeBus) -> None:
    bus = await make_bus()
    await bus.publish([deleted("old")])
    tail = bus.tail([ImageDeleted])
    following = asyncio.ensure_future(anext(tail))
    async with asyncio.timeout(10):
        while not following.done():  # "now" is when the engine has looked for the end of the log
            await bus.publish([deleted("new")])
            await asyncio.sleep(0.01)
    cursor, event = await following
    assert event.figure == "new"
    await tail.aclose()  # type: ignore[attr-defined]
    await bus.publish([deleted("newer")])
    resumed = bus.tail([ImageDeleted], after=cursor)
    seen = [event.figure]
    async with asyncio.timeout(10):
        while seen[-1] != "newer":
            seen.append((await anext(resumed))[1].figure)
    assert set(seen) == {"new", "newer"}
    await resumed.aclose()  # type: ignore[attr-defined]


@blanking
async def test_forgetting_a_figure_blanks_its_events_and_dead_letters(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.fail = lambda event: Invalid("bad") if event.figure == "f1" else None
    bus.subscribe(subscription(handler, topics=(ImageUploaded,)))
    await bus.start()
    await bus.publish([uploaded("f1"), uploaded("f2"), deleted("f1")])
    await bus.settled()
    await bus.forget(["f1"])
    assert [e.figure for e in (await bus.read([ImageUploaded])).events] == ["f2"]
    assert [e.figure for e in (await bus.read([ImageDeleted])).events] == ["f1"]
    assert await bus.dead_letters() == []


@late_blanking
async def test_what_comes_of_a_figure_after_it_was_forgotten_is_kept_without_its_body(make_bus: MakeBus) -> None:
    bus = await make_bus()

    async def late(events: Sequence[Event]) -> None:
        await bus.forget([event.figure for event in events])
        await bus.publish(events)
        raise Invalid("fails with an event that was forgotten while it was handled")

    bus.subscribe(Subscription("late", (ImageUploaded,), late))
    await bus.start()
    await bus.publish([uploaded("f1"), deleted("f1")])
    await bus.settled()
    assert [type(event) for event in (await bus.read([ImageUploaded, ImageDeleted])).events] == [ImageDeleted]
    assert await bus.dead_letters() == []


@blanking
async def test_a_forgotten_event_is_passed_over(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    await bus.publish([uploaded("f1"), uploaded("f2")])
    await bus.forget(["f1"])
    bus.subscribe(subscription(handler, topics=(ImageUploaded,)))
    await bus.start()
    await bus.settled()
    assert handler.figures == ["f2"]


def uploaded(figure: str) -> ImageUploaded:
    return ImageUploaded.model_validate(
        {
            "time": datetime.now(UTC),
            "project": "default",
            "actor": "test",
            "figure": figure,
            "revision": 1,
            "article": {"id": "a1"},
        }
    )
