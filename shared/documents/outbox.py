"""Events wait in the document that caused them, written in one write with it, until a relay has sent them.

Any number of relays may run. A relay leases documents whose outbox is not empty, sends the events of each in order,
awaiting each, and takes them out by id. One that dies in between leaves its lease, and what it had sent is sent again
under the same ids when the lease has run out: consumers drop what they have.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from shared import clock, metrics
from shared.bus.port import Bus
from shared.bus.retry import DEPENDENCY_SECONDS
from shared.documents.port import Backlog, Document
from shared.errors import StoreTooNew, Unavailable
from shared.events import EVENTS
from shared.events.envelope import Event
from shared.mongo import DEPENDENCY, answering

LEASE_SECONDS: Final = 10.0
# A lease counts as run out this much later, for the clocks of two machines differ. Differ they by more, events are sent
# twice, no worse.
SKEW_SECONDS: Final = 5.0
POLL_SECONDS: Final = 1.0  # for what other processes wrote and did not send
BATCH: Final = 64  # documents leased at once
EVENTS_AT_ONCE: Final = 8  # of one document; the others wait for the next batch

FREE: Final[Mapping[str, Any]] = {"owner": "", "until": 0.0}
_WAITING: Final[Mapping[str, Any]] = {"outbox.0": {"$exists": True}}
INDEX: Final = ([("lease.until", 1)], {"partialFilterExpression": _WAITING})
# The same documents, found by the index, since it names its field.
_INDEXED: Final[Mapping[str, Any]] = {**_WAITING, "lease.until": {"$gte": 0.0}}

_CLASSES: Final[Mapping[str, type[Event]]] = {event.topic: event for event in EVENTS}

logger = structlog.get_logger()


def packed(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Events as they wait. Raises TooLarge, before the write that would cause them."""
    at = time.time()
    return [
        {
            "id": event.id,
            "topic": event.topic,
            "at": at,
            "attributes": json.dumps(event.attributes()),
            "body": event.body(),
        }
        for event in events
    ]


async def pending(collections: Iterable[AsyncCollection[dict[str, Any]]]) -> int:
    """Documents with events that wait. Raises Unavailable."""
    with answering():
        return sum([await collection.count_documents(_INDEXED) for collection in collections])


