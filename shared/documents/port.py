"""The documents port: collections of pydantic documents, one owner each.

One write is atomic: a document and the events that its change causes. There is no transaction over two documents,
because a distributed engine has none worth its price; whoever needs two orders them so that dying between is harmless.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Duplicate, Erased
from shared.events.envelope import Event

MAX_PAGE = 1000

_HASH = re.compile("(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")

Value: TypeAlias = str | int | float | bool | None


class Index(NamedTuple):
    """Fields (dotted paths) that `find` filters and sorts by. A unique index ignores documents where one is null."""

    name: str
    fields: tuple[str, ...]
    unique: bool = False


class Document(BaseModel):
    """What a service keeps. `version` counts writes (0: not stored yet); `schema` is the shape it was written in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    collection: ClassVar[str]
    schema_version: ClassVar[int] = 1
    indexes: ClassVar[tuple[Index, ...]] = ()
    # (schema it reads, pure function to the next schema), from the service's migrations.py
    upcasters: ClassVar[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
    # False for copies of what others own: such a document keeps no blob from being collected (shared/kept.py).
    keeps_files: ClassVar[bool] = True

    id: str
    version: Annotated[int, Field(ge=0)] = 0

    def changed(self, **fields: Any) -> Self:
        """A copy with these fields replaced. Not validated again: values come from validated input."""
        return self.model_copy(update=fields)

    def files(self) -> frozenset[str]:
        """Content hashes of the blobs that are there for this document. All that look like one, so that none of a new
        field is forgotten; a class overrides it where one is of something that must go."""
        return frozenset(_HASH.findall(self.model_dump_json()))


D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Documents of a collection with events that wait to be sent, and since when the oldest of these does."""

    documents: int
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True)
class In:
    """One of these values (at most 1,000)."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """gte <= field < lt; either may be missing."""

    gte: Value = None
    lt: Value = None


Where: TypeAlias = Mapping[str, Value | In | Range]
Change: TypeAlias = Callable[[D], tuple[D, Sequence[Event]]]


@dataclass(frozen=True, slots=True)
class Page(Generic[D]):
    """`next` is an opaque cursor, null on the last page."""

    items: list[D]
    next: str | None


class Collection(Protocol[D]):
    """Documents of one class."""

    async def get(self, id: str) -> D:
        """Raises NotFound; Erased where a tombstone stands."""

    async def get_many(self, ids: Sequence[str]) -> list[D]:
        """Those that exist, in the order of `ids`."""

    async def unless(self, id: str, version: int) -> D | None:
        """The document, unless it is at this version, or is not there: for who keeps one that seldom changes."""

    async def insert(self, document: D, events: Sequence[Event] = ()) -> D:
        """The document at version 1. Raises Duplicate (with its holder) on a taken id or unique key, Erased on a
        tombstone."""

    async def insert_many(
        self, documents: Sequence[D], events: Sequence[Sequence[Event]] = ()
    ) -> list[D | Duplicate | Erased]:
        """Each document with its events (`events[i]`), or what kept it out (Duplicate, Erased); the others go in."""

    async def upsert_many(self, documents: Sequence[D], newest_by: Sequence[str]) -> int:
        """For read models: writes each document unless the stored one is at least as new, comparing the values of
        `newest_by` in order, or a tombstone stands. Returns how many were written."""

    async def update(
        self,
        id: str,
        change: Change[D],
        *,
        version: int | None = None,
        initial: D | None = None,
        known: D | None = None,
    ) -> D:
        """Stores what `change`, a pure function, makes of the current document, with its events. It may run several
        times on a race. With `version`, raises Conflict when that is not the stored one. Where there is none,
        `initial` is what `change` gets, else NotFound; Erased on a tombstone. Nothing is written, and no event sent,
        when `change` returns an equal document and no events. `known`: the document as the caller has read it just now,
        which is not read again where it is still that one."""

    async def erase(self, id: str, events: Sequence[Event] = ()) -> bool:
        """Leaves a content-free tombstone, also where nothing was. False when it was erased before."""

    async def find(
        self,
        where: Where | None = None,
        *,
        sort: Sequence[str] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Page[D]:
        """A page in order of `sort` (dotted fields that are never null; all ascending, or all descending with a
        leading "-"), then id.
        Raises Invalid on a foreign cursor."""

    async def count(self, where: Where | None = None) -> int: ...

    async def count_by(self, field: str, where: Where | None = None) -> dict[str, int]:
        """Documents by the value of a field; null counts under ""."""


class Outbox(Protocol):
    """Events that documents hold until the bus has them. (Embedded, the bus has them with the write.)"""

    @property
    def moved_at(self) -> datetime | None:
        """When some were handed over last."""

    @property
    def waiting_for(self) -> str:
        """The dependency that is down, else ""."""

    async def pending(self) -> int:
        """Documents with events that wait. Raises Unavailable."""

    async def backlogs(self) -> dict[str, Backlog]:
        """What waits, by collection. Raises Unavailable."""


class Documents(Protocol):
    """A store of collections."""

    def collection(self, model: type[D]) -> Collection[D]: ...
