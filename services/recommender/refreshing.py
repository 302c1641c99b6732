"""Recommends again for legends that were annotated by an older generation, from the log of legends.

The log keeps legends for 30 days (`LegendTokenized.kept`); for older figures `mitagger events republish image.uploaded`
does the same. Consumers keep the newest generation, so that doing it twice, or while new figures come, does no harm.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog

from services.recommender.model import Generation
from shared.bus.port import Bus
from shared.clock import new_id, now
from shared.documents.port import Collection
from shared.erasures import Erasures
from shared.events.legend import LegendTokenized

PAGE: Final = 500
BATCH: Final = 50
SILENCE: Final = timedelta(seconds=60)  # after which whoever did it counts as dead; a batch takes less

log = structlog.get_logger()


class Refreshing:
    """One process does it, whichever comes first; another goes on when that one dies."""

    def __init__(
        self,
        bus: Bus,
        generations: Collection[Generation],
        erasures: Erasures,
        annotate: Callable[[Sequence[LegendTokenized]], Awaitable[None]],
    ) -> None:
        """`annotate` recommends for legends, and publishes."""
        self._bus = bus
        self._generations = generations
        self._erasures = erasures
        self._annotate = annotate
        self._run = new_id()

    async def go_on(self, generation: int) -> None:
        """Refreshes all legends, if that is due, `generation` is the newest and nobody else is at it."""
        found = await self._generations.get("current")
        if found.refreshed >= found.number or found.number != generation or not await self._mine(generation):
            return
        seen, after = 0, ""
        gone = frozenset(await self._erasures.all())
        while True:
            page = await self._bus.read([LegendTokenized], after=after, limit=PAGE)
            legends = [one for one in page.events if isinstance(one, LegendTokenized) and one.figure not in gone]
            for start in range(0, len(legends), BATCH):
                await self._annotate(legends[start : start + BATCH])
                if not await self._mine(generation):
                    return
            seen += len(legends)
            if page.cursor == after:
                break
            after = page.cursor
        await self._generations.update(
            "current",
            lambda one: (one.changed(refreshed=generation) if one.number == generation else one, ()),
        )
        log.info("recommendations refreshed", generation=generation, legends=seen)

    async def _mine(self, generation: int) -> bool:
        """Says that this process is at it, unless another is or the generation is over."""
        found = await self._generations.update("current", lambda one: (self._claimed(one, generation), ()))
        return found.number == generation and found.run == self._run

    def _claimed(self, one: Generation, number: int) -> Generation:
        silent = one.alive_at is None or now() - one.alive_at > SILENCE
        if one.number != number or not (one.run == self._run or silent):
            return one
        return one.changed(run=self._run, alive_at=now())
