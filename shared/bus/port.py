"""The bus port: events from one service to the others, at least once, in order per figure within a topic."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeAlias

from shared.events.envelope import Event

Handler: TypeAlias = Callable[[Sequence[Event]], Awaitable[None]]


class Kind(StrEnum):
    PROJECTION = "projection"  # replayable: read models, search
    REACTION = "reaction"  # never replayed: webhooks, remote calls


@dataclass(frozen=True, slots=True)
class Subscription:
    """`handler` gets batches: the events of one poll, of one topic, in order. It finishes its effects before it
    returns; then the batch's position is committed. A batch that fails is run again event by event.

    Raising Unavailable makes the subscription wait, spending no attempts; a PermanentError dead-letters the event at
    once; any other error is retried with backoff and jitter, then dead-lettered.
    """

    group: str
    topics: tuple[type[Event], ...]
    handler: Handler
    kind: Kind = Kind.PROJECTION
    batch: int = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a group is on a topic. `waiting_for` names the dependency that it waits for, else ""."""

    group: str
    topic: str
    behind: int
    moved_at: datetime | None
    waiting_for: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What this process has of a group's work on a topic, so that copies can divide what they must not exceed together.

    `partitions` is how many there are, `since` when this process got each of its own (Unix time, seconds). One counts
    `settles` seconds later: until then its last owner may not know yet that it lost it.
    """

    partitions: int
    since: Mapping[int, float]
    settles: float


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that a group could not handle."""

    id: str
    group: str
    topic: str
    attributes: Mapping[str, str]
    body: bytes
    error: str
    traceback: str
    died_at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Events after a cursor, and the cursor after them."""

    events: list[Event] = field(default_factory=list)
    cursor: str = ""


class Bus(Protocol):
    """`subscribe` before `start`; `stop` lets handlers finish, then commits."""

    async def publish(self, events: Sequence[Event]) -> None:
        """Durable when it returns. For services without documents; others give events to their writes."""

    def subscribe(self, subscription: Subscription) -> None: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def tail(self, topics: Sequence[type[Event]], *, after: str | None = None) -> AsyncIterator[tuple[str, Event]]:
        """Events from now on, or after a cursor of `read`, each with the cursor after it, without a group."""

    async def read(self, topics: Sequence[type[Event]], *, after: str = "", limit: int = 100) -> Slice:
        """Events after an opaque cursor ("" is the oldest kept). Raises Invalid on a foreign cursor."""

    async def share(self, group: str, topic: type[Event]) -> Share:
        """Asked while one of the group's events is handled. No partitions in it: the work belongs to others by now."""

    async def progress(self) -> list[Progress]:
        """Of the groups of this process; an event counts as handled whichever copy handled it."""

    async def overview(self) -> list[Progress]:
        """Of all groups, those of other processes too. When they moved and what they wait for is known of those of
        this process only."""

    async def settled(self, *, timeout: float = 30.0) -> None:
        """Returns when no group is behind. Raises TimeoutError after `timeout` seconds."""

    async def dead_letters(self, *, group: str = "", limit: int = 100) -> list[DeadLetter]: ...

    async def dead_letter(self, id: str) -> DeadLetter:
        """Raises NotFound."""

    async def replay(self, ids: Sequence[str]) -> int:
        """Sends dead letters to their group alone, again. Returns how many."""

    async def forget(self, figures: Sequence[str]) -> None:
        """Blanks the bodies of all kept events and dead letters of erased figures, except image.deleted; what is still
        published of them later is kept without its body."""
