"""ingest, wired: articles and collections, figures, imports."""

import asyncio
import math
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp

from services.ingest.api import erasing, quarantine, views
from services.ingest.api.figures import router
from services.ingest.erasing import Erasing
from services.ingest.figures import Figures
from services.ingest.imports import Imports
from services.ingest.inspection import Inspection
from services.ingest.model import MODELS
from services.ingest.views import Views
from shared import kept, metrics
from shared.access import DEFAULT_PROJECT
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.errors import TransientError
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.http import add_routes, door
from shared.workers import Workers

COUNTING_SECONDS: Final = 30.0
VIEW_BYTES: Final = 4 << 30


class Ingest:
    """Implements `shared.service.Service`."""

    name = "ingest"

    def __init__(self, engine: Engine, workers: Workers, viewers: Workers, view_bytes: int) -> None:
        self._bus = engine.bus
        self._figures = figures = Figures(engine.documents, engine.blobs, workers, engine.erasures)
        self._imports = Imports(engine.documents, engine.blobs, figures)
        self._erasing = Erasing(engine.documents, figures)
        self._views = Views(engine.documents, engine.blobs, viewers, view_bytes)
        self._inspection = Inspection(engine.documents, engine.blobs, workers, figures, self._views)
        self._counting: asyncio.Task[None] | None = None
        doors = router(figures, self._imports, engine)
        add_routes(
            doors,
            views.router(self._views, engine),
            erasing.router(self._erasing),
            kept.router(engine.documents, MODELS),
            quarantine.router(self._inspection, self._views, engine.signer),
        )
        self.app: ASGIApp | None = door(
            "ingest",
            doors,
            signer=engine.signer,
            description="Articles and collections, figures, quarantine, imports, views.",
        )
        self.subscriptions = (
            Subscription("ingest.originals", (ImageUploaded,), figures.forget_originals),
            Subscription("ingest.erasure", (ImageDeleted,), self._forget),
        )

    async def start(self) -> None:
        # A restored backup may hold what was erased after it was made.
        await self._figures.erase_again()
        await self._imports.start()
        await self._erasing.start()
        await self._views.start()
        self._counting = asyncio.create_task(self._count(), name="count quarantine")

    async def stop(self) -> None:
        if self._counting is not None:
            self._counting.cancel()
            await asyncio.gather(self._counting, return_exceptions=True)
        await self._views.stop()
        await self._erasing.stop()
        await self._imports.stop()

    async def _count(self) -> None:
        while True:
            try:
                waiting = float(await self._inspection.waiting(project=DEFAULT_PROJECT))
            except TransientError:
                waiting = math.nan
            metrics.QUARANTINE_WAITING.set(waiting)
            await asyncio.sleep(COUNTING_SECONDS)

    async def _forget(self, events: Sequence[Event]) -> None:
        """What imports and the log still say of erased figures goes too."""
        figures = [event.figure for event in events]
        await self._imports.forget(figures)
        await self._views.forget(figures)
        await self._bus.forget(figures)


def build(engine: Engine, *, workers: int, view_bytes: int = VIEW_BYTES) -> Ingest:
    """`workers`: processes that render images; 0 takes one a core. As many again make views, so that nobody who looks
    at a figure waits for an import. `view_bytes`: most bytes of pictures prepared for them."""
    return Ingest(engine, Workers(workers or None), Workers(workers or None), view_bytes)
