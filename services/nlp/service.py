"""nlp: a pure function with an event door. It owns no documents; what it finds travels in legend.tokenized."""

import asyncio
from collections.abc import Sequence
from typing import cast

from services.nlp.analysis import analyse
from services.nlp.consumers import tokenize
from shared.bus.port import Bus, Subscription
from shared.engine import Engine
from shared.events.envelope import Event
from shared.events.image import ImageUploaded
from shared.events.legend import Analysis

WARMING = "A sentence that is long enough for its language to be told."


class Nlp:
    """Implements `shared.service.Service`."""

    name = "nlp"
    app = None

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._warming: asyncio.Task[Analysis] | None = None
        self.subscriptions = (Subscription("nlp", (ImageUploaded,), self._tokenize, batch=50),)

    async def start(self) -> None:
        """Loads what the first legend would wait for, in the background."""
        self._warming = asyncio.create_task(asyncio.to_thread(analyse, WARMING), name="load nlp")

    async def stop(self) -> None:
        if self._warming is not None:
            await asyncio.gather(self._warming, return_exceptions=True)  # what failed fails again with the first legend

    async def _tokenize(self, events: Sequence[Event]) -> None:
        uploaded = cast("Sequence[ImageUploaded]", events)
        await self._bus.publish(await asyncio.to_thread(tokenize, uploaded))


def build(engine: Engine) -> Nlp:
    return Nlp(engine.bus)
