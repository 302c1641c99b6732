"""What a relay promises of events that wait in documents, on MongoDB's protocol, with any number of relays."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shared.bus.log import EventLog
from shared.bus.sqlite import SqliteBus
from shared.clock import now
from shared.documents import outbox
from shared.documents.mongo import MongoDocuments
from shared.documents.outbox import Relay
from shared.documents.port import Backlog, Collection, Document
from shared.errors import TooLarge, Unavailable
from shared.events import EVENTS
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.sqlite import Database
from tests.support.builders import image_uploaded
from tests.support.servers import mongo

pytestmark = pytest.mark.servers

Sent = list[tuple[str, int, str]]  # figure, revision, event id


class Sample(Document):
    collection: ClassVar[str] = "test.samples"

    text: str = ""


class Store:
    """Samples in MongoDB, whose events go to the embedded bus."""

    def __init__(self, there: Any, bus: SqliteBus) -> None:
        self.there, self.bus = there, bus
        self.relay = Relay(there, bus, [Sample])

    @property
    def samples(self) -> Collection[Sample]:
        return self.samples_of(self.relay)

    def samples_of(self, relay: Relay) -> Collection[Sample]:
        """As the process sees them in which this relay runs."""
        return MongoDocuments(self.there, relay.wake).collection(Sample)

    async def sent(self) -> Sent:
        events = (await self.bus.read(EVENTS, limit=10_000)).events
        return [(event.figure, event.revision, event.id) for event in events]

    async def end_leases(self) -> None:
        """As the time that a dead relay is waited for would."""
        await self.there[Sample.collection].update_many({}, {"$set": {"lease.until": 0.0}})

    async def drained(self) -> None:
        async with asyncio.timeout(20):
            while await self.relay.pending():
                await asyncio.sleep(0.01)


async def test_what_waits_is_told_by_collection_with_the_time_of_the_oldest(store: Store) -> None:
    assert await store.relay.backlogs() == {Sample.collection: Backlog(0)}
    before = now()
    for id in ("a", "b"):
        await store.samples.insert(Sample(id=id), [image_uploaded(figure=id)])
    (backlog,) = (await store.relay.backlogs()).values()
    assert backlog.documents == 2
    assert backlog.oldest is not None
    assert before <= backlog.oldest <= now()
    await store.relay.sweep()
    assert await store.relay.backlogs() == {Sample.collection: Backlog(0)}


@pytest.fixture
async def store(mongodb: str, tmp_path: Path) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        database = Database(tmp_path / "bus.sqlite")
        await database.open()
        stack.push_async_callback(database.close)
        bus = SqliteBus(database, EventLog())
        await bus.prepare()
        there = await stack.enter_async_context(mongo.database(mongodb))
        await MongoDocuments(there, lambda _: None).prepare([Sample])
        yield Store(there, bus)


class Failing(SqliteBus):
    """The embedded bus, which fails before (or, if `late`, after) it published its n-th event."""

    def __init__(self, bus: SqliteBus, error: BaseException, *, at: int, late: bool = False) -> None:
        super().__init__(bus._database, bus._log)
        self.error, self.left, self.late = error, at, late

    async def publish(self, events: Sequence[Event]) -> None:
        self.left -= 1
        if self.left == 0 and not self.late:
            raise self.error
        await super().publish(events)
        if self.left == 0:
            raise self.error


def fact(figure: str, revision: int = 1) -> ImageDeleted:
    return ImageDeleted(time=now(), project="default", actor="test", figure=figure, revision=revision)


def saved(sample: Sample) -> tuple[Sample, list[Event]]:
    """A change with an event that carries the version it made, as its revision."""
    return sample.changed(text=f"{sample.version + 1}"), [fact(sample.id, sample.version + 1)]


def first_sendings(sent: Sent) -> dict[str, list[int]]:
    """The revisions of each figure in the order of their first sending."""
    revisions: dict[str, list[int]] = defaultdict(list)
    for figure, revision, _ in sent:
        if revision not in revisions[figure]:
            revisions[figure].append(revision)
    return revisions


async def test_events_wait_in_their_document_until_they_are_sent(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a")])
    assert (await store.sent(), await store.relay.pending()) == ([], 1)
    await store.relay.sweep()
    assert ([figure for figure, _, _ in await store.sent()], await store.relay.pending()) == (["a"], 0)


async def test_sending_twice_equals_once_and_leaves_the_document_alone(store: Store) -> None:
    stored = await store.samples.insert(Sample(id="a", text="x"), [fact("a")])
    await store.relay.sweep()
    await store.relay.sweep()
    assert len(await store.sent()) == 1
    assert await store.samples.get("a") == stored


async def test_an_event_arrives_as_it_was_caused(store: Store) -> None:
    event = image_uploaded(
        legend='Ä "quoted" 😀\n', traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    )
    await store.samples.insert(Sample(id="a"), [event])
    await store.relay.sweep()
    assert (await store.bus.read(EVENTS)).events == [event]


async def test_a_write_that_was_refused_sends_nothing(store: Store) -> None:
    await store.samples.insert_many([Sample(id="a"), Sample(id="a")], [[fact("a", 1)], [fact("a", 2)]])
    await store.relay.sweep()
    assert [revision for _, revision, _ in await store.sent()] == [1]


async def test_an_event_above_the_limit_is_refused_before_the_write(store: Store) -> None:
    with pytest.raises(TooLarge):
        await store.samples.insert(Sample(id="a"), [image_uploaded(legend="x" * 900_001)])
    with pytest.raises(TooLarge):
        await store.samples.erase("a", [image_uploaded(legend="x" * 900_001)])
    assert await store.there[Sample.collection].count_documents({}) == 0


async def test_an_erasure_goes_out_last_and_leaves_no_content(store: Store) -> None:
    await store.samples.insert(Sample(id="a", text="legend"), [image_uploaded(figure="a", revision=1)])
    await store.samples.erase("a", [fact("a", 2)])
    await store.relay.sweep()
    assert [revision for _, revision, _ in await store.sent()] == [1, 2]
    (record,) = await store.there[Sample.collection].find().to_list()
    assert (record["schema"], record["body"], record["unique"], record["outbox"]) == (0, None, {}, [])


async def test_a_relay_sends_at_its_start_what_another_left(store: Store) -> None:
    await store.samples.insert_many([Sample(id=f"s{n}") for n in range(200)], [[fact(f"s{n}")] for n in range(200)])
    await store.relay.start()
    await store.drained()
    await store.relay.stop()
    assert sorted(figure for figure, _, _ in await store.sent()) == sorted(f"s{n}" for n in range(200))


async def test_a_write_wakes_the_relay_of_its_process(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", 3600.0)
    await store.relay.start()
    for n in range(3):  # each comes when the relay has nothing to do
        await store.samples.insert(Sample(id=f"s{n}"), [fact(f"s{n}")])
        await store.drained()
    await store.relay.stop()
    assert [figure for figure, _, _ in await store.sent()] == ["s0", "s1", "s2"]


async def test_a_relay_finds_what_a_process_without_one_wrote(store: Store) -> None:
    await store.relay.start()
    await MongoDocuments(store.there, lambda _: None).collection(Sample).insert(Sample(id="a"), [fact("a")])
    await store.drained()
    await store.relay.stop()
    assert len(await store.sent()) == 1


async def test_three_racing_relays_lose_nothing_and_keep_the_order_of_each_document(store: Store) -> None:
    relays = [Relay(store.there, store.bus, [Sample]) for _ in range(3)]
    for relay in relays:
        await relay.start()
    names = [f"s{n}" for n in range(12)]

    async def write(name: str) -> None:
        samples = store.samples_of(random.choice(relays))
        for _ in range(15):
            await samples.update(name, saved, initial=Sample(id=name))

    await asyncio.gather(*map(write, names), *map(write, names))  # two writers a document
    await store.drained()
    for relay in relays:
        await relay.stop()
    sent = await store.sent()
    assert first_sendings(sent) == {name: list(range(1, 31)) for name in names}
    assert len({id for _, _, id in sent}) == 12 * 30  # doubles have equal ids
    assert [(sample.version, sample.text) for sample in await store.samples.get_many(names)] == [(30, "30")] * 12


async def test_a_leased_document_is_left_to_its_relay_until_the_lease_runs_out(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a")])
    dying = Relay(store.there, Failing(store.bus, asyncio.CancelledError(), at=1), [Sample])
    with pytest.raises(asyncio.CancelledError):
        await dying.sweep()
    await store.relay.sweep()
    assert await store.sent() == []
    await store.end_leases()
    await store.relay.sweep()
    assert len(await store.sent()) == 1


async def test_a_relay_that_dies_between_sending_and_clearing_repeats_the_same_ids(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a", 1), fact("a", 2), fact("a", 3)])
    dying = Relay(store.there, Failing(store.bus, asyncio.CancelledError(), at=2, late=True), [Sample])
    with pytest.raises(asyncio.CancelledError):
        await dying.sweep()
    await store.end_leases()
    await store.relay.sweep()
    sent = await store.sent()
    assert [revision for _, revision, _ in sent] == [1, 2, 1, 2, 3]
    assert len({id for _, _, id in sent}) == 3


async def test_writing_goes_on_while_a_relay_holds_the_document(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a", 1)])
    dying = Relay(store.there, Failing(store.bus, asyncio.CancelledError(), at=1, late=True), [Sample])
    with pytest.raises(asyncio.CancelledError):
        await dying.sweep()
    assert (await store.samples.update("a", saved, version=1)).version == 2
    await store.end_leases()
    await store.relay.sweep()
    assert first_sendings(await store.sent()) == {"a": [1, 2]}


async def test_a_bus_that_is_down_keeps_the_events_and_their_order(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a", 1), fact("a", 2), fact("a", 3)])
    with pytest.raises(Unavailable):
        await Relay(store.there, Failing(store.bus, Unavailable("bus"), at=2), [Sample]).sweep()
    await store.relay.sweep()  # the lease was given back
    assert [revision for _, revision, _ in await store.sent()] == [1, 2, 3]


async def test_a_relay_says_what_it_waits_for_and_goes_on_by_itself(store: Store) -> None:
    await store.samples.insert(Sample(id="a"), [fact("a")])
    relay = Relay(store.there, Failing(store.bus, Unavailable("bus"), at=1), [Sample])
    await relay.start()
    async with asyncio.timeout(10):
        while relay.waiting_for != "bus":
            await asyncio.sleep(0.001)
    await store.drained()
    await relay.stop()
    assert len(await store.sent()) == 1


async def test_an_event_that_is_refused_stops_only_its_own_document(store: Store) -> None:
    await store.samples.insert_many(
        [Sample(id="a"), Sample(id="b")], [[fact("a", 1), fact("a", 2)], [fact("b", 1), fact("b", 2)]]
    )
    await Relay(store.there, Failing(store.bus, TooLarge("no"), at=1), [Sample]).sweep()
    sent = first_sendings(await store.sent())
    assert sorted(sent.values()) == [[1, 2]]
    await store.end_leases()
    await store.relay.sweep()
    assert first_sendings(await store.sent()) == {"a": [1, 2], "b": [1, 2]}


async def test_an_event_of_a_newer_version_waits_for_it(store: Store) -> None:
    await store.samples.insert_many([Sample(id="a"), Sample(id="b")], [[fact("a")], [fact("b")]])
    await store.there[Sample.collection].update_one({"_id": "a"}, {"$set": {"outbox.0.topic": "image.annotated.v9"}})
    await store.relay.sweep()
    assert ([figure for figure, _, _ in await store.sent()], await store.relay.pending()) == (["b"], 1)
