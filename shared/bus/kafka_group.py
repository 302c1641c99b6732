"""One copy of a subscription on Kafka: a member of its group that handles the partitions it is given, in order.

Plain aiokafka (docs/decisions/0009-kafka-without-faststream.md). Batches are handled one at a time; the client's own
tasks keep the membership alive beside them, as long as handlers leave the event loop free.
"""

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias

import structlog
from aiokafka import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AIOKafkaConsumer,
    ConsumerRebalanceListener,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.errors import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from shared import metrics
from shared.bus.kafka_address import KafkaAddress
from shared.bus.kafka_records import Origin, attributes, letter_id
from shared.bus.port import DeadLetter, Kind, Share, Subscription
from shared.bus.retry import ATTEMPTS, DEPENDENCY_SECONDS, delay
from shared.bus.topics import retry_topic
from shared.errors import Invalid, PermanentError, Unavailable
from shared.events.envelope import MAX_BODY_BYTES, Event

REBALANCE_SECONDS: Final = 60
# What is at work when a partition goes elsewhere may finish within half of that; the rest is for joining again.
DRAIN_SECONDS: Final = REBALANCE_SECONDS / 2
# The work of a copy that was killed goes to the others after this time. Heartbeats share the event loop with handlers,
# which leave it free (CPU work is in threads and processes).
SESSION_SECONDS: Final = 10
HEARTBEAT_SECONDS: Final = 3
# A member whose handler takes longer hands its partitions over.
POLL_SECONDS: Final = 600
STOP_SECONDS: Final = 30
FETCH_WAIT_MS: Final = 500
MAX_PARTITION_BYTES: Final = 2 << 20
TRACEBACK_CHARACTERS: Final = 8_000
ERROR_CHARACTERS: Final = 1_000
# The largest event (900 kB), and room for its attributes.
MAX_RECORD_BYTES: Final = MAX_BODY_BYTES + 20_000

logger = structlog.get_logger()


