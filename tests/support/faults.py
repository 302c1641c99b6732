"""A server that misbehaves on demand: it stands on a socket before a real one and passes on what it is not told to
spoil."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

Fault = Literal["429", "500", "html", "half", "cut", "reset", "slow", "redirect", "flood", "404"]

PAGE: Final = b"<!doctype html><title>Bad gateway</title>"
ANSWERS: Final[dict[str, bytes]] = {
    "429": b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
    "404": b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
    "redirect": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
    "html": b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%b" % (len(PAGE), PAGE),
    # Half a JSON document, whole by its length ...
    "half": b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n[{"annotatedClass": {"',
}
# ... and one that ends before its length.
CUT: Final = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n[{"annotatedClass":'
FLOOD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n"


class Faulty:
    """`faults` are spent one a request, the first first; `always` is what every other one meets. `seen`: how many
    requests came, `heads`: their heads."""

    def __init__(self, behind: str) -> None:
        host, _, port = behind.removeprefix("http://").rpartition(":")
        self._behind = (host, int(port))
        self.faults: list[Fault] = []
        self.always: Fault | None = None
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []
        self.url = ""

    @property
    def seen(self) -> int:
        return len(self.heads)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                self.heads.append(head)
                self.bodies.append(body)
                fault = self.faults.pop(0) if self.faults else self.always
                if fault is None:
                    writer.write(await self._honest(head, body))
                elif fault in ANSWERS:
                    writer.write(ANSWERS[fault])
                else:
                    await self._broken(fault, reader, writer)
                    break
                await writer.drain()
        writer.close()

    async def _broken(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault == "cut":
            writer.write(CUT)
        elif fault == "flood":
            writer.write(FLOOD)
            while True:
                writer.write(b" " * 1_000_000)
                await writer.drain()
        else:  # slow: nothing, until the client leaves
            await reader.read()

    async def _honest(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._behind)
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.readexactly(_length(answer))
        writer.close()
        return answer


def _length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


@asynccontextmanager
async def faulty(behind: str) -> AsyncIterator[Faulty]:
    """Before the server at this address."""
    made = Faulty(behind)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
