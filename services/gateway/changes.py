"""What changes of the assignments of people who look at them, passed on as it happens.

One look at the bus serves everybody who follows in this process. Nothing is kept and nothing is sent again: who was
away reads anew what is on the page, and so does who cannot keep up.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from shared import metrics
from shared.bus.port import Bus
from shared.errors import TransientError, Unavailable
from shared.events.assignment import About, AssignmentChanged, State
from shared.tasks import ended

STREAMS: Final = 2_000
STREAMS_OF_ONE: Final = 8  # person: windows of the workbench
BEHIND: Final = 100  # changes that wait for a slow reader
PAUSE: Final = 2.0  # seconds until the bus is looked at again

log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Change:
    """An assignment of somebody's changed, or shows more (`about`). What, is asked for where access is decided."""

    assignment: str
    version: int
    state: State
    about: About | None = None


Heard = Change | None  # null: something was missed, all is to be read anew


class Changes:
    """Over the bus. The first who follows begins the look at it, the last one ends it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._queues: dict[asyncio.Queue[Heard], str] = {}
        self._looking: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def of(self, person: str) -> AsyncIterator[asyncio.Queue[Heard]]:
        """What changes from now on of what the person annotates or reviews. Raises Unavailable: too many."""
        if len(self._queues) >= STREAMS or Counter(self._queues.values())[person] >= STREAMS_OF_ONE:
            raise Unavailable(
                "live changes", "Too many windows follow already.", remedy="Close some; pages still load."
            )
        queue = asyncio.Queue[Heard](BEHIND)
        self._queues[queue] = person
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            with metrics.STREAMS_OPEN.track_inprogress():
                yield queue
        finally:
            del self._queues[queue]
            if not self._queues:
                await self.stop()

    async def stop(self) -> None:
        """Ends the look at the bus; who follows hears no more."""
        looking, self._looking = self._looking, None
        if looking is not None:
            await ended(looking)

    async def _look(self) -> None:
        while True:
            try:
                async for _, event in self._bus.tail([AssignmentChanged]):
                    assert isinstance(event, AssignmentChanged)  # noqa: S101 - the only topic asked for
                    self._tell(event)
                return  # the bus stops
            except TransientError as error:
                log.warning("live changes wait: %s", error.message)
            await asyncio.sleep(PAUSE)
            for queue in self._queues:
                _missed(queue)

    def _tell(self, event: AssignmentChanged) -> None:
        told = Change(event.assignment, event.revision, event.state, event.about)
        for queue, person in self._queues.items():
            if person in (event.annotator, event.reviewer):
                try:
                    queue.put_nowait(told)
                except asyncio.QueueFull:
                    _missed(queue)


def _missed(queue: asyncio.Queue[Heard]) -> None:
    while not queue.empty():
        queue.get_nowait()
    queue.put_nowait(None)
