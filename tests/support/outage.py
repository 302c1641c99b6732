"""A door in front of a server that can be shut: open connections break, new ones are refused."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.ports import reserved


class Outage:
    """Passes bytes on to `host:port` while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._passing: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = reserved(1)[0]

    async def open(self) -> None:
        """On the same port each time."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port, reuse_address=True)

    async def shut(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)
        there = None
        try:
            answers, there = await asyncio.open_connection(*self._target)
            await asyncio.gather(_copy(reader, there), _copy(answers, writer))
        except OSError:
            pass  # what the other side is told by its connection's end
        finally:
            for each in (writer, there):
                if each is not None:
                    each.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(1 << 16):
        target.write(data)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


@asynccontextmanager
async def before(host: str, port: int) -> AsyncIterator[Outage]:
    """An open door, shut at the end."""
    door = Outage(host, port)
    await door.open()
    try:
        yield door
    finally:
        await door.shut()
