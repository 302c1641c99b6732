"""The embedded documents engine: a SQLite table a collection, JSON bodies, an expression index a declared index."""

import json
from collections.abc import Sequence
from typing import Any, Final, Generic, cast

import apsw

from shared.bus.log import EventLog
from shared.documents.changing import applied
from shared.documents.paging import cursor, cursor_values, order
from shared.documents.port import MAX_PAGE, Backlog, Change, Collection, D, Document, In, Page, Range, Value, Where
from shared.documents.upcasting import upcast
from shared.errors import Duplicate, Erased, NotFound
from shared.events.envelope import Event
from shared.sqlite import Database, one

FEW: Final = 20  # documents that are read faster on the loop than a thread is woken
_UNSTORED: Final = {"id", "version"}  # columns of their own


class NoOutbox:
    """Implements `shared.documents.port.Outbox` where a write and its events are one transaction."""

    moved_at = None
    waiting_for = ""

    async def pending(self) -> int:
        return 0

    async def backlogs(self) -> dict[str, Backlog]:
        return {}


class SqliteDocuments:
    """Implements `shared.documents.port.Documents`. Collections are created by `prepare`, before they are used."""

    def __init__(self, database: Database, log: EventLog) -> None:
        self._database = database
        self._log = log

    def collection(self, model: type[D]) -> Collection[D]:
        return SqliteCollection(self._database, self._log, model)

    async def prepare(self, models: Sequence[type[Document]]) -> None:
        """Creates missing tables and indexes."""

        def job(connection: apsw.Connection) -> None:
            for model in models:
                for statement in _schema(model):
                    connection.execute(statement)

        await self._database.write(job)


