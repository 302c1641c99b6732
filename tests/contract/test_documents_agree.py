"""The two documents engines, given the same random operations, answer the same and show the same."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.bus.log import EventLog
from shared.bus.sqlite import SqliteBus
from shared.clock import now
from shared.documents.mongo import MongoDocuments
from shared.documents.outbox import Relay
from shared.documents.port import Collection, Document, In, Index, Range, Where
from shared.documents.sqlite import SqliteDocuments
from shared.errors import Duplicate, MitaggerError
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.sqlite import Database
from tests.support.servers import mongo


class Slide(Document):
    collection: ClassVar[str] = "test.slides"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("label", ("owner", "label"), unique=True),
        Index("age", ("revision", "generation")),
    )

    owner: str
    label: str | None
    revision: int
    generation: int
    stained: bool
    words: dict[str, str]


Slides: TypeAlias = Collection[Slide]
Operation: TypeAlias = Callable[[Slides], Awaitable[Any]]


class Engine(NamedTuple):
    slides: Slides
    bus: SqliteBus
    relayed: Callable[[], Awaitable[None]]
    emptied: Callable[[], Awaitable[Any]]


IDS = ("a", "b", "c", "Ä")
ids = st.sampled_from(IDS)
fields: dict[str, st.SearchStrategy[Any]] = {
    "owner": st.sampled_from(("ada", "bo")),
    "label": st.sampled_from((None, "", "x")),
    "revision": st.integers(-1, 2),
    "generation": st.integers(0, 1),
    "stained": st.booleans(),
    "words": st.dictionaries(st.sampled_from(("a.b", "", "ä")), st.sampled_from(("", "1", "😀")), max_size=2),
}
slides = st.builds(Slide, id=ids, version=st.just(0), **fields)


def said(document: Slide) -> list[Event]:
    return [
        ImageDeleted(time=now(), project="p", actor="test", figure=document.id, revision=document.version + number)
        for number in (1, 2)
    ]


def insert(documents: Sequence[Slide]) -> Operation:
    return lambda slides: slides.insert_many(documents, [said(document) for document in documents])


def upsert(documents: Sequence[Slide]) -> Operation:
    return lambda slides: slides.upsert_many(documents, ["revision", "generation"])


def update(id: str, changes: dict[str, Any], version: int | None, initial: Slide | None, loud: bool) -> Operation:
    def change(slide: Slide) -> tuple[Slide, list[Event]]:
        return slide.changed(**changes), said(slide) if loud else []

    first = initial and initial.changed(id=id)
    return lambda slides: slides.update(id, change, version=version, initial=first)


def erase(id: str) -> Operation:
    return lambda slides: slides.erase(id, said(Slide.model_construct(id=id, version=100)))


operations = st.one_of(
    st.builds(insert, st.lists(slides, min_size=1, max_size=3)),
    # Read models have no unique keys; what an upsert into a taken one does is not promised.
    st.builds(upsert, st.lists(slides.map(lambda slide: slide.changed(label=None)), min_size=1, max_size=3)),
    st.builds(
        update,
        ids,
        st.fixed_dictionaries({}, optional=fields),
        st.none() | st.integers(0, 3),
        st.none() | slides,
        st.booleans(),
    ),
    st.builds(erase, ids),
)
wheres = st.fixed_dictionaries(
    {},
    optional={
        "owner": st.sampled_from(("ada", "nobody")),
        "label": st.sampled_from((None, "x", In((None, "", "x")), In(()), Range(gte=""), Range(lt="x"))),
        "revision": st.sampled_from((0, In((0, 2)), Range(gte=0, lt=2), Range())),
        "stained": st.booleans(),
        "id": st.sampled_from(("a", In(("b", "c")), Range(gte="b"))),
    },
)
sorts = st.sampled_from(
    ((), ("revision",), ("-revision",), ("owner", "revision"), ("-stained", "-generation"), ("id",), ("-id",))
)


async def answer(asked: Awaitable[Any]) -> Any:
    """What came back; errors as their type and what they say, but which of two taken keys a Duplicate names is free."""
    try:
        return plain(await asked)
    except MitaggerError as error:
        return plain(error)


def plain(outcome: Any) -> Any:
    if isinstance(outcome, list):
        return [plain(one) for one in outcome]
    if isinstance(outcome, Duplicate):
        return Duplicate
    return (type(outcome), vars(outcome)) if isinstance(outcome, MitaggerError) else outcome


async def listed(slides: Slides, where: Where, sort: Sequence[str]) -> list[list[Slide]]:
    """All pages."""
    pages, after = list[list[Slide]](), None
    while True:
        page = await slides.find(where, sort=sort, after=after, limit=2)
        pages.append(page.items)
        after = page.next
        if after is None:
            return pages


async def shown(slides: Slides, where: Where, sort: Sequence[str]) -> list[Any]:
    return [
        *[await answer(slides.get(id)) for id in IDS],
        await slides.get_many([*IDS, "nothing", *IDS]),
        await listed(slides, where, sort),
        await slides.count(where),
        *[await slides.count_by(field, where) for field in ("owner", "label", "revision", "stained")],
    ]


async def sent(engine: Engine, after: str) -> dict[str, list[int]]:
    """The revisions that went out of each figure, in order."""
    await engine.relayed()
    revisions: dict[str, list[int]] = defaultdict(list)
    for event in (await engine.bus.read([ImageDeleted], after=after, limit=1000)).events:
        revisions[event.figure].append(event.revision)
    return revisions


@pytest.fixture
async def engines(mongodb: str, tmp_path: Path) -> AsyncIterator[tuple[Engine, Engine]]:
    async with contextlib.AsyncExitStack() as stack:

        async def opened(name: str) -> tuple[Database, EventLog, SqliteBus]:
            database, log = Database(tmp_path / f"{name}.sqlite"), EventLog()
            await database.open()
            stack.push_async_callback(database.close)
            bus = SqliteBus(database, log)
            await bus.prepare()
            return database, log, bus

        async def nothing() -> None:
            pass

        database, log, bus = await opened("embedded")
        embedded = SqliteDocuments(database, log)
        await embedded.prepare([Slide])
        delete = f'DELETE FROM "{Slide.collection}"'  # noqa: S608
        first = Engine(
            embedded.collection(Slide),
            bus,
            nothing,
            lambda: database.write(lambda connection: connection.execute(delete)),
        )

        _, _, bus = await opened("relayed")
        there = await stack.enter_async_context(mongo.database(mongodb))
        relay = Relay(there, bus, [Slide])
        distributed = MongoDocuments(there, relay.wake)
        await distributed.prepare([Slide])
        second = Engine(
            distributed.collection(Slide), bus, relay.sweep, lambda: there[Slide.collection].delete_many({})
        )
        yield first, second


@pytest.mark.servers
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(st.tuples(operations, wheres, sorts), min_size=1, max_size=12))
async def test_the_same_operations_have_the_same_outcome_on_both_engines(
    engines: tuple[Engine, Engine], script: list[tuple[Operation, Where, Sequence[str]]]
) -> None:
    starts = []
    for engine in engines:
        await engine.emptied()
        starts.append((await engine.bus.read([ImageDeleted], limit=100_000)).cursor)
    for operation, where, sort in script:
        first, second = [await answer(operation(engine.slides)) for engine in engines]
        assert first == second
        first, second = [await shown(engine.slides, where, sort) for engine in engines]
        assert first == second
    first, second = [await sent(engine, start) for engine, start in zip(engines, starts, strict=True)]
    assert first == second
