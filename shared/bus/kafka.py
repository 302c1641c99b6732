"""The distributed bus: Apache Kafka (4.0 or newer), by aiokafka."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AIOKafkaConsumer,
    AIOKafkaProducer,
)
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped, import-not-found, unused-ignore]
from aiokafka.errors import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    GroupCoordinatorNotAvailableError,
    KafkaError,
)

from shared.bus.kafka_address import KafkaAddress
from shared.bus.kafka_group import GroupMember, Record
from shared.bus.kafka_records import Origin, attributes, cursor, headers, letter, letter_headers, positions
from shared.bus.port import DeadLetter, Progress, Share, Slice, Subscription
from shared.bus.topics import answering, begin, dead_topic, partitions, retry_topic
from shared.errors import Invalid, NotFound, Unavailable
from shared.events import EVENTS
from shared.events.envelope import Event

# Kafka's own bound of a request, 1 MiB, of which an event takes at most 900 kB (envelope.py).
MAX_REQUEST_BYTES: Final = 1 << 20
POLL_MS: Final = 500
CLOSE_SECONDS: Final = 10
SETTLE_SECONDS: Final = 0.02

logger = structlog.get_logger()


class KafkaBus:
    """Implements `shared.bus.port.Bus` for one process of many.

    Two promises of the port Kafka cannot keep: `forget` drops dead letters only, records live out their retention;
    and a cursor of `read` holds for the topics that it was given for.
    """

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self.prefix = address.prefix
        self.members: list[GroupMember] = []
        self._producer: Any = None
        self._admin: Any = None
        self._observer: Any = None
        self._late: set[asyncio.Future[Any]] = set()
        self._replacing = asyncio.Lock()
        self._stopping = asyncio.Event()

    async def open(self) -> None:
        """Connects, and creates the event topics that are missing. Raises Unavailable."""
        await self.connect()
        try:
            await begin(self._admin, self._address, ())
        except Unavailable:
            await self.close()
            raise

    async def connect(self) -> None:
        """Only to look: nothing is created. Raises Unavailable."""
        self._admin = AIOKafkaAdminClient(**self._address.client)
        self._producer = _producer(self._address)
        self._observer = AIOKafkaConsumer(**self._address.client, enable_auto_commit=False)
        try:
            async with answering():
                for client in (self._admin, self._producer, self._observer):
                    await client.start()
        except Unavailable:
            await self.close()
            raise

    async def close(self) -> None:
        """Sends what is on its way, as far as Kafka takes it soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._producer.stop()
        await self._observer.stop()
        await self._admin.close()

    async def publish(self, events: Sequence[Event]) -> None:
        records = [(event.topic, event.figure, event.body(), headers(event.attributes())) for event in events]
        await self._send([(topic, key.encode(), body, head) for topic, key, body, head in records])

    def subscribe(self, subscription: Subscription) -> None:
        self.members.append(GroupMember(self._address, subscription, self._bury))

    async def start(self) -> None:
        """Creates the groups' own topics where missing, and joins the groups. Raises Unavailable."""
        self._stopping.clear()
        subscriptions = [member.subscription for member in self.members]
        await begin(self._admin, self._address, subscriptions)
        async with answering():
            await asyncio.gather(*(member.start() for member in self.members))

    async def stop(self) -> None:
        self._stopping.set()
        await asyncio.gather(*(member.stop() for member in self.members))

    async def tail(
        self, topics: Sequence[type[Event]], *, after: str | None = None
    ) -> AsyncIterator[tuple[str, Event]]:
        known = None if after is None else positions(after)
        async with self._reading([event.topic for event in topics]) as (consumer, ends):
            at = ends if known is None else self._resumed(known, ends)
            for where, offset in at.items():
                consumer.seek(where, offset)
            while not self._stopping.is_set():
                for where, records in (await consumer.getmany(timeout_ms=POLL_MS)).items():
                    for record in records:
                        at[where] = record.offset + 1
                        event = self._event(record)
                        if event is not None:
                            yield self._cursor(at), event

    async def read(self, topics: Sequence[type[Event]], *, after: str = "", limit: int = 100) -> Slice:
        known = positions(after) if after else {}
        async with self._reading([event.topic for event in topics]) as (consumer, ends):
            at = self._resumed(known, ends)
            records = await _collect(consumer, at, ends, limit)
            found = [event for event in map(self._event, records) if event is not None]
            return Slice(found, self._cursor(at))

    async def brokers(self) -> int:
        """How many there are. Raises Unavailable."""
        async with answering():
            return len((await self._admin.describe_cluster())["brokers"])

    async def records(self) -> int:
        """How many the topics of this installation hold. Raises Unavailable."""
        async with answering():
            there = await self._admin.list_topics()
            ours = [name for event in EVENTS if (name := self.prefix + event.topic) in there]
            where = await partitions(self._admin, ours) if ours else []
            first, ends = [await ask(where) for ask in (self._observer.beginning_offsets, self._observer.end_offsets)]
            return sum(ends[each] - first[each] for each in where)

    async def share(self, group: str, topic: type[Event]) -> Share:
        member = next(each for each in self.members if each.subscription.group == group)
        return await member.share(topic)

    async def progress(self) -> list[Progress]:
        """Of this process's groups, all their copies together. Raises Unavailable."""
        async with answering():
            found = await asyncio.gather(*map(self._progress_of, self.members))
            return [each for of_member in found for each in of_member]

    async def overview(self) -> list[Progress]:
        """Groups are known by their retry topics. Raises Unavailable."""
        mine = await self.progress()
        known = {(each.group, each.topic) for each in mine}
        async with answering():
            there = await self._admin.list_topics()
            groups: dict[str, list[str]] = {}
            for event in EVENTS:
                start = f"{self.prefix}{event.topic}."
                for name in there:
                    if name.startswith(start) and name.endswith(".retry"):
                        group = name.removeprefix(start).removesuffix(".retry")
                        groups.setdefault(group, []).extend((event.topic, name.removeprefix(self.prefix)))
            behind = await asyncio.gather(*(self._behind(group, names) for group, names in groups.items()))
        others = [
            Progress(group, topic, count, None)
            for group, counts in zip(groups, behind, strict=True)
            for topic, count in counts.items()
            if (group, topic) not in known and (count or not topic.endswith(".retry"))
        ]
        return sorted([*mine, *others], key=lambda each: (each.group, each.topic))

    async def settled(self, *, timeout: float = 30.0) -> None:
        async with asyncio.timeout(timeout):
            while any(each.behind for each in await self.progress()):
                await asyncio.sleep(SETTLE_SECONDS)

    async def dead_letters(self, *, group: str = "", limit: int = 100) -> list[DeadLetter]:
        letters = [each for each in (await self._letters()).values() if group in ("", each.group)]
        return sorted(letters, key=lambda each: (each.died_at, each.id), reverse=True)[:limit]

    async def dead_letter(self, id: str) -> DeadLetter:
        found = (await self._letters()).get(id)
        if found is None:
            raise NotFound("There is no such dead letter.", remedy="List them: mitagger dead-letters list")
        return found

    async def replay(self, ids: Sequence[str]) -> int:
        letters = await self._letters()
        found = [letters[id] for id in dict.fromkeys(ids) if id in letters]
        # First the retry, then the letter: what dies between is retried twice, never lost.
        await self._send(
            [
                (
                    retry_topic(each.topic, each.group),
                    each.attributes.get("subject", "").encode(),
                    each.body,
                    headers(each.attributes),
                )
                for each in found
            ]
        )
        await self._drop(found)
        return len(found)

    async def forget(self, figures: Sequence[str]) -> None:
        """Drops the dead letters of erased figures. Their other records live out their topic's retention."""
        erased = set(figures)
        await self._drop(
            [each for each in (await self._letters()).values() if each.attributes.get("subject") in erased]
        )

    async def _send(self, records: Sequence[tuple[str, bytes, bytes | None, list[tuple[str, bytes]]]]) -> None:
        """Durable on all in-sync replicas when it returns. Raises Unavailable."""
        producer, sent = self._producer, list[asyncio.Future[Any]]()
        try:
            async with answering():
                # What an earlier call gave up on is still being sent; it must not pile up while Kafka is away.
                if self._late:
                    await asyncio.wait(self._late)
                for topic, key, body, head in records:
                    sent.append(await producer.send(self.prefix + topic, body, key=key, headers=head))
                await asyncio.gather(*map(asyncio.shield, sent))
        except Unavailable as error:
            cause = error.__cause__
            if isinstance(cause, KafkaError) and not cause.retriable:
                await self._replace(producer)
            raise
        finally:
            for future in sent:
                if not future.done():
                    self._late.add(future)
                    future.add_done_callback(self._late.discard)

    async def _replace(self, broken: Any) -> None:
        """An idempotent producer that lost the count of its records refuses everything from then on."""
        async with self._replacing, answering():
            if self._producer is broken:
                fresh = _producer(self._address)
                await fresh.start()
                self._producer = fresh
                await broken.stop()

    async def _bury(self, dead: DeadLetter, origin: Origin) -> None:
        topic = dead_topic(dead.topic, dead.group)
        await self._send([(topic, dead.id.encode(), dead.body, letter_headers(dead, origin))])

    async def _drop(self, letters: Sequence[DeadLetter]) -> None:
        await self._send([(dead_topic(each.topic, each.group), each.id.encode(), None, []) for each in letters])

    async def _letters(self) -> dict[str, DeadLetter]:
        """All dead letters by id: of each key the newest record, unless that is empty. Raises Unavailable."""
        found: dict[str, DeadLetter] = {}
        async with answering():
            there = await self._admin.list_topics()
        events = tuple(f"{self.prefix}{event.topic}." for event in EVENTS)
        ours = [name.removeprefix(self.prefix) for name in there if name.startswith(events) and name.endswith(".dead")]
        if not ours:
            return found
        async with self._reading(ours) as (consumer, ends):
            for record in await _collect(consumer, self._resumed({}, ends), ends):
                id = (record.key or b"").decode(errors="replace")
                found.pop(id, None)
                if record.value is not None:
                    with contextlib.suppress(Invalid):  # somebody else's record
                        found[id] = letter(id, record.headers, record.value)
        return found

    async def _progress_of(self, member: GroupMember) -> list[Progress]:
        group = member.subscription.group
        names = [
            name for event in member.subscription.topics for name in (event.topic, retry_topic(event.topic, group))
        ]
        found = []
        for name, behind in (await self._behind(group, names)).items():
            held = [each for each in member.held() if each.where.topic == self.prefix + name]
            moved = max((each.moved_at for each in held if each.moved_at), default=None)
            waiting = member.stopped_because or next((each.waiting_for for each in held if each.waiting_for), "")
            if behind or not name.endswith(".retry"):
                found.append(Progress(group, name, behind, moved, waiting))
        return found

    async def _behind(self, group: str, topics: Sequence[str]) -> dict[str, int]:
        """Events of each topic (without the prefix) that the group has not handled yet. Raises KafkaError."""
        where = await partitions(self._admin, [self.prefix + topic for topic in topics])
        committed = await self._committed(group)
        first, ends = await asyncio.gather(self._observer.beginning_offsets(where), self._observer.end_offsets(where))
        behind = dict.fromkeys(topics, 0)
        for each in where:
            start = max(committed[each].offset, first[each]) if each in committed else first[each]
            behind[each.topic.removeprefix(self.prefix)] += max(0, ends[each] - start)
        return behind

    async def _committed(self, group: str) -> Mapping[Any, Any]:
        """The group's positions. A new broker makes the topic of all groups' positions when it is first asked."""
        while True:
            try:
                found: Mapping[Any, Any] = await self._admin.list_consumer_group_offsets(self.prefix + group)
            except GroupCoordinatorNotAvailableError:
                await asyncio.sleep(SETTLE_SECONDS)
            else:
                return found

    @contextlib.asynccontextmanager
    async def _reading(self, topics: Sequence[str]) -> AsyncIterator[tuple[Any, dict[Any, int]]]:
        """A consumer without a group on all partitions of these topics, and their ends as of now."""
        consumer = AIOKafkaConsumer(
            **self._address.client,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            async with answering():
                await consumer.start()
                where = await partitions(self._admin, [self.prefix + topic for topic in topics])
                consumer.assign(where)
                ends = dict(await consumer.end_offsets(where))
            yield consumer, ends
        except KafkaError as error:
            raise Unavailable("kafka", f"Kafka refuses: {type(error).__name__}.") from error
        finally:
            await consumer.stop()

    def _resumed(self, known: Mapping[tuple[str, int], int], ends: Mapping[Any, int]) -> dict[Any, int]:
        """Where to go on. A partition that a cursor does not know yet begins with its oldest record."""
        return {
            each: min(known.get((each.topic.removeprefix(self.prefix), each.partition), 0), end)
            for each, end in ends.items()
        }

    def _cursor(self, at: Mapping[Any, int]) -> str:
        return cursor({(each.topic.removeprefix(self.prefix), each.partition): offset for each, offset in at.items()})

    def _event(self, record: Record) -> Event | None:
        """None for what is no event of ours: a reader goes on, where a group would dead-letter it."""
        name = record.topic.removeprefix(self.prefix)
        try:
            return next(event for event in EVENTS if event.topic == name).decode(
                attributes(record.headers), record.value or b""
            )
        except Invalid as error:
            where = f"{record.topic}/{record.partition}/{record.offset}"
            logger.warning("not an event", where=where, error=str(error))
            return None


async def _collect(
    consumer: Any, at: dict[Any, int], ends: Mapping[Any, int], limit: int | None = None
) -> list[Record]:
    """The records from `at` to `ends`, at most `limit`; `at` moves along. Raises Unavailable."""
    found: list[Record] = []
    for where, offset in at.items():
        consumer.seek(where, offset)
    async with answering():
        while any(at[where] < end for where, end in ends.items()) and (limit is None or len(found) < limit):
            left = None if limit is None else limit - len(found)
            for records in (await consumer.getmany(timeout_ms=POLL_MS, max_records=left)).values():
                found.extend(records)
            for where in at:
                at[where] = await consumer.position(where)
    return found


def _producer(address: KafkaAddress) -> Any:
    return AIOKafkaProducer(**address.client, acks="all", enable_idempotence=True, max_request_size=MAX_REQUEST_BYTES)
