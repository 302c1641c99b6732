"""Waiting for what goes on in a server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from mitagger.client.backoff import polls

J = TypeVar("J")


async def ended(
    job: J, goes_on: Callable[[J], bool], look: Callable[[], Awaitable[J]], told: Callable[[J], object] = lambda _: None
) -> J:
    """The job once it goes on no more. It is looked at often first, then once a second; `told` hears what was seen."""
    waits = polls()
    while goes_on(job):
        await asyncio.sleep(next(waits))
        job = await look()
        told(job)
    return job
