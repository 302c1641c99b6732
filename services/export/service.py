"""Export, put together: its documents, event door, jobs and HTTP door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from services.export.api import router
from services.export.consumers import Projection
from services.export.indexing import Indexing
from services.export.jobs import Exports
from services.export.model import MODELS, ExportJob, FigureRecord, Rebuild
from services.export.rebuilding import Rebuilds
from shared import kept
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import door
from shared.search.port import Search

NAME: Final = "export"


@dataclass(slots=True)
class ExportService:
    """Implements `shared.service.Service`."""

    app: ASGIApp | None
    subscriptions: Sequence[Subscription]
    exports: Exports
    rebuilds: Rebuilds
    search: Search
    name: str = NAME

    async def start(self) -> None:
        await self.search.prepare()
        await self.exports.start()
        await self.rebuilds.start()

    async def stop(self) -> None:
        await self.rebuilds.stop()
        await self.exports.stop()


def build(engine: Engine) -> ExportService:
    figures = engine.documents.collection(FigureRecord)
    exports = Exports(figures, engine.documents.collection(ExportJob), engine.blobs)
    indexing = Indexing(figures, engine.search)
    rebuilds = Rebuilds(figures, engine.documents.collection(Rebuild), engine.search, indexing)
    projection = Projection(figures, indexing, exports)
    routes = router(exports, rebuilds, engine.search, engine.signer)
    routes.include_router(kept.router(engine.documents, MODELS))
    app = door(NAME, routes, signer=engine.signer)
    return ExportService(app, [projection.subscription()], exports, rebuilds, engine.search)
