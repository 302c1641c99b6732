"""The embedded bus: an append-only log in the SQLite file, and groups with a position in each topic."""

import asyncio
import contextlib
import json
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import apsw
import structlog

from shared import metrics
from shared.bus.log import SCHEMA, EventLog
from shared.bus.port import DeadLetter, Kind, Progress, Share, Slice, Subscription
from shared.bus.retry import ATTEMPTS, DEPENDENCY_SECONDS, delay
from shared.errors import Invalid, NotFound, PermanentError, Unavailable
from shared.events import EVENTS
from shared.events.envelope import Event, event_id
from shared.events.image import ImageDeleted
from shared.sqlite import Database, Job, one
from shared.tasks import ended

MAX_BATCH_BYTES: Final = 8_000_000
TRACEBACK_CHARACTERS: Final = 8_000
SCRUB_SECONDS: Final = 30.0
DAY_SECONDS: Final = 86_400.0
DROPPED_AT_ONCE: Final = 1_000  # people who save a decision wait for the same writer

_SCHEMA: Final = (
    SCHEMA
    + """
CREATE TABLE IF NOT EXISTS positions (
  grp TEXT NOT NULL, topic TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (grp, topic)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
  id TEXT PRIMARY KEY, grp TEXT NOT NULL, topic TEXT NOT NULL, figure TEXT NOT NULL, attributes TEXT NOT NULL,
  body BLOB NOT NULL, error TEXT NOT NULL, traceback TEXT NOT NULL, attempts INTEGER NOT NULL, died_at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS dead_letters_figure ON dead_letters (figure);
"""
)

logger = structlog.get_logger()


@dataclass(slots=True)
class _Position:
    """Where a group stands in a topic."""

    event_class: type[Event]
    topic: str
    seq: int
    moved_at: datetime | None = None
    waiting_for: str = ""
    wake_at: float = 0.0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class _Record:
    seq: int
    figure: str
    attributes: Mapping[str, str]
    body: bytes | None