class Record(Protocol):
    """What aiokafka hands out."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


Bury: TypeAlias = Callable[[DeadLetter, Origin], Awaitable[None]]


@dataclass(slots=True, eq=False)
class Held:
    """A partition while this member has it. Getting it again makes a new one, so what is late knows that it is."""

    where: Any  # TopicPartition
    event_class: type[Event]
    since: float = field(default_factory=time.time)
    moved_at: datetime | None = None
    waiting_for: str = ""
    wake_at: float = 0.0
    attempts: int = 0
    leaving: bool = False  # nothing more is begun
    lost: bool = False  # nothing more is committed: another member may have it


class GroupMember(ConsumerRebalanceListener):  # type: ignore[misc, unused-ignore]
    """`bury` writes a dead letter durably before the event's position is committed."""

    def __init__(self, address: KafkaAddress, subscription: Subscription, bury: Bury) -> None:
        self.subscription = subscription
        self.stopped_because = ""
        self._address = address
        self._prefix = prefix = address.prefix
        self._bury_letter = bury
        self._classes = {
            prefix + name: event
            for event in subscription.topics
            for name in (event.topic, retry_topic(event.topic, subscription.group))
        }
        self._consumer: Any = None
        self._held: dict[Any, Held] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._at_work: tuple[Held, Record] | None = None
        self._proved_at = 0.0  # when the group last confirmed by a commit that it knows this member (loop time)
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Joins the group. Raises KafkaError."""
        self._stopping, self.stopped_because = False, ""
        self._consumer = AIOKafkaConsumer(
            **self._address.client,
            group_id=self._prefix + self.subscription.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest" if self.subscription.kind is Kind.PROJECTION else "none",
            rebalance_timeout_ms=REBALANCE_SECONDS * 1000,
            session_timeout_ms=SESSION_SECONDS * 1000,
            heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
            max_poll_interval_ms=POLL_SECONDS * 1000,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=MAX_PARTITION_BYTES,
        )
        self._consumer.subscribe(list(self._classes), listener=self)
        await self._consumer.start()
        self._task = asyncio.create_task(self._run(), name=f"bus {self.subscription.group}")

    async def stop(self) -> None:
        """Lets the handler finish, commits, leaves the group."""
        self._stopping = True
        if self._task is not None:
            if self._idle.is_set():
                self._task.cancel()
            _, late = await asyncio.wait([self._task], timeout=STOP_SECONDS)
            for task in late:
                logger.warning("handler cut off", group=self.subscription.group)
                task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        if self._consumer is not None:
            await self._consumer.stop()
            self._consumer = None
        self._held.clear()

    def held(self) -> Iterable[Held]:
        return self._held.values()

    async def share(self, topic: type[Event]) -> Share:
        """What this member has of a topic, as the group confirmed less than a third of a session ago. Nothing when it
        does not confirm: others may have it."""
        name = self._prefix + topic.topic
        partitions = len(self._consumer.partitions_for_topic(name) or ())
        if self._at_work is None or not await self._proved(*self._at_work):
            return Share(partitions, {}, SESSION_SECONDS)
        mine = {held.where.partition: held.since for held in self._held.values() if held.where.topic == name}
        return Share(partitions, mine, SESSION_SECONDS)

    async def _proved(self, held: Held, record: Record) -> bool:
        """A member that was cut off or stood still learns from its heartbeats too late that it is none any more; a
        commit, even of the position that stands, is refused at once."""
        if asyncio.get_running_loop().time() - self._proved_at > SESSION_SECONDS / 3 and not held.leaving:
            try:
                async with asyncio.timeout(SESSION_SECONDS / 3):
                    await self._confirm(held, record.offset)
            except (KafkaError, TimeoutError):
                return False
        return not held.leaving

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        """Drains: nothing new is begun, the batch at work may finish and commit, what is later counts for nothing."""
        going = [self._held.pop(where) for where in list(revoked) if where in self._held]
        for held in going:
            held.leaving = True
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("batch goes on after its partition left", group=self.subscription.group)
        for held in going:
            held.lost = True

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        for where in assigned:
            self._held[where] = Held(where, self._classes[where.topic])

    async def _run(self) -> None:
        while not self._stopping and not self.stopped_because:
            try:
                fetched = await self._fetch()
                # What was fetched belongs to the partitions held now; they may leave while a batch is at work.
                batches = [(self._held[where], records) for where, records in fetched.items() if where in self._held]
                for held, records in batches:
                    await self._work(held, records)
            except Exception:  # a broker that refuses is asked again
                logger.exception("kafka refuses", group=self.subscription.group)
                await asyncio.sleep(DEPENDENCY_SECONDS)

    async def _fetch(self) -> dict[Any, list[Record]]:
        """The next records of partitions that do not wait. Polls in any case, so that the membership stays."""
        now = asyncio.get_running_loop().time()
        for held in self._held.values():
            if held.wake_at and held.wake_at <= now:
                held.wake_at = 0.0
                self._consumer.resume(held.where)
        wakes = [held.wake_at - now for held in self._held.values() if held.wake_at]
        wait_ms = int(1000 * min([1.0, *wakes])) + 1
        try:
            fetched: dict[Any, list[Record]] = await self._consumer.getmany(
                timeout_ms=wait_ms, max_records=self.subscription.batch
            )
        except NoOffsetForPartitionError as error:
            await self._without_position(error.args[0])
            return {}
        except OffsetOutOfRangeError as error:
            self._lose(next(iter(error.args[0])))
            return {}
        return fetched

    async def _without_position(self, where: Any) -> None:
        """A reaction has no position here. Where a partition was added since, it begins with its first record."""
        first = (await self._consumer.beginning_offsets([where]))[where]
        others = self._consumer.partitions_for_topic(where.topic) or set()
        known = [await self._consumer.committed(TopicPartition(where.topic, other)) for other in others]
        added = first == 0 and any(position is not None for position in known)
        if added or where.topic.endswith(".retry"):
            self._consumer.seek(where, first)
        else:
            self._lose(where)

    def _lose(self, where: Any) -> None:
        self.stopped_because = (
            f"its lost position in {where.topic}/{where.partition}: events may have gone unseen, and a reaction must "
            "not repeat them. Set the group's offsets, then start it again (docs/operations.md)"
        )
        logger.error("reaction stopped", group=self.subscription.group, because=self.stopped_because)

    async def _work(self, held: Held, records: list[Record]) -> None:
        """Handles the records of a partition, as far as it gets."""
        if held.leaving or self._stopping:
            return
        self._idle.clear()
        self._at_work = held, records[0]
        try:
            # After a failure, one by one: only the failing event is retried.
            if held.attempts or len(records) == 1 or not await self._whole(held, records):
                for record in records:
                    if held.leaving or self._stopping or not await self._one(held, record):
                        return
        except (CommitFailedError, IllegalStateError):  # the group went on without this member
            held.leaving = held.lost = True
        except Exception as error:  # Kafka itself refuses: wait, nothing is skipped
            logger.exception("bus refuses", group=self.subscription.group, topic=held.where.topic)
            self._wait(held, records[0], error.dependency if isinstance(error, Unavailable) else "kafka")
        finally:
            self._at_work = None
            self._idle.set()

    async def _whole(self, held: Held, records: list[Record]) -> bool:
        try:
            events = [self._decoded(held, record) for record in records if record.value is not None]
            if events:
                await self.subscription.handler(events)
        except Exception:  # found out event by event
            return False
        await self._commit(held, records[-1])
        return True

    async def _one(self, held: Held, record: Record) -> bool:
        """Handles one event. False when its partition has to wait."""
        self._at_work = held, record
        try:
            if record.value is not None:
                await self.subscription.handler([self._decoded(held, record)])
        except Unavailable as error:
            self._wait(held, record, error.dependency)
            return False
        except Exception as error:  # retried or dead-lettered, never swallowed
            held.attempts += 1
            if not isinstance(error, PermanentError) and held.attempts < ATTEMPTS:
                metrics.EVENTS_RETRIED.labels(self.subscription.group, held.event_class.topic).inc()
                self._wait(held, record, "", delay(held.attempts))
                return False
            if held.lost:
                return False
            await self._bury(held, record, error)
        await self._commit(held, record)
        return True

    def _decoded(self, held: Held, record: Record) -> Event:
        found = attributes(record.headers)
        if not found:
            raise Invalid("Not a CloudEvent in binary mode.")
        return held.event_class.decode(found, record.value or b"")

    def _wait(self, held: Held, record: Record, dependency: str, seconds: float | None = None) -> None:
        """Goes back to a record and fetches no more of its partition for a while."""
        held.waiting_for = dependency
        held.wake_at = asyncio.get_running_loop().time() + (DEPENDENCY_SECONDS if seconds is None else seconds)
        if not held.leaving:
            self._consumer.seek(held.where, record.offset)
            self._consumer.pause(held.where)

    async def _commit(self, held: Held, record: Record) -> None:
        if held.lost:
            return
        await self._confirm(held, record.offset + 1)
        held.attempts, held.waiting_for = 0, ""
        held.moved_at = datetime.now(UTC)

    async def _confirm(self, held: Held, offset: int) -> None:
        asked = asyncio.get_running_loop().time()
        await self._consumer.commit({held.where: OffsetAndMetadata(offset, "")})
        self._proved_at = asked

    async def _bury(self, held: Held, record: Record, error: Exception) -> None:
        group, topic = self.subscription.group, held.event_class.topic
        origin = Origin(record.topic, record.partition, record.offset)
        found = attributes(record.headers)
        id = letter_id(group, topic, found, origin)
        body = record.value or b""
        said = f"{type(error).__name__}: {error}" if isinstance(error, PermanentError) else type(error).__name__
        if len(body) + sum(len(name) + len(value) for name, value in record.headers) > MAX_RECORD_BYTES:
            # No event of ours; with what is said about it, Kafka would refuse it. It stands at its origin.
            found, body, said = {}, b"", f"{said} (too large to be copied here)"
        letter = DeadLetter(
            id=id,
            group=group,
            topic=topic,
            attributes=found,
            body=body,
            error=said[:ERROR_CHARACTERS],
            traceback="".join(traceback.format_tb(error.__traceback__))[-TRACEBACK_CHARACTERS:],
            died_at=datetime.now(UTC),
            attempts=held.attempts,
        )
        await self._bury_letter(letter, origin)
        metrics.EVENTS_DEAD_LETTERED.labels(group, topic).inc()
        logger.error(
            "event dead-lettered", group=group, topic=topic, event_id=found.get("id"), error=type(error).__name__
        )
