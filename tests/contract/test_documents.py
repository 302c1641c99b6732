"""What every documents engine promises. Engines are listed once, in `store`. On MongoDB events come out by way of the
outbox and its relay."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from shared.bus.log import EventLog
from shared.bus.sqlite import SqliteBus
from shared.documents.port import Document, Documents, In, Index, Range
from shared.documents.sqlite import SqliteDocuments
from shared.errors import Conflict, Duplicate, Erased, Invalid, NotFound, StoreTooNew
from shared.events.image import ImageDeleted
from shared.sqlite import Database


class Specimen(Document):
    collection: ClassVar[str] = "test.specimens"
    indexes: ClassVar[tuple[Index, ...]] = (
        Index("label", ("owner", "label"), unique=True),
        Index("recent", ("state", "revision")),
    )
    owner: str = "ada"
    label: str | None = None
    state: str = "new"
    revision: int = 1
    generation: int = 0
    listed: bool = False
    words: dict[str, str] = {}


class RenamedSpecimen(Document):
    """A later release's specimen: `owner` is now `keeper`."""

    collection: ClassVar[str] = Specimen.collection
    schema_version: ClassVar[int] = 2
    upcasters = {1: lambda body: {"id": "", "keeper": body["owner"]}}

    keeper: str


class Store:
    """One engine: a collection, and the events that came out of it."""

    def __init__(self, documents: Documents, bus: SqliteBus, relay: Callable[[], Awaitable[None]]) -> None:
        self.documents = documents
        self.specimens = documents.collection(Specimen)
        self._bus = bus
        self._relay = relay

    async def events(self) -> list[str]:
        await self._relay()
        return [event.figure for event in (await self._bus.read([ImageDeleted])).events]


@pytest.fixture(params=["sqlite", pytest.param("mongodb", marks=pytest.mark.servers)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with contextlib.AsyncExitStack() as stack:
        database = Database(tmp_path / "store.sqlite")
        await database.open()
        stack.push_async_callback(database.close)
        log = EventLog()
        bus = SqliteBus(database, log)
        await bus.prepare()
        if request.param == "sqlite":
            embedded = SqliteDocuments(database, log)
            await embedded.prepare([Specimen])
            yield Store(embedded, bus, lambda: asyncio.sleep(0))
        else:
            # Tests of the embedded engines need neither a server nor its driver.
            from shared.documents.mongo import MongoDocuments
            from shared.documents.outbox import Relay
            from tests.support.servers import mongo

            there = await stack.enter_async_context(mongo.database(request.getfixturevalue("mongodb")))
            relay = Relay(there, bus, [Specimen])
            distributed = MongoDocuments(there, relay.wake)
            await distributed.prepare([Specimen])
            yield Store(distributed, bus, relay.sweep)


def fact(figure: str, revision: int = 1) -> ImageDeleted:
    return ImageDeleted(time=datetime.now(UTC), project="default", actor="test", figure=figure, revision=revision)


async def test_a_document_comes_back_as_it_was_stored(store: Store) -> None:
    stored = await store.specimens.insert(Specimen(id="a", words={"legend": 'Ä "quoted" 😀\n'}))
    assert stored.version == 1
    assert await store.specimens.get("a") == stored


@pytest.mark.parametrize("key", ["a.b", "http://purl.obolibrary.org/obo/GO_0005634", ".", "", "a$"])
async def test_any_text_can_be_a_key(store: Store, key: str) -> None:
    await store.specimens.insert(Specimen(id="a"))
    await store.specimens.update("a", lambda s: (s.changed(words={key: "x"}), []))
    await store.specimens.insert(Specimen(id="b", words={key: "x"}))
    assert [s.words for s in await store.specimens.get_many(["a", "b"])] == [{key: "x"}] * 2


async def test_a_document_of_an_older_release_is_read_in_todays_shape(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", owner="grace"))
    renamed = store.documents.collection(RenamedSpecimen)
    assert await renamed.get("a") == RenamedSpecimen(id="a", version=1, keeper="grace")
    await renamed.update("a", lambda s: (s.changed(keeper="ada"), []))
    assert (await renamed.find()).items == [RenamedSpecimen(id="a", version=2, keeper="ada")]


async def test_a_document_of_a_newer_release_is_refused(store: Store) -> None:
    await store.documents.collection(RenamedSpecimen).insert(RenamedSpecimen(id="a", keeper="ada"))
    with pytest.raises(StoreTooNew):
        await store.specimens.get("a")
    with pytest.raises(StoreTooNew):
        await store.specimens.update("a", lambda s: (s.changed(state="done"), []))


async def test_a_missing_document_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.specimens.get("nothing")


async def test_a_document_that_is_known_is_not_read_again(store: Store) -> None:
    assert await store.specimens.unless("a", 0) is None
    first = await store.specimens.insert(Specimen(id="a"))
    assert await store.specimens.unless("a", 0) == first
    assert await store.specimens.unless("a", first.version) is None
    second = await store.specimens.update("a", lambda one: (one.changed(words={"k": "new"}), []))
    assert await store.specimens.unless("a", first.version) == second
    await store.specimens.erase("a")
    assert await store.specimens.unless("a", first.version) is None


async def test_get_many_keeps_the_order_and_leaves_out_what_is_missing(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=name) for name in "abc"])
    assert [s.id for s in await store.specimens.get_many(["c", "zzz", "a"])] == ["c", "a"]


async def test_a_taken_unique_key_names_its_holder(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", label="x"))
    with pytest.raises(Duplicate) as caught:
        await store.specimens.insert(Specimen(id="b", label="x"))
    assert caught.value.holder == "a"


async def test_null_in_a_unique_key_never_collides(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id="a"), Specimen(id="b")])
    assert await store.specimens.count() == 2


