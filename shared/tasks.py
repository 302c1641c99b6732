"""Background tasks and their end."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

AGAIN_SECONDS: Final = 2.0


class Background:
    """Tasks that go on by themselves. Somebody has to hold them: the loop does not, and they could be collected."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Held until it ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    @property
    def idle(self) -> bool:
        """Whether all have ended."""
        return not self._tasks

    async def ended(self) -> None:
        """Cancels them (see `ended`)."""
        await ended(*self._tasks)


async def rung(bell: asyncio.Event, *, seconds: float) -> None:
    """Waits until it rings, at most so long. It is silent then, until it rings again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await bell.wait()
    bell.clear()


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Cancels and waits until all have ended, whatever they raise: who wants to know has asked before.

    Once is not enough: until Python 3.12 `asyncio.wait_for` swallows a cancellation that comes with the answer
    (https://github.com/python/cpython/issues/86296), and PyMongo sends by it. A task that goes on is cancelled again.
    """
    going = set(tasks)
    while going:
        for task in going:
            task.cancel()
        _, going = await asyncio.wait(going, timeout=AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised is not reported as never retrieved
