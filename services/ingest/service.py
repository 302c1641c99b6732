"""ingest, wired: articles and collections, figures, imports."""

from collections.abc import Sequence

from starlette.types import ASGIApp

from services.ingest.api import router
from services.ingest.figures import Figures
from services.ingest.imports import Imports
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.http import door
from shared.workers import Workers


class Ingest:
    """Implements `shared.service.Service`."""

    name = "ingest"

    def __init__(self, engine: Engine, workers: Workers) -> None:
        self._bus = engine.bus
        self._figures = figures = Figures(engine.documents, engine.blobs, workers, engine.erasures)
        self._imports = Imports(engine.documents, engine.blobs, figures)
        self.app: ASGIApp | None = door(
            "ingest",
            router(figures, self._imports, engine),
            signer=engine.signer,
            description="Articles and collections, figures, imports.",
        )
        self.subscriptions = (
            Subscription("ingest.originals", (ImageUploaded,), figures.forget_originals),
            Subscription("ingest.erasure", (ImageDeleted,), self._forget),
        )

    async def start(self) -> None:
        # A restored backup may hold what was erased after it was made.
        await self._figures.erase_again()
        await self._imports.start()

    async def stop(self) -> None:
        await self._imports.stop()

    async def _forget(self, events: Sequence[Event]) -> None:
        """What imports and the log still say of erased figures goes too."""
        figures = [event.figure for event in events]
        await self._imports.forget(figures)
        await self._bus.forget(figures)


def build(engine: Engine, *, workers: int) -> Ingest:
    """`workers`: processes that render images; 0 takes one a core."""
    return Ingest(engine, Workers(workers or None))
