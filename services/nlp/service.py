"""nlp: a pure function with an event door. It owns no documents; what it finds travels in legend.tokenized."""

import asyncio
from collections.abc import Sequence
from typing import cast

from services.nlp.consumers import tokenize
from shared.bus.port import Bus, Subscription
from shared.engine import Engine
from shared.events.envelope import Event
from shared.events.image import ImageUploaded


class Nlp:
    """Implements `shared.service.Service`."""

    name = "nlp"
    app = None

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.subscriptions = (Subscription("nlp", (ImageUploaded,), self._tokenize, batch=50),)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Nothing to finish."""

    async def _tokenize(self, events: Sequence[Event]) -> None:
        uploaded = cast("Sequence[ImageUploaded]", events)
        await self._bus.publish(await asyncio.to_thread(tokenize, uploaded))


def build(engine: Engine) -> Nlp:
    return Nlp(engine.bus)