class SqliteCollection(Generic[D]):
    """Implements `shared.documents.port.Collection`."""

    def __init__(self, database: Database, log: EventLog, model: type[D]) -> None:
        self._database = database
        self._log = log
        self._model = model
        self._table = _quoted(model.collection)

    async def get(self, id: str) -> D:
        row = self._database.look(lambda connection: self._row(connection, id))
        if row is None:
            raise self._missing(id)
        return self._parse(row)

    async def get_many(self, ids: Sequence[str]) -> list[D]:
        def job(connection: apsw.Connection) -> list[D]:
            rows = (self._row(connection, id) for id in ids)
            return [self._parse(row) for row in rows if row is not None and row[3] is not None]

        if len(ids) <= FEW:
            return self._database.look(job)
        return await self._database.read(job)

    async def unless(self, id: str, version: int) -> D | None:
        row = self._database.look(lambda connection: self._row(connection, id))
        return None if row is None or row[3] is None or row[1] == version else self._parse(row)

    async def insert(self, document: D, events: Sequence[Event] = ()) -> D:
        (outcome,) = await self.insert_many([document], [events])
        if isinstance(outcome, Duplicate | Erased):
            raise outcome
        return outcome

    async def insert_many(
        self, documents: Sequence[D], events: Sequence[Sequence[Event]] = ()
    ) -> list[D | Duplicate | Erased]:
        sql = f"INSERT INTO {self._table} VALUES (?, 1, ?, ?) ON CONFLICT DO NOTHING"  # noqa: S608

        def job(connection: apsw.Connection) -> list[D | Duplicate | Erased]:
            outcomes: list[D | Duplicate | Erased] = []
            caused: list[Event] = []
            for place, document in enumerate(documents):
                connection.execute(sql, (document.id, self._model.schema_version, _body(document)))
                if connection.changes():
                    outcomes.append(document.model_copy(update={"version": 1}))
                    caused.extend(events[place] if events else ())
                else:
                    outcomes.append(self._kept_out(connection, document))
            self._log.append(connection, caused)
            return outcomes

        return await self._database.write(job)

    async def upsert_many(self, documents: Sequence[D], newest_by: Sequence[str]) -> int:
        new = ", ".join(_path(field, "excluded.body") for field in newest_by)
        old = ", ".join(_path(field, f"{self._table}.body") for field in newest_by)
        sql = (
            f"INSERT INTO {self._table} VALUES (?, 1, ?, ?) ON CONFLICT (id) DO UPDATE"  # noqa: S608
            " SET version = version + 1, schema = excluded.schema, body = excluded.body"
            f" WHERE {self._table}.body IS NOT NULL AND ({new}) > ({old})"
        )

        def job(connection: apsw.Connection) -> int:
            written = 0
            for document in documents:
                try:
                    connection.execute(sql, (document.id, self._model.schema_version, _body(document)))
                except apsw.ConstraintError as error:
                    raise self._kept_out(connection, document) from error
                written += connection.changes()
            return written

        return await self._database.write(job)

    async def update(
        self,
        id: str,
        change: Change[D],
        *,
        version: int | None = None,
        initial: D | None = None,
        known: D | None = None,
    ) -> D:
        def job(connection: apsw.Connection) -> D:
            current, stored = known, True
            if current is None or not self._at(connection, id, current.version):
                row = self._row(connection, id)
                if row is None and initial is None:
                    raise self._missing(id)
                current, stored = cast("D", initial) if row is None else self._parse(row), row is not None
            made = applied(current, change, seen=version, stored=stored)
            if made is None:
                return current
            changed, events = made
            try:
                connection.execute(
                    f"INSERT INTO {self._table} VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"  # noqa: S608
                    " SET version = excluded.version, schema = excluded.schema, body = excluded.body",
                    (id, changed.version, self._model.schema_version, _body(changed)),
                )
            except apsw.ConstraintError as error:
                raise self._kept_out(connection, changed) from error
            self._log.append(connection, events)
            return changed

        return await self._database.write(job)

    async def erase(self, id: str, events: Sequence[Event] = ()) -> bool:
        def job(connection: apsw.Connection) -> bool:
            connection.execute(
                f"INSERT INTO {self._table} VALUES (?, 1, 0, NULL) ON CONFLICT (id) DO UPDATE"  # noqa: S608
                " SET version = version + 1, schema = 0, body = NULL WHERE body IS NOT NULL",
                (id,),
            )
            if not connection.changes():
                return False
            self._log.append(connection, events)
            return True

        return await self._database.write(job)

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
        keys = [*(_path(field) for field in fields), "id"]
        conditions, bindings = _conditions(where or {})
        if after is not None:
            values = cursor_values(after, sort)
            # SQLite does not search an index on expressions by a row value, only by its first column.
            conditions.append(f"{keys[0]} {'<=' if descending else '>='} ?")
            conditions.append(f"({', '.join(keys)}) {'<' if descending else '>'} ({', '.join('?' * len(keys))})")
            bindings.extend([values[0], *values])
        direction = " DESC" if descending else ""
        sql = (
            f"SELECT id, version, schema, body, {', '.join(keys)} FROM {self._table}"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} ORDER BY {', '.join(key + direction for key in keys)} LIMIT ?"
        )

        def job(connection: apsw.Connection) -> Page[D]:
            rows = connection.execute(sql, (*bindings, limit + 1)).fetchall()
            items = [self._parse(row) for row in rows[:limit]]
            return Page(items, cursor(sort, rows[limit - 1][4:]) if len(rows) > limit else None)

        return await self._database.read(job)

    async def count(self, where: Where | None = None) -> int:
        conditions, bindings = _conditions(where or {})
        sql = f"SELECT count(*) FROM {self._table} WHERE {' AND '.join(conditions)}"  # noqa: S608
        return int(await self._database.read(lambda connection: one(connection, sql, tuple(bindings))))

    async def count_by(self, field: str, where: Where | None = None) -> dict[str, int]:
        conditions, bindings = _conditions(where or {})
        sql = (
            f"SELECT {_path(field)}, count(*) FROM {self._table}"  # noqa: S608
            f" WHERE {' AND '.join(conditions)} GROUP BY 1"
        )
        rows = await self._database.read(lambda connection: connection.execute(sql, tuple(bindings)).fetchall())
        return {"" if value is None else str(value): int(str(number)) for value, number in rows}

    def _row(self, connection: apsw.Connection, id: str) -> tuple[Any, ...] | None:
        sql = f"SELECT id, version, schema, body FROM {self._table} WHERE id = ?"  # noqa: S608
        return connection.execute(sql, (id,)).fetchone()

    def _at(self, connection: apsw.Connection, id: str, version: int) -> bool:
        sql = f"SELECT 1 FROM {self._table} WHERE id = ? AND version = ? AND body IS NOT NULL"  # noqa: S608
        return connection.execute(sql, (id, version)).fetchone() is not None

    def _parse(self, row: tuple[Any, ...]) -> D:
        id, version, schema, body = row[:4]
        if body is None:
            raise Erased(f"{self._name()} {id} was erased.")
        if schema == self._model.schema_version:
            # Id and version stand in columns; one concatenation is cheaper than a second parse.
            return self._model.model_validate_json(f'{{"id":{json.dumps(id)},"version":{version},{body[1:]}')
        return self._model.model_validate(
            {**upcast(self._model, schema, json.loads(body)), "id": id, "version": version}
        )

    def _kept_out(self, connection: apsw.Connection, document: D) -> Duplicate | Erased:
        row = self._row(connection, document.id)
        if row is not None and row[3] is None:
            return Erased(f"{self._name()} {document.id} was erased.")
        for index in self._model.indexes:
            values = [_value_at(document, field) for field in index.fields]
            if index.unique and None not in values:
                where = " AND ".join(f"{_path(field)} = ?" for field in index.fields)
                sql = f"SELECT id FROM {self._table} WHERE {where} AND id != ?"  # noqa: S608
                holder = connection.execute(sql, (*map(_plain, values), document.id)).fetchone()
                if holder is not None:
                    return Duplicate(f"{self._name()}: {index.name} is taken.", holder=str(holder[0]))
        return Duplicate(f"{self._name()} {document.id} is there already.", holder=document.id)

    def _missing(self, id: str) -> NotFound:
        return NotFound(f"{self._name()} {id} does not exist.")

    def _name(self) -> str:
        return self._model.__name__


