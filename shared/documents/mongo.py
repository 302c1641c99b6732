"""The distributed documents engine: a MongoDB collection each, no transaction over two documents.

A stored document:

    _id      the document's id
    version  how often it was written; every write is filtered on it (compare and set)
    schema   the shape that `body` was written in; 0: a tombstone, whose body is null
    body     the model's JSON, so that values compare as they do on SQLite (times are strings)
    unique   the values of each unique key, as one string; absent where one of them is null
    outbox   events of its writes that no relay has sent yet (see `outbox`)
    lease    which relay sends them, and until when; neither touches `version`

A unique key is a sparse index on its one string in `unique`, so that documents where a field is null stay out of it.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias, cast

import bson
from pymongo import InsertOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DuplicateKeyError

from shared import metrics
from shared.documents import outbox
from shared.documents.changing import applied
from shared.documents.paging import cursor, cursor_values, order
from shared.documents.port import MAX_PAGE, Change, Collection, D, Document, In, Index, Page, Range, Where
from shared.documents.upcasting import upcast
from shared.errors import DeadlineExceeded, Duplicate, Erased, Invalid, NotFound, StoreTooNew, Unavailable
from shared.events.envelope import Event
from shared.mongo import DEPENDENCY, MAX_DOCUMENT_BYTES, answering, too_large

STORE_FORMAT: Final = 1  # of what the module's docstring describes
STORE: Final = "mitagger.store"  # the collection that holds it
RACE_SECONDS: Final = 10.0  # how long one update goes on losing against others

_DUPLICATE_KEY: Final = 11000
_LIVE: Final[Mapping[str, Any]] = {"schema": {"$gt": 0}}
_READ: Final = {"version": 1, "schema": 1, "body": 1}
_STATE: Final = ("schema", "body", "unique")
_UNSTORED: Final = {"id", "version"}  # fields of their own

Record: TypeAlias = dict[str, Any]


class IndexDifference(NamedTuple):
    """Where the indexes in the database and those beside the models differ. Nothing is ever dropped for it."""

    collection: str
    name: str
    state: Literal["missing", "differs", "unknown"]


class MongoDocuments:
    """Implements `shared.documents.port.Documents`. `wrote` is told the collection of each write with events."""

    def __init__(self, database: AsyncDatabase[Record], wrote: Callable[[str], None]) -> None:
        self._database = database
        self._wrote = wrote

    def collection(self, model: type[D]) -> Collection[D]:
        return MongoCollection(self._database[model.collection], self._wrote, model)

    async def plan(self, models: Sequence[type[Document]]) -> list[IndexDifference]:
        """What `prepare` would create, and what it leaves alone."""
        differences = []
        with answering():
            for model in models:
                async with await self._database[model.collection].list_indexes() as found:
                    there = {index["name"]: index for index in [dict(index) async for index in found]}
                wanted = _indexes(model)
                for name, (keys, options) in wanted.items():
                    if name not in there:
                        differences.append(IndexDifference(model.collection, name, "missing"))
                    elif _said(there[name]) != _said({"key": dict(keys), **options}):
                        differences.append(IndexDifference(model.collection, name, "differs"))
                differences.extend(
                    IndexDifference(model.collection, name, "unknown")
                    for name in there
                    if name not in {*wanted, "_id_"}
                )
        return differences

    async def prepare(self, models: Sequence[type[Document]]) -> None:
        """Creates missing indexes. Raises StoreTooNew, and Invalid where an index differs; then nothing is written."""
        with answering():
            mark = await self._database[STORE].find_one({"_id": "format"})
            if mark is not None and mark["number"] > STORE_FORMAT:
                raise StoreTooNew("A newer MITagger wrote this database.", remedy="Install that version again.")
            differences = await self.plan(models)
            for difference in differences:
                if difference.state == "differs":
                    raise Invalid(
                        f"The index {difference.name} of {difference.collection} is not the one that MITagger needs.",
                        remedy="Drop it when nobody writes, then run mitagger indexes apply.",
                    )
            update = {"$set": {"number": STORE_FORMAT}}
            await self._database[STORE].update_one({"_id": "format"}, update, upsert=True)
            missing = {(collection, name) for collection, name, state in differences if state == "missing"}
            for model in models:
                for name, (keys, options) in _indexes(model).items():
                    if (model.collection, name) in missing:
                        await self._database[model.collection].create_index(keys, name=name, **options)


class MongoCollection(Generic[D]):
    """Implements `shared.documents.port.Collection`."""

    def __init__(self, collection: AsyncCollection[Record], wrote: Callable[[str], None], model: type[D]) -> None:
        self._collection = collection
        self._wrote = wrote
        self._model = model

    async def get(self, id: str) -> D:
        record = await self._record(id)
        if record is None:
            raise self._missing(id)
        return self._parse(record)

    async def get_many(self, ids: Sequence[str]) -> list[D]:
        with answering():
            records = await self._collection.find({"_id": {"$in": list(ids)}, **_LIVE}, _READ).to_list()
        found = {record["_id"]: self._parse(record) for record in records}
        return [found[id] for id in ids if id in found]

    async def unless(self, id: str, version: int) -> D | None:
        with answering():
            record = await self._collection.find_one({"_id": id, "version": {"$ne": version}, **_LIVE}, _READ)
        return None if record is None else self._parse(record)

    async def insert(self, document: D, events: Sequence[Event] = ()) -> D:
        (outcome,) = await self.insert_many([document], [events])
        if isinstance(outcome, Duplicate | Erased):
            raise outcome
        return outcome

    async def insert_many(
        self, documents: Sequence[D], events: Sequence[Sequence[Event]] = ()
    ) -> list[D | Duplicate | Erased]:
        if not documents:
            return []
        with answering():
            records = [
                self._new(document, 1, events[place] if events else ()) for place, document in enumerate(documents)
            ]
            failed = await self._bulk([InsertOne(record) for record in records])
            kept_out = await self._kept_out([records[place] for place in failed])
        outcomes: list[D | Duplicate | Erased] = [document.model_copy(update={"version": 1}) for document in documents]
        for place, error in zip(failed, kept_out, strict=True):
            outcomes[place] = error
        self._tell([event for place, of in enumerate(events) if place not in failed for event in of])
        return outcomes

    async def upsert_many(self, documents: Sequence[D], newest_by: Sequence[str]) -> int:
        if not documents:
            return 0
        with answering():
            writes = []
            for document in documents:
                record = self._new(document, 1, ())
                state = {name: record[name] for name in _STATE}
                older = _beyond([_path(field) for field in newest_by], _values(state["body"], newest_by), "$lt")
                change = {"$set": state, "$inc": {"version": 1}}
                writes.append(({"_id": document.id, **_LIVE, **older}, change))
            new = {"outbox": [], "lease": outbox.FREE}
            failed = await self._bulk(
                [UpdateOne(where, {**change, "$setOnInsert": new}, upsert=True) for where, change in writes],
                by_id=True,
            )
            # These are there: as new as ours, erased, or just now inserted by somebody with an older one.
            again = (
                await self._collection.bulk_write([UpdateOne(*writes[place]) for place in failed], ordered=False)
                if failed
                else None
            )
        return len(documents) - len(failed) + (again.matched_count if again else 0)

    async def update(
        self,
        id: str,
        change: Change[D],
        *,
        version: int | None = None,
        initial: D | None = None,
        known: D | None = None,
    ) -> D:
        deadline = time.monotonic() + RACE_SECONDS
        while True:
            current, stored = known, True
            known = None  # whoever lost a race reads
            if current is None:
                record = await self._record(id)
                if record is None and initial is None:
                    raise self._missing(id)
                current, stored = cast("D", initial) if record is None else self._parse(record), record is not None
            made = applied(current, change, seen=version, stored=stored)
            if made is None:
                return current
            changed, events = made
            if await self._swap(id, changed, events, stored=stored):
                self._tell(events)
                return changed
            metrics.DOCUMENT_RACES.labels(self._model.collection).inc()
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{self._name()} {id} is changed by too many at once.")
            await asyncio.sleep(random.uniform(0, 0.01))  # noqa: S311 - so that racing writers do not stay in step

    async def erase(self, id: str, events: Sequence[Event] = ()) -> bool:
        update = {
            "$set": {"schema": 0, "body": None, "unique": {}},
            "$inc": {"version": 1},
            "$push": {"outbox": {"$each": outbox.packed(events)}},
            "$setOnInsert": {"lease": outbox.FREE},
        }
        while True:
            try:
                with answering():
                    await self._collection.update_one({"_id": id, **_LIVE}, update, upsert=True)
            except DuplicateKeyError:  # a tombstone, or a document that came just now
                record = await self._record(id)
                if record is not None and record["schema"] == 0:
                    return False
            else:
                self._tell(events)
                return True

    async def find(
        self,
        where: Where | None = None,
        *,
        sort: Sequence[str] = (),
        after: str | None = None,
        limit: int = 100,
    ) -> Page[D]:
        limit = min(limit, MAX_PAGE)
        fields, descending = order(sort)
        keys = [*map(_path, fields), "_id"]
        conditions = _conditions(where)
        if after is not None:
            values = cursor_values(after, sort)
            # The bound on the first field is what an index is searched by; `_beyond` says the rest.
            conditions.append({keys[0]: {"$lte" if descending else "$gte": values[0]}})
            conditions.append(_beyond(keys, values, "$lt" if descending else "$gt"))
        with answering():
            found = self._collection.find({"$and": conditions}, _READ)
            found = found.sort([(key, -1 if descending else 1) for key in keys]).limit(limit + 1)
            records = await found.to_list()
        items = [self._parse(record) for record in records[:limit]]
        if len(records) <= limit:
            return Page(items, None)
        last = records[limit - 1]
        return Page(items, cursor(sort, [*_values({**last["body"], "id": last["_id"]}, fields), last["_id"]]))

    async def count(self, where: Where | None = None) -> int:
        with answering():
            return await self._collection.count_documents({"$and": _conditions(where)})

    async def count_by(self, field: str, where: Where | None = None) -> dict[str, int]:
        stages: list[Mapping[str, Any]] = [
            {"$match": {"$and": _conditions(where)}},
            {"$group": {"_id": f"${_path(field)}", "number": {"$sum": 1}}},
        ]
        with answering():
            groups = await (await self._collection.aggregate(stages)).to_list()
        return {_said_of(group["_id"]): group["number"] for group in groups}

    async def _record(self, id: str) -> Record | None:
        with answering():
            return await self._collection.find_one({"_id": id}, _READ)

    async def _swap(self, id: str, changed: D, events: Sequence[Event], *, stored: bool) -> bool:
        """Writes unless somebody else did since it was read."""
        with answering():
            record = self._new(changed, changed.version, events)
            try:
                if not stored:
                    await self._collection.insert_one({**record, "_id": id})
                    return True
                push = {"$push": {"outbox": {"$each": record["outbox"]}}} if events else {}
                state = {"version": changed.version} | {name: record[name] for name in _STATE}
                seen = {"_id": id, "version": changed.version - 1, **_LIVE}
                return (await self._collection.update_one(seen, {"$set": state, **push})).matched_count == 1
            except DuplicateKeyError as error:
                if not stored and _is_by_id(error.details):
                    return False
                raise (await self._kept_out([{**record, "_id": id}]))[0] from error

    async def _bulk(self, writes: Sequence[Any], *, by_id: bool = False) -> list[int]:
        """Runs all writes that can run; returns the places of those that a taken id or unique key kept out. With
        `by_id`, a taken unique key is raised as Duplicate."""
        try:
            await self._collection.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            details = cast("Mapping[str, Any]", error.details)
            errors = details["writeErrors"]
            if details["writeConcernErrors"]:
                raise Unavailable(DEPENDENCY, "MongoDB could not make the write durable.") from error
            if any(one["code"] != _DUPLICATE_KEY for one in errors):
                raise
            if by_id and not all(map(_is_by_id, errors)):
                raise Duplicate(f"{self._name()}: a unique key is taken.") from error
            return sorted(one["index"] for one in errors)
        return []

    async def _kept_out(self, records: Sequence[Record]) -> list[Duplicate | Erased]:
        """For each record that was not written, why."""
        if not records:
            return []
        names = [index.name for index in self._model.indexes if index.unique]
        taken: list[Mapping[str, Any]] = [{"_id": {"$in": [record["_id"] for record in records]}}]
        for name in names:
            keys = [record["unique"][name] for record in records if name in record["unique"]]
            taken.append({f"unique.{name}": {"$in": keys}})
        there = await self._collection.find({"$or": taken}, {"schema": 1, "unique": 1}).to_list()
        schemas = {record["_id"]: record["schema"] for record in there}
        holders = {(name, key): str(record["_id"]) for record in there for name, key in record["unique"].items()}

        def reason(record: Record) -> Duplicate | Erased:
            id = record["_id"]
            if schemas.get(id) == 0:
                return Erased(f"{self._name()} {id} was erased.")
            for name in names:
                holder = holders.get((name, record["unique"].get(name)))
                if holder is not None and holder != id:
                    return Duplicate(f"{self._name()}: {name} is taken.", holder=holder)
            if id in schemas:
                return Duplicate(f"{self._name()} {id} is there already.", holder=id)
            return Duplicate(f"{self._name()}: a unique key was taken until just now.", remedy="Try again.")

        return [reason(record) for record in records]

    def _new(self, document: D, version: int, events: Sequence[Event]) -> Record:
        """As it is stored. Raises TooLarge, before anything is written."""
        body = document.model_dump(mode="json", exclude=_UNSTORED)
        keys = {index.name: _values(body, index.fields) for index in self._model.indexes if index.unique}
        record = {
            "_id": document.id,
            "version": version,
            "schema": self._model.schema_version,
            "body": body,
            "unique": {name: json.dumps(values) for name, values in keys.items() if None not in values},
            "outbox": outbox.packed(events),
            "lease": outbox.FREE,
        }
        if len(bson.encode(record)) > MAX_DOCUMENT_BYTES:
            raise too_large()
        return record

    def _parse(self, record: Record) -> D:
        id, schema = record["_id"], record["schema"]
        if schema == 0:
            raise Erased(f"{self._name()} {id} was erased.")
        body = upcast(self._model, schema, record["body"])
        return self._model.model_validate({**body, "id": id, "version": record["version"]})

    def _tell(self, events: Sequence[Event]) -> None:
        if events:
            self._wrote(self._model.collection)

    def _missing(self, id: str) -> NotFound:
        return NotFound(f"{self._name()} {id} does not exist.")

    def _name(self) -> str:
        return self._model.__name__


def _indexes(model: type[Document]) -> dict[str, tuple[list[tuple[str, int]], Record]]:
    """Name to keys and options of each index that a model needs."""

    def keys(index: Index) -> list[tuple[str, int]]:
        return [*((_path(field), 1) for field in index.fields), ("_id", 1)]

    return (
        {index.name: (keys(index), {}) for index in model.indexes}
        | {
            f"{index.name}_unique": ([(f"unique.{index.name}", 1)], {"unique": True, "sparse": True})
            for index in model.indexes
            if index.unique
        }
        | {"outbox": outbox.INDEX}
    )


def _said(index: Mapping[str, Any]) -> list[Any]:
    """What decides whether two indexes are the same."""
    options = [index.get(option) or None for option in ("unique", "sparse", "partialFilterExpression")]
    return [[(key, int(way)) for key, way in dict(index["key"]).items()], *options]


def _path(field: str) -> str:
    if field == "id":
        return "_id"
    if not all(part.isidentifier() for part in field.split(".")):
        raise ValueError(f"not a field: {field}")
    return f"body.{field}"


def _values(body: Mapping[str, Any], fields: Sequence[str]) -> list[Any]:
    def at(field: str) -> Any:
        value: Any = body
        for part in field.split("."):
            value = None if value is None else value.get(part)
        return value

    return [at(field) for field in fields]


def _beyond(keys: Sequence[str], values: Sequence[Any], operator: str) -> Record:
    """Documents whose values of `keys`, compared in order, come before ($lt) or after ($gt) these."""
    ways = []
    for place, (key, value) in enumerate(zip(keys, values, strict=True)):
        same = {earlier: {"$eq": values[at]} for at, earlier in enumerate(keys[:place])}
        ways.append({**same, key: {operator: value}})
    return {"$or": ways}


def _conditions(where: Where | None) -> list[Mapping[str, Any]]:
    conditions: list[Mapping[str, Any]] = [_LIVE]
    for field, wanted in (where or {}).items():
        if isinstance(wanted, In):
            # As in SQL, null is in no list.
            conditions.append({_path(field): {"$in": [value for value in wanted.values if value is not None]}})
        elif isinstance(wanted, Range):
            bounds = {"$gte": wanted.gte, "$lt": wanted.lt}
            conditions.extend({_path(field): {name: bound}} for name, bound in bounds.items() if bound is not None)
        else:
            conditions.append({_path(field): {"$eq": wanted}})
    return conditions


def _is_by_id(error: Mapping[str, Any] | None) -> bool:
    """Whether a duplicate key error is about the id. (Only newer servers say so in a field of its own.)"""
    return error is not None and " index: _id_ " in error["errmsg"]


def _said_of(value: Any) -> str:
    """A value as `count_by` names it; true and false as SQLite does."""
    return "" if value is None else str(int(value) if isinstance(value, bool) else value)