async def test_one_duplicate_of_many_keeps_only_itself_and_its_events_out(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", label="x"), [fact("a")])
    outcomes = await store.specimens.insert_many(
        [Specimen(id="b"), Specimen(id="c", label="x"), Specimen(id="d")], [[fact("b")], [fact("c")], [fact("d")]]
    )
    assert [type(outcome) for outcome in outcomes] == [Specimen, Duplicate, Specimen]
    assert await store.events() == ["a", "b", "d"]


async def test_of_equals_in_one_batch_the_first_goes_in(store: Store) -> None:
    await store.specimens.erase("gone")
    outcomes = await store.specimens.insert_many(
        [Specimen(id="a", label="x"), Specimen(id="b", label="x"), Specimen(id="a"), Specimen(id="gone")]
    )
    assert [type(outcome) for outcome in outcomes] == [Specimen, Duplicate, Duplicate, Erased]
    assert [outcome.holder for outcome in outcomes if isinstance(outcome, Duplicate)] == ["a", "a"]


async def test_an_update_counts_versions_and_sends_its_events(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a"))
    changed = await store.specimens.update("a", lambda s: (s.changed(state="done"), [fact("a")]))
    assert (changed.version, changed.state) == (2, "done")
    assert await store.events() == ["a"]


async def test_an_update_that_changes_nothing_writes_nothing(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a"))
    assert (await store.specimens.update("a", lambda s: (s, []))).version == 1
    assert await store.events() == []


async def test_a_stale_update_is_a_conflict_and_changes_nothing(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a"))
    await store.specimens.update("a", lambda s: (s.changed(state="done"), []))
    with pytest.raises(Conflict):
        await store.specimens.update("a", lambda s: (s.changed(state="mine"), [fact("a")]), version=1)
    assert (await store.specimens.get("a")).state == "done"
    assert await store.events() == []


async def test_an_update_of_nothing_starts_from_the_initial_document(store: Store) -> None:
    made = await store.specimens.update("a", lambda s: (s.changed(state="done"), []), initial=Specimen(id="a"))
    assert (made.version, made.state) == (1, "done")
    with pytest.raises(NotFound):
        await store.specimens.update("b", lambda s: (s, []))


async def test_concurrent_updates_lose_nothing(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", revision=0))

    async def add() -> None:
        await store.specimens.update("a", lambda s: (s.changed(revision=s.revision + 1), []))

    await asyncio.gather(*(add() for _ in range(50)))
    assert (await store.specimens.get("a")).revision == 50


async def test_concurrent_first_updates_lose_nothing(store: Store) -> None:
    def add(specimen: Specimen) -> tuple[Specimen, list[ImageDeleted]]:
        return specimen.changed(revision=specimen.revision + 1), [fact("a", specimen.version + 1)]

    await asyncio.gather(*(store.specimens.update("a", add, initial=Specimen(id="a", revision=0)) for _ in range(20)))
    assert (await store.specimens.get("a")).revision == 20
    assert len(await store.events()) == 20


async def test_who_has_just_read_a_document_need_not_read_it_again_and_loses_nothing(store: Store) -> None:
    read = await store.specimens.insert(Specimen(id="a", revision=0))
    got: list[Specimen] = []

    def add(specimen: Specimen) -> tuple[Specimen, list[ImageDeleted]]:
        got.append(specimen)
        return specimen.changed(revision=specimen.revision + 1), [fact("a", specimen.version + 1)]

    second = await store.specimens.update("a", add, known=read)
    assert got == [read]
    assert got[0] is read
    # What was read is not what is there any more.
    third = await store.specimens.update("a", add, known=read)
    assert (got[-1], third.revision) == (second, 2)
    await asyncio.gather(*(store.specimens.update("a", add, known=third) for _ in range(20)))
    assert (await store.specimens.get("a")).revision == 22
    assert len(await store.events()) == 22
    with pytest.raises(Conflict):
        await store.specimens.update("a", add, known=third, version=third.version)
    await store.specimens.erase("a")
    with pytest.raises(Erased):
        await store.specimens.update("a", add, known=third)


async def test_of_many_who_saw_one_version_one_writes(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a"))

    async def change(by: str) -> Any:
        return await store.specimens.update("a", lambda s: (s.changed(owner=by), [fact("a")]), version=1)

    outcomes = await asyncio.gather(*map(change, "bcdefgh"), return_exceptions=True)
    (written,) = (outcome for outcome in outcomes if isinstance(outcome, Specimen))
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 6
    assert await store.specimens.get("a") == written
    assert await store.events() == ["a"]


async def test_an_update_into_a_taken_unique_key_is_refused(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id="a", label="x"), Specimen(id="b", label="y")])
    with pytest.raises(Duplicate) as caught:
        await store.specimens.update("b", lambda s: (s.changed(label="x"), [fact("b")]))
    assert caught.value.holder == "a"
    assert await store.events() == []


async def test_an_error_in_a_change_undoes_that_write_alone(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id="a"), Specimen(id="b")])

    def broken(_: Specimen) -> Any:
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        store.specimens.update("a", broken),
        store.specimens.update("b", lambda s: (s.changed(state="done"), [])),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], ZeroDivisionError)
    assert (await store.specimens.get("b")).state == "done"