class Relay:
    """Implements `shared.documents.port.Outbox`: from `start` to `stop`, sends what waits in the documents of these
    models."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]], bus: Bus, models: Sequence[type[Document]]) -> None:
        self._collections = {model.collection: database[model.collection] for model in models}
        self._bus = bus
        self._written: set[str] = set()
        self._woken = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.moved_at: datetime | None = None
        self.waiting_for = ""

    def wake(self, collection: str) -> None:
        """Something waits there."""
        self._written.add(collection)
        self._woken.set()

    async def start(self) -> None:
        """Begins with what waits already."""
        self._stopping.clear()
        self._task = asyncio.create_task(self._run(), name="outbox relay")

    async def stop(self) -> None:
        """Sends what is leased, then ends; the rest waits for another relay, or the next start."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            await self._task

    async def pending(self) -> int:
        """Documents with events that wait. Raises Unavailable."""
        return await pending(self._collections.values())

    async def backlogs(self) -> dict[str, Backlog]:
        """What waits, by collection. Raises Unavailable."""
        with answering():
            return {name: await _backlog(collection) for name, collection in self._collections.items()}

    async def sweep(self, names: Sequence[str] | None = None) -> None:
        """Sends what waits in these collections (all, if none are named) and nobody leased. Raises Unavailable."""
        for name in self._collections if names is None else names:
            while await self._batch(self._collections[name]) and not self._stopping.is_set():
                pass

    async def _run(self) -> None:
        names: Sequence[str] | None = None
        while not self._stopping.is_set():
            try:
                await self.sweep(names)
            except Exception as error:
                self.waiting_for = error.dependency if isinstance(error, Unavailable) else DEPENDENCY
                logger.warning("outbox relay waits", dependency=self.waiting_for, error=type(error).__name__)
                names = None
                await _within(DEPENDENCY_SECONDS, self._stopping)
                continue
            self.waiting_for = ""
            names = None
            if await _within(POLL_SECONDS, self._woken):
                self._woken.clear()
                names = sorted(self._written)
                self._written.clear()

    async def _batch(self, collection: AsyncCollection[dict[str, Any]]) -> bool:
        """Leases some documents, sends their events and takes them out. False when nothing waits that is not leased.
        Raises Unavailable."""
        owner = clock.new_id()
        ends = asyncio.get_running_loop().time() + LEASE_SECONDS
        with answering():
            now = time.time()
            free = {**_WAITING, "lease.until": {"$lt": now - SKEW_SECONDS}}
            ids = [found["_id"] for found in await collection.find(free, {"_id": 1}).limit(BATCH).to_list()]
            if not ids:
                return False
            lease = {"owner": owner, "until": now + LEASE_SECONDS}
            await collection.update_many({"_id": {"$in": ids}, **free}, {"$set": {"lease": lease}})
            leased = {"_id": {"$in": ids}, "lease.owner": owner}
            records = await collection.find(leased, {"_id": 1, "outbox": {"$slice": EVENTS_AT_ONCE}}).to_list()
        outcomes = await asyncio.gather(*(self._send(record["outbox"], ends) for record in records))
        if any(outcome.sent for outcome in outcomes):
            self.moved_at = clock.now()
        # Event ids are unique: one write takes out of each document what is its own. Where the lease ran out it takes
        # nothing: whoever has it now repeats the events, and takes them out.
        sent = {"$pull": {"outbox": {"id": {"$in": [id for outcome in outcomes for id in outcome.sent]}}}}
        # On an event that is refused the lease stays, so that its document does not keep the others waiting.
        kept = [record["_id"] for record, outcome in zip(records, outcomes, strict=True) if outcome.refused]
        with answering():
            if kept:
                await collection.update_many({"_id": {"$in": kept}, "lease.owner": owner}, sent)
            done = {"_id": {"$in": ids, "$nin": kept}, "lease.owner": owner}
            await collection.update_many(done, {**sent, "$set": {"lease": FREE}})
        for outcome in outcomes:
            if isinstance(outcome.error, Unavailable):
                raise outcome.error
        return True

    async def _send(self, waiting: Sequence[Mapping[str, Any]], ends: float) -> "_Outcome":
        """Sends the events of one document, one after the other, as long as its lease is ours."""
        sent: list[str] = []
        try:
            async with asyncio.timeout_at(ends):
                for record in waiting:
                    await self._bus.publish([_unpacked(record)])
                    sent.append(record["id"])
                    metrics.OUTBOX_SENT.labels(record["topic"]).inc()
        except Unavailable as error:
            return _Outcome(sent, error)
        except TimeoutError:
            return _Outcome(sent, Unavailable("bus"))
        except Exception as error:
            refused = waiting[len(sent)]
            metrics.OUTBOX_REFUSED.labels(refused["topic"]).inc()
            logger.error(
                "event cannot be sent", topic=refused["topic"], event_id=refused["id"], error=type(error).__name__
            )
            return _Outcome(sent, error)
        return _Outcome(sent)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Ids of the events that were sent, and what kept the next one back."""

    sent: list[str]
    error: Exception | None = None

    @property
    def refused(self) -> bool:
        return self.error is not None and not isinstance(self.error, Unavailable)


async def _backlog(collection: AsyncCollection[dict[str, Any]]) -> Backlog:
    documents = await collection.count_documents(_INDEXED)
    first = await collection.find(_INDEXED, {"outbox.at": 1}).sort("outbox.at", 1).limit(1).to_list()
    times = [record["at"] for found in first for record in found["outbox"] if "at" in record]
    return Backlog(documents, datetime.fromtimestamp(min(times), UTC) if times else None)


def _unpacked(record: Mapping[str, Any]) -> Event:
    if record["topic"] not in _CLASSES:
        raise StoreTooNew(f"A newer MITagger wrote this event: {record['topic']}.")
    return _CLASSES[record["topic"]].decode(json.loads(record["attributes"]), record["body"])


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Waits for the event, no longer than that."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
