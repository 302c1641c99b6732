"""Turns at a service that limits requests a second, over all copies of the recommender (see `slots`)."""

import asyncio
from collections.abc import Awaitable, Callable

from services.recommender.slots import next_slot
from shared import clock
from shared.bus.port import Share
from shared.errors import Unavailable


class Pace:
    """Turns of this process. `share` says what it has of the work that all copies divide; `limit` is in requests a
    second, for all of them together."""

    def __init__(self, limit: int, share: Callable[[], Awaitable[Share]]) -> None:
        self._limit = limit
        self._share = share
        self._used = -1
        self._one_at_a_time = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when one request may be sent: at once, before anything else is awaited.

        Raises Unavailable where the work has gone to another copy meanwhile, which sends it.
        """
        async with self._one_at_a_time:
            while True:
                slot = next_slot(clock.now().timestamp(), self._limit, await self._share(), after=self._used)
                if slot is None:
                    raise Unavailable("a turn", "The work at hand has gone to another copy of the recommender.")
                await asyncio.sleep(slot.opens - clock.now().timestamp())
                # Slept too long, or lost the partition while asleep: the next one, if there is one.
                if slot.number % (share := await self._share()).partitions not in share.since:
                    continue
                if clock.now().timestamp() < slot.closes:
                    self._used = slot.number
                    return