async def test_an_erased_document_leaves_a_tombstone_that_nothing_overwrites(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", label="x"))
    assert await store.specimens.erase("a", [fact("a")])
    with pytest.raises(Erased):
        await store.specimens.get("a")
    with pytest.raises(Erased):
        await store.specimens.insert(Specimen(id="a"))
    with pytest.raises(Erased):
        await store.specimens.update("a", lambda s: (s, []), initial=Specimen(id="a"))
    assert await store.specimens.upsert_many([Specimen(id="a", revision=99)], ["revision"]) == 0
    assert await store.specimens.count() == 0
    assert (await store.specimens.find()).items == []


async def test_erasing_twice_sends_its_events_once(store: Store) -> None:
    await store.specimens.erase("a", [fact("a")])
    assert not await store.specimens.erase("a", [fact("a")])
    assert await store.events() == ["a"]


async def test_of_many_who_erase_and_write_at_once_one_erases_and_nothing_is_left(store: Store) -> None:
    def upsert() -> Any:
        return store.specimens.upsert_many([Specimen(id="a")], ["revision"])

    outcomes = await asyncio.gather(
        *(store.specimens.erase("a", [fact("a")]) if n % 2 else upsert() for n in range(20))
    )
    assert [outcome for outcome in outcomes[1::2] if outcome] == [True]
    assert await store.events() == ["a"]
    with pytest.raises(Erased):
        await store.specimens.get("a")


async def test_erasing_what_was_never_there_keeps_it_out(store: Store) -> None:
    await store.specimens.erase("late")
    assert await store.specimens.upsert_many([Specimen(id="late")], ["revision"]) == 0


async def test_an_erased_unique_key_is_free_again(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", label="x"))
    await store.specimens.erase("a")
    assert (await store.specimens.insert(Specimen(id="b", label="x"))).version == 1


@pytest.mark.parametrize(
    ("stored", "offered", "written"),
    [((1, 0), (2, 0), 1), ((1, 0), (1, 1), 1), ((1, 0), (1, 0), 0), ((2, 0), (1, 9), 0), ((1, 5), (1, 4), 0)],
)
async def test_upsert_keeps_the_newest(
    store: Store, stored: tuple[int, int], offered: tuple[int, int], written: int
) -> None:
    def at(order: tuple[int, int], state: str) -> Specimen:
        return Specimen(id="a", revision=order[0], generation=order[1], state=state)

    await store.specimens.upsert_many([at(stored, "old")], ["revision", "generation"])
    assert await store.specimens.upsert_many([at(offered, "new")], ["revision", "generation"]) == written
    assert (await store.specimens.get("a")).state == ("new" if written else "old")


async def test_racing_upserts_keep_the_newest(store: Store) -> None:
    await asyncio.gather(
        *(
            store.specimens.upsert_many(
                [Specimen(id=id, revision=(n * 7) % 20) for id in ("a", "b", "a")], ["revision", "generation"]
            )
            for n in range(20)
        )
    )
    assert [s.revision for s in await store.specimens.get_many(["a", "b"])] == [19, 19]


async def test_pages_show_everything_once_in_order(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=f"s{n:02}", revision=n % 3) for n in range(25)])
    seen, cursor = list[Specimen](), None
    while True:
        page = await store.specimens.find({"state": "new"}, sort=["revision"], after=cursor, limit=7)
        seen.extend(page.items)
        cursor = page.next
        if cursor is None:
            break
    assert [(s.revision, s.id) for s in seen] == sorted((n % 3, f"s{n:02}") for n in range(25))


