"""Export, put together: its documents, event door, jobs and HTTP door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from services.export.api import mappings
from services.export.api.exports import router
from services.export.consumers import Projection
from services.export.indexing import Indexing
from services.export.jobs import Exports
from services.export.mapping_use import MappingUse
from services.export.model import MODELS, ExportJob, FigureRecord, MappingsRecord, Rebuild
from services.export.rebuilding import Rebuilds
from shared import kept, traces
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import add_routes, door
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
    use = MappingUse(figures, engine.documents.collection(MappingsRecord), engine.blobs)
    exports = Exports(figures, engine.documents.collection(ExportJob), engine.blobs)
    indexing = Indexing(figures, engine.search)
    rebuilds = Rebuilds(figures, engine.documents.collection(Rebuild), engine.search, indexing)
    projection = Projection(figures, indexing, exports)
    routes = router(exports, use, rebuilds, engine.search, engine.signer)
    add_routes(routes, mappings.router(use), traces.router(exports.traces), kept.router(engine.documents, MODELS))
    app = door(NAME, routes, signer=engine.signer)
    return ExportService(app, [projection.subscription(), use.subscription()], exports, rebuilds, engine.search)
