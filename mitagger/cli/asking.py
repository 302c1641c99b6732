"""How a command asks a server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from mitagger.cli.connection import Target, connected
from mitagger.cli.outcome import perform
from mitagger.client import AsyncClient

T = TypeVar("T")


def asked(
    target: Target,
    ask: Callable[[AsyncClient], Awaitable[T]],
    *,
    connect: Callable[[Target], AbstractAsyncContextManager[AsyncClient]] = connected,
) -> T:
    """The answer. Known errors become one line on standard error and an exit code."""

    async def work() -> T:
        async with connect(target) as client:
            return await ask(client)

    return perform(work())


async def listed(items: AsyncIterator[T], *, limit: int | None = None) -> list[T]:
    """All of them, or the first ones. Pages that are not needed are not asked for."""
    found: list[T] = []
    async for one in items:
        found.append(one)
        if len(found) == limit:
            break
    return found