async def test_pages_go_down_as_well(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=f"s{n}", revision=n) for n in range(5)])
    first = await store.specimens.find(sort=["-revision"], limit=2)
    second = await store.specimens.find(sort=["-revision"], limit=2, after=first.next)
    assert [s.revision for s in first.items + second.items] == [4, 3, 2, 1]


FOREIGN = ["", "nonsense", "W10=", "bnVsbA==", "é"] + [
    base64.urlsafe_b64encode(inside.encode()).decode()
    for inside in (
        '[["revision"], [1]]',
        '[["state"], [1, "a"]]',
        '[["revision"], [{"$gt": 0}, "a"]]',
        '[["revision"], [1000000000000000000000, "a"]]',
        '[["revision"], [1, "\\ud800"]]',
        '[["revision"], [1e999, "a"]]',
        "[" * 100_000,
    )
]


@pytest.mark.parametrize("cursor", FOREIGN, ids=lambda cursor: cursor[:20])
async def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(Invalid):
        await store.specimens.find(sort=["revision"], after=cursor)


async def test_find_filters_by_equality_range_and_choice(store: Store) -> None:
    await store.specimens.insert_many(
        [Specimen(id=f"s{n}", revision=n, state="odd" if n % 2 else "even") for n in range(6)]
    )

    async def ids(**where: Any) -> list[str]:
        return [s.id for s in (await store.specimens.find(where, sort=["revision"])).items]

    assert await ids(state="odd") == ["s1", "s3", "s5"]
    assert await ids(revision=Range(gte=2, lt=4)) == ["s2", "s3"]
    assert await ids(revision=In((0, 5, 9))) == ["s0", "s5"]
    assert await ids(label=None, state="even") == ["s0", "s2", "s4"]
    assert await ids(id=In(("s5", "s1", "s9"))) == ["s1", "s5"]


async def test_null_is_in_no_range_and_no_choice(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id="a"), Specimen(id="b", label="x")])
    for wanted in (Range(gte=""), Range(lt="z"), In((None, "x"))):
        assert [s.id for s in (await store.specimens.find({"label": wanted})).items] == ["b"]
    assert len((await store.specimens.find({"label": Range()})).items) == 2


async def test_text_sorts_by_code_point(store: Store) -> None:
    # Beyond U+FFFF, the test server of `tests.support.servers` sorts by UTF-16 units; MongoDB sorts by UTF-8, as here.
    texts = ["Z", "a", "z", "Ä", "ä", "ß", "\u3042", "\uffee", "10", "9", ""]
    await store.specimens.insert_many([Specimen(id=f"s{n}", owner=text) for n, text in enumerate(texts)])
    assert [s.owner for s in (await store.specimens.find(sort=["owner"])).items] == sorted(texts)


async def test_a_sort_of_several_fields_pages_through_equals(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=f"s{n:02}", owner=f"o{n % 3}", revision=n % 2) for n in range(24)])
    for sort in (["owner", "revision"], ["-owner", "-revision"]):
        seen, page = list[Specimen](), await store.specimens.find(sort=sort, limit=5)
        seen.extend(page.items)
        while page.next is not None:
            page = await store.specimens.find(sort=sort, limit=5, after=page.next)
            seen.extend(page.items)
        expected = sorted((f"o{n % 3}", n % 2, f"s{n:02}") for n in range(24))
        assert [(s.owner, s.revision, s.id) for s in seen] == (expected[::-1] if "-owner" in sort else expected)


async def test_counts_by_field(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=f"s{n}", state="odd" if n % 2 else "even") for n in range(5)])
    assert await store.specimens.count({"state": "odd"}) == 2
    assert await store.specimens.count_by("state") == {"even": 3, "odd": 2}
    assert await store.specimens.count_by("label") == {"": 5}


async def test_truth_is_found_and_counted(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id=f"s{n}", listed=n < 2) for n in range(5)])
    assert await store.specimens.count({"listed": True}) == 2
    assert await store.specimens.count_by("listed") == {"0": 3, "1": 2}


async def test_what_is_erased_is_not_counted(store: Store) -> None:
    await store.specimens.insert_many([Specimen(id="a"), Specimen(id="b")])
    await store.specimens.erase("a")
    await store.specimens.erase("c")
    assert await store.specimens.count({"label": None}) == 1
    assert await store.specimens.count_by("label") == {"": 1}


async def test_an_upsert_into_a_taken_unique_key_is_refused(store: Store) -> None:
    await store.specimens.insert(Specimen(id="a", label="x"))
    with pytest.raises(Duplicate):
        await store.specimens.upsert_many([Specimen(id="b", label="x")], ["revision"])
    assert await store.specimens.count() == 1