@dataclass(slots=True)
class _Consumer:
    subscription: Subscription
    positions: list[_Position] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class SqliteBus:
    """Implements `shared.bus.port.Bus` for the services of one process."""

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log
        self._consumers: list[_Consumer] = []
        self._woken = asyncio.Condition()
        self._commits = 0
        self._wake_task: asyncio.Task[None] | None = None
        self._scrubbing: asyncio.Task[None] | None = None
        self._retention: asyncio.Task[None] | None = None
        self._stopping = False
        database.on_commit(self._committed)

    async def prepare(self) -> None:
        """Creates the tables."""

        def job(connection: apsw.Connection) -> None:
            connection.execute(_SCHEMA)
            for topic, seq in connection.execute("SELECT topic, max(seq) FROM events GROUP BY topic"):
                self._log.newest[str(topic)] = int(str(seq))

        await self._database.write(job)

    async def publish(self, events: Sequence[Event]) -> None:
        if events:
            await self._database.write(lambda connection: self._log.append(connection, events))

    def subscribe(self, subscription: Subscription) -> None:
        self._consumers.append(_Consumer(subscription))

    async def start(self) -> None:
        self._stopping = False
        for consumer in self._consumers:
            consumer.positions = await self._database.write(_positions_of(consumer.subscription))
            consumer.task = asyncio.create_task(self._consume(consumer), name=f"bus {consumer.subscription.group}")
        self._retention = asyncio.create_task(self._drop_daily(), name="bus retention")

    async def stop(self) -> None:
        self._stopping = True
        if self._retention is not None:
            await ended(self._retention)
        if self._scrubbing is not None:
            await ended(self._scrubbing)
        await self._wake()
        tasks = [consumer.task for consumer in self._consumers if consumer.task]
        await asyncio.gather(*tasks)
        if self._wake_task is not None:
            await self._wake_task

    async def tail(
        self, topics: Sequence[type[Event]], *, after: str | None = None
    ) -> AsyncIterator[tuple[str, Event]]:
        cursor = await self._database.read(_last) if after is None else _seq(after)
        while not self._stopping:
            seen = self._commits
            found = await self._database.read(_records([t.topic for t in topics], cursor, 100))
            for topic, record in found:
                cursor = record.seq
                if record.body is not None:
                    yield _cursor(cursor), _event(topic, record)
            if not found:
                await self._wait(seen)

    async def read(self, topics: Sequence[type[Event]], *, after: str = "", limit: int = 100) -> Slice:
        start = _seq(after) if after else 0
        found = await self._database.read(_records([t.topic for t in topics], start, limit))
        events = [_event(topic, record) for topic, record in found if record.body is not None]
        return Slice(events, _cursor(found[-1][1].seq if found else start))

    async def share(self, group: str, topic: type[Event]) -> Share:
        """All of it: there is no other process."""
        return Share(partitions=1, since={0: 0.0}, settles=0.0)

    async def progress(self) -> list[Progress]:
        wanted = [(c.subscription.group, p) for c in self._consumers for p in c.positions]

        def job(connection: apsw.Connection) -> list[int]:
            return [
                one(connection, "SELECT count(*) FROM events WHERE topic = ? AND seq > ?", (p.topic, p.seq))
                for _, p in wanted
            ]

        behind = await self._database.read(job)
        return [
            Progress(group, p.topic, count, p.moved_at, p.waiting_for)
            for (group, p), count in zip(wanted, behind, strict=True)
            if count or not p.topic.endswith(".retry")
        ]

    async def overview(self) -> list[Progress]:
        return await self.progress()

    async def settled(self, *, timeout: float = 30.0) -> None:
        """Returns when no group is behind. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                seen = self._commits
                if not any(p.behind for p in await self.progress()):
                    return
                await self._wait(seen)

    async def dead_letters(self, *, group: str = "", limit: int = 100) -> list[DeadLetter]:
        sql = f"SELECT {_DEAD} FROM dead_letters WHERE ? IN ('', grp) ORDER BY died_at DESC, id LIMIT ?"  # noqa: S608
        rows = await self._database.read(lambda connection: connection.execute(sql, (group, limit)).fetchall())
        return [_dead_letter(row) for row in rows]

    async def dead_letter(self, id: str) -> DeadLetter:
        sql = f"SELECT {_DEAD} FROM dead_letters WHERE id = ?"  # noqa: S608 - a constant list of columns
        row = await self._database.read(lambda connection: connection.execute(sql, (id,)).fetchone())
        if row is None:
            raise NotFound("There is no such dead letter.", remedy="List them: mitagger dead-letters list")
        return _dead_letter(row)

    async def replay(self, ids: Sequence[str]) -> int:
        def job(connection: apsw.Connection) -> int:
            replayed = 0
            for id in ids:
                connection.execute(
                    "INSERT INTO events (topic, figure, at, attributes, body) SELECT topic || '.' || grp || '.retry',"
                    " figure, ?, attributes, body FROM dead_letters WHERE id = ?",
                    (time.time(), id),
                )
                replayed += connection.changes()
                seq = connection.last_insert_rowid()
                for topic, group in connection.execute("SELECT topic, grp FROM dead_letters WHERE id = ?", (id,)):
                    self._log.newest[f"{topic}.{group}.retry"] = seq
                connection.execute("DELETE FROM dead_letters WHERE id = ?", (id,))
            return replayed

        return await self._database.write(job)

    async def forget(self, figures: Sequence[str]) -> None:
        def job(connection: apsw.Connection) -> None:
            keys = [(figure,) for figure in figures]
            connection.executemany("INSERT OR IGNORE INTO forgotten VALUES (?)", keys)
            connection.executemany(
                f"UPDATE events SET body = NULL WHERE figure = ? AND topic != '{ImageDeleted.topic}'",  # noqa: S608
                keys,
            )
            connection.executemany("DELETE FROM dead_letters WHERE figure = ?", keys)

        await self._database.write(job)
        if self._scrubbing is None or self._scrubbing.done():
            self._scrubbing = asyncio.create_task(self._scrub(), name="bus scrubbing")

    async def _scrub(self) -> None:
        """Empties SQLite's write-ahead log once every group has erased what it had; an end of the bus does it too."""
        try:
            with contextlib.suppress(TimeoutError):
                await self.settled(timeout=SCRUB_SECONDS)
            await self._database.truncate_log()
        except Unavailable:
            logger.exception("the write-ahead log cannot be emptied")

    async def _drop_daily(self) -> None:
        while True:
            try:
                await self._drop_old()
            except Exception:  # the disk is full, say: tomorrow is early enough
                logger.exception("old events cannot be dropped")
            await asyncio.sleep(DAY_SECONDS)

    async def _drop_old(self) -> None:
        """Drops what is past its topic's retention: events that every group has handled, and dead letters."""
        handled: dict[tuple[str, type[Event]], int] = {}
        for position in (position for consumer in self._consumers for position in consumer.positions):
            place = (position.topic, position.event_class)
            handled[place] = min(handled.get(place, position.seq), position.seq)
        for (topic, event_class), seq in handled.items():
            if event_class.kept is not None:
                before = time.time() - event_class.kept.total_seconds()
                while await self._database.write(_drop(topic, before, seq)) == DROPPED_AT_ONCE:
                    pass

    def _committed(self) -> None:
        self._commits += 1
        if self._wake_task is None or self._wake_task.done():
            self._wake_task = asyncio.create_task(self._wake())

    async def _wake(self) -> None:
        async with self._woken:
            self._woken.notify_all()

    async def _wait(self, seen: int, seconds: float | None = None) -> None:
        """Until there was a commit after number `seen`, or the seconds are over, or the bus stops."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._woken:
                await self._woken.wait_for(lambda: self._commits > seen or self._stopping)

    async def _consume(self, consumer: _Consumer) -> None:
        subscription = consumer.subscription
        loop = asyncio.get_running_loop()
        while not self._stopping:
            seen, busy = self._commits, False
            for position in consumer.positions:
                if self._stopping or position.wake_at > loop.time():
                    continue
                if self._log.newest.get(position.topic, 0) <= position.seq:
                    continue
                position.wake_at = 0.0
                try:
                    busy |= await self._step(subscription, position)
                except Exception as error:  # the log itself refuses (disk full, say): wait, nothing is skipped
                    logger.exception("event log refuses", group=subscription.group, topic=position.topic)
                    dependency = error.dependency if isinstance(error, Unavailable) else "events"
                    self._hold(position, dependency, DEPENDENCY_SECONDS)
            if not busy:
                wakes = [p.wake_at for p in consumer.positions if p.wake_at]
                await self._wait(seen, max(0.0, min(wakes) - loop.time()) if wakes else None)

    async def _step(self, subscription: Subscription, position: _Position) -> bool:
        """Handles the next batch of a topic. False when there is none, or it has to wait."""
        found = await self._database.read(_records([position.topic], position.seq, subscription.batch))
        records = [record for _, record in found]
        if not records:
            return False
        # After a failure, one by one: only the failing event is retried.
        if position.attempts or not await self._whole(subscription, position, records):
            for record in records:
                if self._stopping or not await self._one(subscription, position, record):
                    return False
        return True

    async def _whole(self, subscription: Subscription, position: _Position, records: list[_Record]) -> bool:
        try:
            events = [position.event_class.decode(r.attributes, r.body) for r in records if r.body is not None]
            if events:
                await subscription.handler(events)
        except Unavailable as error:
            self._hold(position, error.dependency, DEPENDENCY_SECONDS)
            return len(records) == 1  # a single event has nothing to be separated from
        except Exception:  # found out event by event
            return False
        await self._move(subscription, position, records[-1].seq)
        return True

    async def _one(self, subscription: Subscription, position: _Position, record: _Record) -> bool:
        """Handles one event. False when its topic has to wait."""
        try:
            if record.body is not None:
                await subscription.handler([position.event_class.decode(record.attributes, record.body)])
        except Unavailable as error:
            self._hold(position, error.dependency, DEPENDENCY_SECONDS)
            return False
        except Exception as error:  # retried or dead-lettered, never swallowed
            position.attempts += 1
            if not isinstance(error, PermanentError) and position.attempts < ATTEMPTS:
                metrics.EVENTS_RETRIED.labels(subscription.group, position.event_class.topic).inc()
                self._hold(position, "", delay(position.attempts))
                return False
            await self._bury(subscription, position, record, error)
            return True
        await self._move(subscription, position, record.seq)
        return True

    def _hold(self, position: _Position, dependency: str, seconds: float) -> None:
        position.waiting_for = dependency
        position.wake_at = asyncio.get_running_loop().time() + seconds

    async def _move(self, subscription: Subscription, position: _Position, seq: int) -> None:
        await self._database.write(_commit_position(subscription.group, position.topic, seq))
        self._moved(position, seq)

    def _moved(self, position: _Position, seq: int) -> None:
        position.seq, position.attempts, position.waiting_for, position.wake_at = seq, 0, "", 0.0
        position.moved_at = datetime.now(UTC)
        # Whoever looked between the commit and now saw the old position, and waits for the next change.
        self._committed()

    async def _bury(self, subscription: Subscription, position: _Position, record: _Record, error: Exception) -> None:
        """Dead-letters an event and moves on, in one transaction."""
        group = subscription.group
        topic = position.event_class.topic
        text = f"{type(error).__name__}: {error}" if isinstance(error, PermanentError) else type(error).__name__
        row = (
            event_id("bus", "dead-letter", group, topic, record.attributes["id"]),
            group,
            topic,
            record.figure,
            json.dumps(record.attributes),
            record.body,
            text,
            "".join(traceback.format_tb(error.__traceback__))[-TRACEBACK_CHARACTERS:],
            position.attempts,
            time.time(),
        )

        def job(connection: apsw.Connection) -> None:
            forgotten = connection.execute("SELECT 1 FROM forgotten WHERE figure = ?", (record.figure,)).fetchone()
            if forgotten is None:
                marks = ",".join("?" * len(row))
                connection.execute(f"INSERT OR REPLACE INTO dead_letters VALUES ({marks})", row)  # noqa: S608
            _commit_position(group, position.topic, record.seq)(connection)

        await self._database.write(job)
        metrics.EVENTS_DEAD_LETTERED.labels(group, topic).inc()
        logger.error(
            "event dead-lettered",
            group=group,
            topic=topic,
            event_id=record.attributes["id"],
            error=type(error).__name__,
        )
        self._moved(position, record.seq)


_DEAD: Final = "id, grp, topic, attributes, body, error, traceback, died_at, attempts"


def _positions_of(subscription: Subscription) -> Job[list[_Position]]:
    """A new projection starts with the oldest event kept, a new reaction with the next one."""

    def job(connection: apsw.Connection) -> list[_Position]:
        start = 0 if subscription.kind is Kind.PROJECTION else _last(connection)
        positions = []
        for event_class in subscription.topics:
            for topic in (event_class.topic, f"{event_class.topic}.{subscription.group}.retry"):
                connection.execute(
                    "INSERT OR IGNORE INTO positions VALUES (?, ?, ?)", (subscription.group, topic, start)
                )
                where = (subscription.group, topic)
                seq = one(connection, "SELECT seq FROM positions WHERE grp = ? AND topic = ?", where)
                positions.append(_Position(event_class, topic, seq))
        return positions

    return job


def _commit_position(group: str, topic: str, seq: int) -> Job[None]:
    def job(connection: apsw.Connection) -> None:
        connection.execute("UPDATE positions SET seq = ? WHERE grp = ? AND topic = ?", (seq, group, topic))

    return job


def _drop(topic: str, before: float, seq: int) -> Job[int]:
    """Drops a topic's dead letters and some of its events, not after `seq`, of before that time; returns how many."""

    def job(connection: apsw.Connection) -> int:
        connection.execute("DELETE FROM dead_letters WHERE topic = ? AND died_at < ?", (topic, before))
        connection.execute(
            "DELETE FROM events WHERE seq IN"
            " (SELECT seq FROM events WHERE topic = ? AND seq <= ? AND at < ? ORDER BY seq LIMIT ?)",
            (topic, seq, before, DROPPED_AT_ONCE),
        )
        return connection.changes()

    return job


