"""The annotation service, wired: assignments, decisions, reviews."""

from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp

from services.annotation.api import router
from services.annotation.consumers import Projections
from services.annotation.distribution import Distribution
from services.annotation.model import MODELS
from services.annotation.workbench import Workbench
from shared import kept
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import door

log = structlog.get_logger()


class AnnotationService:
    """See `shared.service.Service`."""

    name = "annotation"

    def __init__(self, app: ASGIApp, subscriptions: Sequence[Subscription], workbench: Workbench) -> None:
        self.app: ASGIApp | None = app
        self.subscriptions = subscriptions
        self._workbench = workbench

    async def start(self) -> None:
        """Completes verdicts that a dead process left half done."""
        settled = await self._workbench.settle_all()
        if settled:
            log.info("verdicts_recorded", count=settled)

    async def stop(self) -> None:
        """Nothing runs in the background."""


def build(engine: Engine) -> AnnotationService:
    """The service over these engines."""
    workbench = Workbench(engine.documents)
    routes = router(workbench, Distribution(engine.documents, workbench), engine)
    routes.include_router(kept.router(engine.documents, MODELS))
    app = door(
        "annotation",
        routes,
        signer=engine.signer,
        description="Assignments, decisions with history, reviews.",
    )
    return AnnotationService(app, Projections(engine.documents).subscriptions(), workbench)
