"""Export, put together: its documents, event door, jobs and HTTP door."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.types import ASGIApp

from services.export.api import router
from services.export.consumers import Projection
from services.export.jobs import Exports
from services.export.model import ExportJob, FigureRecord
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import door

NAME: Final = "export"


@dataclass(slots=True)
class ExportService:
    """Implements `shared.service.Service`."""

    app: ASGIApp | None
    subscriptions: Sequence[Subscription]
    exports: Exports
    name: str = NAME

    async def start(self) -> None:
        await self.exports.start()

    async def stop(self) -> None:
        await self.exports.stop()


def build(engine: Engine) -> ExportService:
    figures = engine.documents.collection(FigureRecord)
    exports = Exports(figures, engine.documents.collection(ExportJob), engine.blobs)
    projection = Projection(figures, engine.search, exports)
    app = door(NAME, router(exports, engine.search, engine.signer), signer=engine.signer)
    return ExportService(app=app, subscriptions=[projection.subscription()], exports=exports)
