"""Ports for servers that other processes are told of before they listen, or that come back on the same one."""

import socket
from typing import Final

_held: Final[list[socket.socket]] = []


def reserved(count: int) -> list[int]:
    """Free ports of this machine, ours until this process ends. They are bound here without listening, so the system
    gives them to nobody else, be it a server or an outgoing connection; who listens there sets SO_REUSEADDR, as our
    servers, asyncio's and Java's do."""
    ports = []
    for _ in range(count):
        place = socket.socket()
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        ports.append(int(place.getsockname()[1]))
        _held.append(place)
    return ports