def _records(topics: Sequence[str], after: int, limit: int) -> Job[list[tuple[str, _Record]]]:
    """At most `limit` records after a position, and at most about 8 MB of them, so that a batch fits in memory."""
    marks = ",".join("?" * len(topics))
    sql = (
        "SELECT seq, topic, figure, attributes, body FROM events"  # noqa: S608 - question marks only
        f" WHERE topic IN ({marks}) AND seq > ? ORDER BY seq LIMIT ?"
    )

    def job(connection: apsw.Connection) -> list[tuple[str, _Record]]:
        found, size = [], 0
        for seq, topic, figure, attributes, body in connection.execute(sql, (*topics, after, limit)):
            found.append((topic, _Record(seq, figure, json.loads(attributes), body)))
            size += len(body or b"")
            if size > MAX_BATCH_BYTES:
                break
        return found

    return job


def _last(connection: apsw.Connection) -> int:
    return int(one(connection, "SELECT ifnull(max(seq), 0) FROM events"))


def _event(topic: str, record: _Record) -> Event:
    event_class = next(event_class for event_class in EVENTS if event_class.topic == topic)
    return event_class.decode(record.attributes, record.body or b"{}")


def _cursor(seq: int) -> str:
    return f"s{seq}"


def _seq(cursor: str) -> int:
    digits = cursor.removeprefix("s")
    if not (cursor.startswith("s") and digits.isdecimal() and digits.isascii() and len(digits) < 19):
        raise Invalid("That cursor is not one of ours.", field="after", remedy="Start again without one.")
    return int(digits)


def _dead_letter(row: tuple[object, ...]) -> DeadLetter:
    id, group, topic, attributes, body, error, trace, died_at, attempts = row
    return DeadLetter(
        id=str(id),
        group=str(group),
        topic=str(topic),
        attributes=json.loads(str(attributes)),
        body=bytes(body),  # type: ignore[call-overload]
        error=str(error),
        traceback=str(trace),
        died_at=datetime.fromtimestamp(float(str(died_at)), UTC),
        attempts=int(str(attempts)),
    )
