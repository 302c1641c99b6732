"""What only the MongoDB engine has: indexes made on purpose, bounds of its documents, outages, what a database is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from shared.documents.mongo import STORE, MongoDocuments
from shared.documents.port import Collection, Document, Index
from shared.errors import Invalid, StoreTooNew, TooLarge, Unavailable
from shared.mongo import connected
from tests.support.servers import mongo

Database = AsyncDatabase[dict[str, Any]]


class Plate(Document):
    collection: ClassVar[str] = "test.plates"
    indexes: ClassVar[tuple[Index, ...]] = (Index("label", ("owner", "label"), unique=True), Index("row", ("row",)))

    owner: str = "ada"
    label: str | None = None
    row: int = 0
    words: dict[str, str] = {}


def documents(database: Database) -> MongoDocuments:
    return MongoDocuments(database, lambda _: None)


async def plan(database: Database) -> set[tuple[str, str]]:
    return {(name, state) for _, name, state in await documents(database).plan([Plate])}


@pytest.fixture
async def database(mongodb: str) -> AsyncIterator[Database]:
    async with mongo.database(mongodb) as there:
        yield there


@pytest.fixture
async def plates(database: Database) -> Collection[Plate]:
    await documents(database).prepare([Plate])
    return documents(database).collection(Plate)


@pytest.mark.servers
async def test_a_plan_lists_what_is_missing_and_writes_nothing(database: Database) -> None:
    assert await plan(database) == {(name, "missing") for name in ("label", "label_unique", "row", "outbox")}
    assert await database.list_collection_names() == []
    await documents(database).prepare([Plate])
    assert await plan(database) == set()
    await documents(database).prepare([Plate])  # twice is once
    assert await plan(database) == set()


@pytest.mark.servers
async def test_an_index_of_somebody_else_stays(database: Database, plates: Collection[Plate]) -> None:
    await database[Plate.collection].create_index([("body.row", -1)], name="theirs")
    assert await plan(database) == {("theirs", "unknown")}
    await documents(database).prepare([Plate])
    assert "theirs" in await database[Plate.collection].index_information()


@pytest.mark.servers
async def test_an_index_that_differs_is_named_and_nothing_is_written(database: Database) -> None:
    await database[Plate.collection].create_index([("body.owner", 1)], name="row")
    assert ("row", "differs") in await plan(database)
    with pytest.raises(Invalid, match=r"row of test\.plates"):
        await documents(database).prepare([Plate])
    assert set(await database[Plate.collection].index_information()) == {"_id_", "row"}


@pytest.mark.servers
async def test_a_database_of_a_newer_release_is_refused_untouched(database: Database) -> None:
    await database[STORE].insert_one({"_id": "format", "number": 99})
    with pytest.raises(StoreTooNew):
        await documents(database).prepare([Plate])
    assert await database.list_collection_names() == [STORE]
    assert await database[STORE].find_one() == {"_id": "format", "number": 99}


@pytest.mark.servers
async def test_a_document_of_more_than_16_mib_is_refused_and_the_old_one_stays(plates: Collection[Plate]) -> None:
    large = {"all": "x" * (16 << 20)}
    stored = await plates.insert(Plate(id="a"))
    with pytest.raises(TooLarge):
        await plates.insert_many([Plate(id="b"), Plate(id="c", words=large)])
    with pytest.raises(TooLarge):
        await plates.update("a", lambda plate: (plate.changed(words=large), []))
    with pytest.raises(TooLarge):
        await plates.upsert_many([Plate(id="a", row=1, words=large)], ["row"])
    assert (await plates.find()).items == [stored]


@pytest.mark.servers
@pytest.mark.parametrize("plate", [Plate(id="a", row=1 << 64), Plate(id="a", words={"\0": ""})])
async def test_what_mongodb_cannot_hold_is_invalid(plates: Collection[Plate], plate: Plate) -> None:
    with pytest.raises(Invalid):
        await plates.insert(plate)


@pytest.mark.servers
async def test_what_looks_like_an_operator_is_a_value(plates: Collection[Plate]) -> None:
    await plates.insert(Plate(id="a", label="x"))
    hostile: Any = {"$gt": ""}
    assert await plates.count({"label": hostile}) == 0
    with pytest.raises(ValueError, match="not a field"):
        await plates.count({"$where": "sleep(1000)"})


async def test_a_server_that_is_gone_is_unavailable_never_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.mongo.CONNECT_MILLISECONDS", 500)
    listening = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, connected(f"mongodb://127.0.0.1:{port}") as there:
        plates = documents(there).collection(Plate)
        asked = (plates.get("a"), plates.find(), plates.insert(Plate(id="a")), plates.erase("a"))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 4
    assert {answer.dependency for answer in answers if isinstance(answer, Unavailable)} == {"documents"}


@pytest.mark.parametrize("url", ["", "http://x", "mongodb://", "mongodb://ada:se/cret@x", "mongodb://x:1e9"])
async def test_a_wrong_url_is_invalid_and_not_repeated(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        async with connected(url):
            pass
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
