import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from shared.errors import Invalid, StoreTooNew, Unavailable
from shared.sqlite import APPLICATION_ID, STORE_VERSION, Database, one


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "store.sqlite")
    await database.open()
    await database.write(lambda connection: connection.execute("CREATE TABLE t (n INTEGER UNIQUE)") and None)
    yield database
    await database.close()


async def count(database: Database) -> int:
    return int(await database.read(lambda connection: one(connection, "SELECT count(*) FROM t")))


def insert(n: int) -> object:
    return lambda connection: connection.execute("INSERT INTO t VALUES (?)", (n,)) and None


async def test_a_read_sees_what_was_written_before(database: Database) -> None:
    await database.write(insert(1))  # type: ignore[arg-type]
    assert await count(database) == 1


async def test_many_writes_share_transactions_and_fail_alone(database: Database) -> None:
    jobs = [database.write(insert(n % 50)) for n in range(100)]  # type: ignore[arg-type]
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert sum(isinstance(outcome, apsw.ConstraintError) for outcome in outcomes) == 50
    assert await count(database) == 50


async def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(Unavailable):
        await database.read(lambda connection: connection.execute("INSERT INTO t VALUES (1)"))


async def test_closing_finishes_what_was_asked_for(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.sqlite")
    await database.open()
    writing = asyncio.ensure_future(
        database.write(lambda connection: connection.execute("CREATE TABLE made (n)") and None)
    )
    await asyncio.sleep(0)
    await database.close()
    await writing
    with pytest.raises(Unavailable):
        await database.write(lambda connection: None)


async def test_it_syncs_every_commit_to_disk(database: Database) -> None:
    pragmas = ("journal_mode", "synchronous", "application_id", "user_version")
    found = await database.write(lambda connection: [connection.pragma(name) for name in pragmas])
    assert found == ["wal", 2, APPLICATION_ID, STORE_VERSION]


async def test_a_newer_store_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", STORE_VERSION + 1)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew):
        await Database(path).open()
    assert path.read_bytes() == before


async def test_another_program_s_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (n)")
    connection.close()
    with pytest.raises(Invalid):
        await Database(path).open()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite"
    path.write_text("not a database at all, but long enough to look at" * 100)
    with pytest.raises(Invalid):
        await Database(path).open()


async def test_readers_that_are_given_up_keep_nobody_from_reading(database: Database) -> None:
    release = threading.Event()
    given_up = [asyncio.create_task(database.read(lambda connection: release.wait(20))) for _ in range(4)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    await asyncio.gather(*given_up, return_exceptions=True)
    waiting = asyncio.create_task(database.read(lambda connection: 7))
    asyncio.get_running_loop().call_later(0.05, release.set)
    assert await asyncio.wait_for(waiting, 10) == 7


async def test_a_write_after_closing_began_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.sqlite")
    await database.open()
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(database.write(lambda connection: 7), 10)
    await closing


async def test_reads_that_closing_overtakes_are_refused_and_keep_no_thread(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.sqlite")
    await database.open(readers=1)
    started, go_on = threading.Event(), threading.Event()

    def slow(connection: apsw.Connection) -> int:
        started.set()
        go_on.wait(10)
        return 1

    first = asyncio.create_task(database.read(slow))
    await asyncio.to_thread(started.wait, 10)
    waiting = [asyncio.create_task(database.read(lambda connection: 2)) for _ in range(3)]
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(10):
        await closing
        outcomes = await asyncio.gather(first, *waiting, return_exceptions=True)
    assert outcomes[0] == 1
    assert all(one == 2 or isinstance(one, Unavailable) for one in outcomes[1:])
    with pytest.raises(Unavailable):
        await database.read(lambda connection: 3)