def _schema(model: type[Document]) -> list[str]:
    table = _quoted(model.collection)
    statements = [
        f"CREATE TABLE IF NOT EXISTS {table} ("
        "id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, schema INTEGER NOT NULL,"
        " body TEXT)"  # null: erased
    ]
    for index in model.indexes:
        name = _quoted(f"{model.collection}.{index.name}")
        columns = ", ".join([_path(field) for field in index.fields] + ([] if index.unique else ["id"]))
        unique = "UNIQUE " if index.unique else ""
        statements.append(f"CREATE {unique}INDEX IF NOT EXISTS {name} ON {table} ({columns}) WHERE body IS NOT NULL")
    return statements


def _body(document: Document) -> str:
    return document.model_dump_json(exclude=_UNSTORED)


def _quoted(name: str) -> str:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ValueError(f"not a collection or index name: {name}")
    return f'"{name}"'


def _path(field: str, column: str = "body") -> str:
    if field == "id":
        return "id"
    if not all(part.isidentifier() for part in field.split(".")):
        raise ValueError(f"not a field: {field}")
    return f"json_extract({column}, '$.{field}')"


def _value_at(document: Document, field: str) -> Any:
    value: Any = document
    for part in field.split("."):
        value = None if value is None else getattr(value, part)
    return value


def _plain(value: Any) -> Value:
    """As JSON holds it, for a comparison with json_extract."""
    return cast("Value", value.isoformat() if hasattr(value, "isoformat") else value)


def _conditions(where: Where) -> tuple[list[str], list[Any]]:
    conditions, bindings = ["body IS NOT NULL"], list[Any]()
    for field, wanted in where.items():
        path = _path(field)
        if isinstance(wanted, In):
            conditions.append(f"{path} IN ({', '.join('?' * len(wanted.values))})")
            bindings.extend(wanted.values)
        elif isinstance(wanted, Range):
            for operator, bound in ((">=", wanted.gte), ("<", wanted.lt)):
                if bound is not None:
                    conditions.append(f"{path} {operator} ?")
                    bindings.append(bound)
        elif wanted is None:
            conditions.append(f"{path} IS NULL")
        else:
            conditions.append(f"{path} = ?")
            bindings.append(wanted)
    return conditions, bindings
