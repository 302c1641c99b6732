"""What only the embedded bus has: it looks after its own retention."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from shared.bus.log import EventLog
from shared.bus.port import Handler, Subscription
from shared.bus.sqlite import SqliteBus
from shared.errors import Invalid, Unavailable
from shared.events.envelope import Event
from shared.events.image import Article, ImageDeleted, ImageUploaded
from shared.sqlite import Database, one
from tests.support.builders import image_uploaded
from tests.support.embedded import embedded

AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "log.sqlite")
    await database.open()
    yield database
    await database.close()


async def handled(_events: Sequence[Event]) -> None: ...


async def refused(_events: Sequence[Event]) -> None:
    raise Invalid("bad")


async def waiting(_events: Sequence[Event]) -> None:
    raise Unavailable("annotator")


async def reopened(database: Database, handler: Handler = handled) -> SqliteBus:
    bus = SqliteBus(database, EventLog())
    await bus.prepare()
    bus.subscribe(Subscription("group", (ImageUploaded, ImageDeleted), handler))
    await bus.start()
    return bus


async def count(database: Database) -> int:
    return int(await database.read(lambda connection: one(connection, "SELECT count(*) FROM events")))


async def aged(database: Database, days: int) -> None:
    def job(connection: apsw.Connection) -> None:
        connection.execute("UPDATE events SET at = at - ?", (days * 86_400,))
        connection.execute("UPDATE dead_letters SET died_at = died_at - ?", (days * 86_400,))

    await database.write(job)


def uploaded(figure: str = "f") -> ImageUploaded:
    return ImageUploaded(time=AT, project="p", actor="a", figure=figure, revision=1, article=Article(id="x"))


def deleted() -> ImageDeleted:
    return ImageDeleted(time=AT, project="p", actor="a", figure="g", revision=2)


async def events_become(database: Database, number: int) -> None:
    async with asyncio.timeout(10):
        while await count(database) != number:
            await asyncio.sleep(0.01)


async def test_legends_go_after_their_retention_and_erasures_stay(database: Database) -> None:
    bus = await reopened(database)
    await bus.publish([uploaded(), deleted()])
    await bus.settled()
    await bus.stop()
    await aged(database, days=31)
    bus = await reopened(database)
    await bus.publish([uploaded("new")])
    await events_become(database, 2)
    assert [event.figure for event in (await bus.read([ImageUploaded, ImageDeleted])).events] == ["g", "new"]
    await bus.stop()


async def test_dead_letters_and_what_was_replayed_of_them_go_too(database: Database) -> None:
    bus = await reopened(database, refused)
    await bus.publish([uploaded()])
    await bus.settled()
    await bus.replay([letter.id for letter in await bus.dead_letters()])
    await bus.settled()
    assert (await count(database), len(await bus.dead_letters())) == (2, 1)
    await bus.stop()
    await aged(database, days=31)
    bus = await reopened(database)
    await events_become(database, 0)
    assert await bus.dead_letters() == []
    await bus.stop()


async def test_what_a_group_has_not_handled_yet_waits_for_it_however_old(database: Database) -> None:
    bus = await reopened(database, waiting)
    await bus.publish([uploaded()])
    await bus.stop()
    await aged(database, days=400)
    bus = await reopened(database)
    await bus.settled()
    assert [p.moved_at is not None for p in await bus.progress() if p.topic == "image.uploaded"] == [True]
    await bus.stop()
    bus = await reopened(database)
    await events_become(database, 0)
    await bus.stop()


async def test_what_was_forgotten_is_in_no_file_of_the_store(tmp_path: Path) -> None:
    async with embedded(tmp_path) as engine:
        await engine.bus.publish([image_uploaded(legend="Sentinel-7423 in the legend.")])
        await engine.bus.forget(["f1"])
        async with asyncio.timeout(20):
            while any(b"Sentinel-7423" in path.read_bytes() for path in (tmp_path / "data").glob("mitagger.sqlite*")):
                await asyncio.sleep(0.01)


async def test_who_looked_between_a_commit_and_the_move_of_its_position_looks_again(database: Database) -> None:
    gate = asyncio.Event()

    async def shut(_events: Sequence[Event]) -> None:
        await gate.wait()

    bus = await reopened(database, shut)
    await bus.publish([uploaded()])
    settling = asyncio.create_task(bus.settled())
    (position,) = [each for consumer in bus._consumers for each in consumer.positions if each.topic == "image.uploaded"]
    looked = bus._commits
    async with asyncio.timeout(10):
        while not bus._woken._waiters or bus._commits != looked:  # the look is over: it waits for the next change
            looked = bus._commits
            await asyncio.sleep(0)
        bus._moved(position, position.seq + 1)
        await settling
    gate.set()
    await bus.stop()
