"""One SQLite file: many readers, one writer thread whose transactions are shared.

Writes that arrive while a transaction commits share the next one, a SAVEPOINT each, so that twenty people saving at
once pay for one sync to disk. A write is durable (WAL, synchronous=FULL) when its `await` returns.
"""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from shared import metrics
from shared.errors import Invalid, NoRoom, StoreTooNew, Unavailable

APPLICATION_ID: Final = 0x4D495447  # "MITG", in the header of the file
STORE_VERSION: Final = 1
MAX_SHARED_WRITES: Final = 256
BUSY_MS: Final = 10_000

_REFUSALS: Final = (
    apsw.FullError,
    apsw.IOError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.BusyError,
    apsw.ReadOnlyError,
)

T = TypeVar("T")
Job = Callable[[apsw.Connection], T]


class Database:
    """A SQLite file, opened by `open` and closed by `close`. Jobs get a connection, run in a thread and return plain
    values; they may run concurrently with the loop but write jobs never with each other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[tuple[Job[Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._listeners: list[Callable[[], None]] = []
        self._readers: queue.SimpleQueue[apsw.Connection | None] = queue.SimpleQueue()  # None: closed
        self._all: list[apsw.Connection] = []
        self._reading: asyncio.Semaphore | None = None
        self._looking: apsw.Connection | None = None
        self._count = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, *, readers: int = 4) -> None:
        """Creates the file where it is missing. Raises StoreTooNew, and touches nothing, when a newer MITagger wrote
        it; Invalid when it is no store of ours."""
        self._loop, self._count, self._readers = asyncio.get_running_loop(), readers, queue.SimpleQueue()
        writer = await asyncio.to_thread(self._open_all, readers)
        self._reading = asyncio.Semaphore(readers)
        self._thread = threading.Thread(target=self._write_loop, args=(writer,), name="sqlite-writer", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Finishes the writes that were asked for, and the reads that have begun."""
        if self._thread is None:
            return
        thread, self._thread, self._looking = self._thread, None, None  # from here on, writes are refused
        self._jobs.put(None)
        await asyncio.to_thread(thread.join)
        for _ in range(self._count):  # reads that are under way, in threads that nobody waits for any more
            await asyncio.to_thread(self._readers.get)
        self._readers.put(None)  # for reads that were asked for in between: they must not wait for ever
        for connection in self._all:
            connection.close()
        self._all.clear()

    def on_commit(self, listener: Callable[[], None]) -> None:
        """Calls `listener` on the loop after every commit."""
        self._listeners.append(listener)

    async def write(self, job: Job[T]) -> T:
        """Runs `job` in a transaction and returns its result after the commit. An error of the job undoes the job
        alone. Raises Unavailable when the disk refuses."""
        if self._thread is None or self._loop is None:
            raise Unavailable("documents", "The store is closed.")
        future: asyncio.Future[T] = self._loop.create_future()
        # What the job causes belongs to the trace that it is asked in.
        context = contextvars.copy_context()
        self._jobs.put((lambda connection: context.run(job, connection), future))
        return await future

    def look(self, job: Job[T]) -> T:
        """As `read`, for one or a few rows by key: at once, on the loop, since a thread would take longer."""
        if self._looking is None:
            raise Unavailable("documents", "The store is closed.")
        try:
            return job(self._looking)
        except _REFUSALS as error:
            raise _unavailable(error) from error

    async def read(self, job: Job[T]) -> T:
        """Runs `job` on a connection that only reads and sees the last commit."""
        if self._reading is None or self._thread is None:
            raise Unavailable("documents", "The store is closed.")
        async with self._reading:
            return await asyncio.to_thread(self._read, job)

    async def truncate_log(self) -> None:
        """Moves what the write-ahead log holds into the file and empties it, so that what was overwritten is gone from
        both. Left for the next time while somebody reads an old state."""
        await asyncio.to_thread(self._truncate_log)

    def _truncate_log(self) -> None:
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except _REFUSALS as error:
            raise _unavailable(error) from error
        finally:
            connection.close()

    def _read(self, job: Job[T]) -> T:
        connection = self._readers.get()  # waits: a cancelled reader gives up its turn before its connection
        try:
            if connection is None:
                raise Unavailable("documents", "The store is closed.")
            return job(connection)
        except _REFUSALS as error:
            raise _unavailable(error) from error
        finally:
            self._readers.put(connection)

    def _open_all(self, readers: int) -> apsw.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        writer = apsw.Connection(str(self.path))
        writer.set_busy_timeout(BUSY_MS)
        try:
            _check_header(writer, self.path)
        except BaseException:
            writer.close()
            raise
        writer.pragma("journal_mode", "wal")
        writer.pragma("synchronous", "full")
        writer.pragma("application_id", APPLICATION_ID)
        writer.pragma("user_version", STORE_VERSION)
        writer.pragma("secure_delete", True)  # what is erased is overwritten, not only unlinked
        writer.pragma("cache_size", -32_000)
        self._all.append(writer)
        for _ in range(readers):
            self._readers.put(self._reader())
        self._looking = self._reader()
        return writer

    def _reader(self) -> apsw.Connection:
        reader = apsw.Connection(str(self.path))
        reader.set_busy_timeout(BUSY_MS)
        reader.pragma("query_only", True)
        self._all.append(reader)
        return reader

    def _write_loop(self, connection: apsw.Connection) -> None:
        while (first := self._jobs.get()) is not None:
            batch, last = [first], False
            while len(batch) < MAX_SHARED_WRITES:
                try:
                    following = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if following is None:
                    last = True
                    break
                batch.append(following)
            outcomes = self._commit(connection, batch)
            loop = self._loop
            assert loop is not None  # noqa: S101 - set by open, before this thread started
            loop.call_soon_threadsafe(self._resolve, outcomes)
            if last:
                return

    def _commit(
        self, connection: apsw.Connection, batch: list[tuple[Job[Any], asyncio.Future[Any]]]
    ) -> list[tuple[asyncio.Future[Any], Any, BaseException | None]]:
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job, future in batch:
                connection.execute("SAVEPOINT job")
                try:
                    outcomes.append((future, job(connection), None))
                except apsw.FullError:
                    raise  # SQLite may have rolled back everything already
                except Exception as error:  # handed to the one who awaits
                    connection.execute("ROLLBACK TO job")
                    outcomes.append((future, None, _translated(error)))
                connection.execute("RELEASE job")
            connection.execute("COMMIT")
        except Exception as error:  # the transaction failed: so did every job in it
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")
            return [(future, None, _translated(error)) for _, future in batch]
        metrics.SQLITE_COMMITS.inc()
        metrics.SQLITE_WRITES.inc(len(batch))
        return outcomes

    def _resolve(self, outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        for future, value, error in outcomes:
            if future.cancelled():
                continue
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        for listener in self._listeners:
            listener()


def one(connection: apsw.Connection, sql: str, bindings: tuple[Any, ...] = ()) -> Any:
    """The first column of the only row of a query that always has one."""
    row = connection.execute(sql, bindings).fetchone()
    assert row is not None  # noqa: S101 - an aggregate, or a row just inserted
    return row[0]


def _check_header(connection: apsw.Connection, path: Path) -> None:
    try:
        found = connection.pragma("application_id")
        version = connection.pragma("user_version")
        empty = connection.pragma("page_count") == 0
    except apsw.NotADBError as error:
        raise Invalid(f"{path} is not a MITagger store.", remedy="Choose another data folder.") from error
    if empty:
        return
    if found != APPLICATION_ID:
        raise Invalid(f"{path} is another program's database.", remedy="Choose another data folder.")
    if version > STORE_VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer MITagger (store version {version}; this one reads {STORE_VERSION}).",
            remedy="Install that version again, or choose another data folder. Nothing was changed.",
        )


def _translated(error: Exception) -> Exception:
    if isinstance(error, _REFUSALS):
        return _unavailable(error)
    return error


def _unavailable(error: Exception) -> Unavailable:
    if isinstance(error, apsw.FullError):
        return NoRoom("documents", "The disk is full.", remedy="Free some space; nothing that was saved is lost.")
    return Unavailable("documents", f"The store cannot be used ({type(error).__name__}).")
