"""What only Kafka has: partitions that move between members, a broker that goes away, records of others."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import OutOfOrderSequenceNumber

from shared import scraping
from shared.bus import kafka_group, topics
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.bus.port import Kind, Subscription
from shared.bus.topics import Action, Topic, apply, begin, plan
from shared.documents.sqlite import NoOutbox
from shared.errors import Invalid, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.metrics import REGISTRY
from shared.scraping import Scrape
from tests.support.servers import buses
from tests.support.servers.kafka import Broker, address

pytestmark = pytest.mark.servers

MakeBus = Callable[[], Awaitable[KafkaBus]]


@pytest.fixture
async def make_bus(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBus]:
    """Buses of one installation, as of several processes; three partitions a topic."""
    async with buses.opened(monkeypatch, partitions=3) as make:
        yield make


@pytest.fixture
async def make_single(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBus]:
    """The same with one partition a topic."""
    async with buses.opened(monkeypatch, partitions=1) as make:
        yield make


@pytest.fixture
async def admin() -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=address())
    await client.start()
    yield client
    await client.close()


class Recorder:
    """Remembers what it finished; while `gate` is shut it does not finish."""

    def __init__(self) -> None:
        self.done: list[tuple[str, int]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, events: Sequence[Event]) -> None:
        self.begun.set()
        await self.gate.wait()
        self.done.extend((event.figure, event.revision) for event in events)


def deleted(figure: str, revision: int = 1) -> ImageDeleted:
    return ImageDeleted(time=datetime.now(UTC), project="default", actor="test", figure=figure, revision=revision)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def holds(bus: KafkaBus) -> int:
    return sum(1 for member in bus.members for held in member.held() if held.where.topic.endswith("image.deleted"))


async def test_members_come_and_go_and_every_figure_keeps_its_order(make_bus: MakeBus) -> None:
    handled: list[tuple[str, int]] = []

    async def handler(events: Sequence[Event]) -> None:
        handled.extend((event.figure, event.revision) for event in events)
        await asyncio.sleep(0)

    members = [await make_bus() for _ in range(3)]
    for bus in members:
        bus.subscribe(Subscription("g", (ImageDeleted,), handler, batch=7))
    figures = [f"f{n}" for n in range(20)]

    async def publish() -> None:
        for revision in range(1, 31):
            await members[0].publish([deleted(figure, revision) for figure in figures])

    publishing = asyncio.create_task(publish())
    for bus in members:
        await bus.start()
        await until(lambda bus=bus: holds(bus) > 0)  # type: ignore[misc]
    await members[1].stop()
    await publishing
    await members[0].settled()
    for figure in figures:
        first_seen = list(dict.fromkeys(revision for name, revision in handled if name == figure))
        assert first_seen == list(range(1, 31))
    assert await members[0].dead_letters() == []


async def test_a_batch_at_work_is_finished_and_committed_before_its_partition_leaves(make_bus: MakeBus) -> None:
    one, two, handler = await make_bus(), await make_bus(), Recorder()
    handler.gate.clear()
    for bus in (one, two):
        bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await one.publish([deleted(f"f{n}") for n in range(30)])
    await one.start()
    await handler.begun.wait()
    joining = asyncio.create_task(two.start())
    await until(lambda: any(held.leaving for held in [*one.members[0].held()]) or holds(one) == 0)
    handler.gate.set()
    await joining
    await until(lambda: holds(one) > 0 and holds(two) > 0)
    await one.settled()
    assert sorted(handler.done) == sorted((f"f{n}", 1) for n in range(30))


async def test_what_finishes_after_its_partition_left_commits_nothing(
    make_single: MakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_group, "DRAIN_SECONDS", 0.05)
    slow, late = await make_single(), Recorder()
    late.gate.clear()
    slow.subscribe(Subscription("g", (ImageDeleted,), late))
    await slow.publish([deleted("f1")])
    await slow.start()
    await late.begun.wait()
    while True:  # which of two members gets the only partition is chance
        quick, handler = await make_single(), Recorder()
        quick.subscribe(Subscription("g", (ImageDeleted,), handler))
        await quick.start()
        await until(lambda quick=quick: holds(slow) + holds(quick) == 1)  # type: ignore[misc]
        if holds(quick):
            break
        await quick.stop()
    await quick.publish([deleted("f2")])
    await quick.settled()
    assert handler.done == [("f1", 1), ("f2", 1)]
    await quick.stop()
    await until(lambda: holds(slow) == 1)
    late.gate.set()
    await slow.stop()
    assert late.done == [("f1", 1)]
    assert [each.behind for each in await slow.progress()] == [0]


async def test_a_member_that_waits_for_a_dependency_stays_in_its_group(
    make_bus: MakeBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_group, "POLL_SECONDS", 1)
    monkeypatch.setattr(kafka_group, "DEPENDENCY_SECONDS", 0.25)
    bus, tries = await make_bus(), list[float]()

    async def handler(events: Sequence[Event]) -> None:
        tries.append(asyncio.get_running_loop().time())
        raise Unavailable("annotator")

    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.publish([deleted("f1")])
    await bus.start()
    await until(lambda: len(tries) > 0)
    before = [*bus.members[0].held()]
    await until(lambda: tries[-1] - tries[0] > 2.5)  # twice as long as a member may go without polling
    assert [*bus.members[0].held()] == before
    assert await bus.dead_letters() == []


async def test_any_process_sees_how_far_the_groups_of_others_are(make_bus: MakeBus) -> None:
    bus, other, handler = await make_bus(), await make_bus(), Recorder()
    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    await bus.stop()
    await bus.publish([deleted("f2"), deleted("f3")])
    assert await other.progress() == []
    (seen,) = await other.overview()
    assert (seen.group, seen.topic, seen.behind, seen.waiting_for) == ("g", "image.deleted", 2, "")
    assert await bus.overview() == await bus.progress()


async def test_a_stop_lets_the_handler_finish_and_commits(make_bus: MakeBus) -> None:
    bus, handler = await make_bus(), Recorder()
    handler.gate.clear()
    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.publish([deleted("f1")])
    await bus.start()
    await handler.begun.wait()
    stopping = asyncio.create_task(bus.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    handler.gate.set()
    await stopping
    assert handler.done == [("f1", 1)]
    assert [each.behind for each in await bus.progress()] == [0]


async def test_a_reaction_whose_records_are_gone_stops_and_says_so(
    make_single: MakeBus, admin: AIOKafkaAdminClient
) -> None:
    bus, handler = await make_single(), Recorder()
    bus.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    await bus.stop()
    await bus.publish([deleted("f2"), deleted("f3")])
    where = TopicPartition(f"{bus.prefix}image.deleted", 0)
    await admin.delete_records({where: RecordsToDelete(before_offset=2)})
    again = await make_single()
    again.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await again.start()
    await until(lambda: again.members[0].stopped_because != "")
    assert "lost position" in (await again.progress())[0].waiting_for
    assert handler.done == [("f1", 1)]


async def test_copies_of_a_new_reaction_that_start_together_begin_with_the_next_event(make_bus: MakeBus) -> None:
    copies, handler = [await make_bus() for _ in range(4)], Recorder()
    await copies[0].publish([deleted("before")])
    for bus in copies:
        bus.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await asyncio.gather(*(bus.start() for bus in copies))
    await copies[0].publish([deleted(f"f{n}") for n in range(20)])
    await copies[0].settled()
    assert set(handler.done) == {(f"f{n}", 1) for n in range(20)}
    assert [bus.members[0].stopped_because for bus in copies] == [""] * 4


async def test_a_reaction_that_was_here_before_and_has_no_position_stops(
    make_single: MakeBus, admin: AIOKafkaAdminClient
) -> None:
    bus, handler = await make_single(), Recorder()
    before = Subscription("g", (ImageDeleted,), handler)
    same = parsed(f"kafka://{address()}/{bus.prefix.removesuffix('.')}")
    await begin(admin, same, [before])  # the group's own topics, and no position
    await bus.publish([deleted("f1")])
    bus.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await bus.start()
    await until(lambda: bus.members[0].stopped_because != "")
    assert handler.done == []


async def test_a_reaction_begins_with_the_first_record_of_a_partition_added_later(
    make_single: MakeBus, admin: AIOKafkaAdminClient
) -> None:
    bus, handler = await make_single(), Recorder()
    bus.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await bus.start()
    await bus.stop()
    more = Topic(f"{bus.prefix}image.deleted", 4, None)
    with pytest.raises(Invalid, match="add partitions"):
        await apply(admin, await plan(admin, [more]))
    await apply(admin, await plan(admin, [more]), harmful=True)
    again = await make_single()
    await again.publish([deleted(f"f{n}") for n in range(20)])
    again.subscribe(Subscription("g", (ImageDeleted,), handler, kind=Kind.REACTION))
    await again.start()
    await again.settled()
    assert sorted(handler.done) == sorted((f"f{n}", 1) for n in range(20))


async def test_a_record_that_is_no_event_is_dead_lettered_and_readers_pass_over_it(make_single: MakeBus) -> None:
    bus, handler = await make_single(), Recorder()
    producer = AIOKafkaProducer(bootstrap_servers=address())
    await producer.start()
    await producer.send_and_wait(f"{bus.prefix}image.deleted", b"\xff", headers=[("ce_id", b"\xff")])
    await producer.send_and_wait(f"{bus.prefix}image.deleted", b"{}")
    await producer.send_and_wait(f"{bus.prefix}image.deleted", b"x" * 1_048_400)  # as large as Kafka takes
    await producer.stop()
    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled()
    assert handler.done == [("f1", 1)]
    assert len(await bus.dead_letters(group="g")) == 3
    assert [event.figure for event in (await bus.read([ImageDeleted])).events] == ["f1"]


async def test_records_are_cloudevents_in_binary_mode_keyed_by_figure(make_single: MakeBus) -> None:
    bus = await make_single()
    event = deleted("f1")
    await bus.publish([event])
    consumer = AIOKafkaConsumer(f"{bus.prefix}image.deleted", bootstrap_servers=address(), auto_offset_reset="earliest")
    await consumer.start()
    record = await asyncio.wait_for(consumer.getone(), 10)
    await consumer.stop()
    assert record.key == b"f1"
    assert record.value == event.body()
    head = dict(record.headers)
    assert head["content-type"] == b"application/json"
    assert (head["ce_specversion"], head["ce_id"], head["ce_subject"]) == (b"1.0", event.id.encode(), b"f1")


async def test_reading_many_partitions_in_pages_misses_and_repeats_nothing(make_bus: MakeBus) -> None:
    bus = await make_bus()
    await bus.publish([deleted(f"f{n}") for n in range(40)])
    cursor, seen = "", list[str]()
    while page := await bus.read([ImageDeleted], after=cursor, limit=7):
        if not page.events:
            break
        assert len(page.events) <= 7
        seen += [event.figure for event in page.events]
        cursor = page.cursor
    assert sorted(seen) == sorted(f"f{n}" for n in range(40))


async def test_forgetting_drops_the_dead_letters_of_a_figure(make_bus: MakeBus) -> None:
    bus = await make_bus()

    async def handler(events: Sequence[Event]) -> None:
        raise Invalid("bad")

    bus.subscribe(Subscription("g", (ImageDeleted,), handler))
    await bus.start()
    await bus.publish([deleted("f1"), deleted("f2")])
    await bus.settled()
    await bus.forget(["f1"])
    assert [letter.attributes["subject"] for letter in await bus.dead_letters()] == ["f2"]


async def test_a_broker_that_was_killed_and_comes_back_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 3)
    broker = Broker(tmp_path)
    broker.start()
    try:
        async with buses.opened(monkeypatch, partitions=3, address=broker.address) as make:
            bus, handler = await make(), Recorder()
            bus.subscribe(Subscription("g", (ImageDeleted,), handler))
            await bus.start()
            await bus.publish([deleted("f1")])
            await bus.settled()
            broker.kill()
            with pytest.raises(Unavailable):
                await bus.publish([deleted("f2")])
            with pytest.raises(Unavailable):
                await bus.progress()
            scrape = Scrape("test", bus, NoOutbox())
            async with asyncio.timeout(scraping.SECONDS + 2):
                await scrape.ask()
            assert REGISTRY.get_sample_value("mitagger_source_up", {"source": "bus"}) == 0
            where = {"group": "g", "topic": ImageDeleted.topic}
            assert REGISTRY.get_sample_value("mitagger_group_behind_events", where) is None
            await asyncio.to_thread(broker.start)
            await bus.publish([deleted("f2"), deleted("f3")])
            async with asyncio.timeout(40):
                while {figure for figure, _ in handler.done} != {"f1", "f2", "f3"}:
                    await asyncio.sleep(0.05)
            await bus.settled()
            await scrape.ask()
            assert REGISTRY.get_sample_value("mitagger_source_up", {"source": "bus"}) == 1
            assert REGISTRY.get_sample_value("mitagger_group_behind_events", where) == 0
    finally:
        broker.kill()


async def test_a_broker_that_wants_tls_and_a_password_is_talked_to(tmp_path: Path) -> None:
    broker = Broker(tmp_path, user="mitagger", password="s/cr@t")
    broker.start()
    try:
        bus, handler = KafkaBus(parsed(f"{broker.secure_url}&mechanism=PLAIN")), Recorder()
        await bus.open()
        bus.subscribe(Subscription("g", (ImageDeleted,), handler))
        await bus.start()
        await bus.publish([deleted("f1")])
        await bus.settled()
        await bus.stop()
        await bus.close()
        assert handler.done == [("f1", 1)]
        with pytest.raises(Unavailable):
            await KafkaBus(parsed(f"{broker.secure_url}&mechanism=PLAIN".replace("s%2Fcr", "other"))).open()
    finally:
        broker.kill()


async def test_a_producer_that_lost_count_is_replaced(make_single: MakeBus) -> None:
    bus = await make_single()
    bus._producer._message_accumulator.fail_all(OutOfOrderSequenceNumber())  # as aiokafka's sender does when told so
    with pytest.raises(Unavailable):
        await bus.publish([deleted("f1")])
    await bus.publish([deleted("f1")])
    assert [event.figure for event in (await bus.read([ImageDeleted])).events] == ["f1"]


async def test_a_broker_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await KafkaBus(parsed("kafka://127.0.0.1:1")).open()


async def test_topics_are_changed_only_where_nothing_is_lost(admin: AIOKafkaAdminClient, make_single: MakeBus) -> None:
    name = f"{(await make_single()).prefix}plan"
    await admin.create_topics(
        [NewTopic(name, 2, 1, topic_configs={"retention.ms": "86400000", "segment.bytes": "2000000"})]
    )
    longer = Topic(name, 2, timedelta(days=2))
    async with asyncio.timeout(10):
        while name not in await admin.list_topics():
            await asyncio.sleep(0.01)
    (change,) = await plan(admin, [longer])
    assert change.action is Action.KEEP_LONGER
    await apply(admin, [change])
    assert await plan(admin, [longer]) == []
    harmful = await plan(admin, [Topic(name, 2, timedelta(hours=1), compacted=True), Topic(f"{name}.new", 1, None)])
    assert {change.action for change in harmful} == {Action.KEEP_SHORTER, Action.COMPACT, Action.CREATE}
    with pytest.raises(Invalid):
        await apply(admin, harmful)
    assert await plan(admin, [longer]) == []
    assert f"{name}.new" not in await admin.list_topics()
    await apply(admin, harmful, harmful=True)
    assert await plan(admin, [change.topic for change in harmful]) == []


async def test_changing_a_topic_keeps_what_others_set(admin: AIOKafkaAdminClient, make_single: MakeBus) -> None:
    name = f"{(await make_single()).prefix}mine"
    await admin.create_topics([NewTopic(name, 1, 1, topic_configs={"retention.ms": "1000", "segment.ms": "60000"})])
    async with asyncio.timeout(10):
        while name not in await admin.list_topics():
            await asyncio.sleep(0.01)
    await apply(admin, await plan(admin, [Topic(name, 1, None)]))
    assert (await topics._settings(admin, [name], own=True))[name]["segment.ms"] == "60000"
