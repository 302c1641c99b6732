"""Work that one process does at a time, and another takes over when it dies: whoever is at it says so again and again
in the work's document, and counts as dead after half a minute of silence (docs/decisions/0024)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Final

from shared.errors import TransientError

BEAT_SECONDS: Final = 2.0
SILENCE: Final = timedelta(seconds=30)


def silent(alive_at: datetime | None, at: datetime) -> bool:
    """Whether whoever last said so, at `alive_at`, counts as dead."""
    return alive_at is None or at - alive_at > SILENCE


@asynccontextmanager
async def held(say: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Meanwhile says again and again that the work inside is alive. A store that is away hears it later; whatever else
    `say` raises, as a Conflict when another has taken over, ends the work and is raised."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            with suppress(TransientError):
                await say()

    try:
        async with asyncio.TaskGroup() as both:
            beating = both.create_task(beat(), name="lease")
            yield
            beating.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
