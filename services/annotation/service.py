"""The annotation service, wired: assignments, decisions, reviews."""

from collections.abc import Sequence

import structlog
from starlette.types import ASGIApp

from services.annotation.adjudication import Adjudicating
from services.annotation.api import adjudicating, router
from services.annotation.consumers import Projections
from services.annotation.distribution import Distribution
from services.annotation.handouts import Handouts
from services.annotation.measures import Measures
from services.annotation.model import MODELS
from services.annotation.quality import Quality
from services.annotation.traces import Counting
from services.annotation.writing import Writing
from shared import kept, traces
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import add_routes, door

log = structlog.get_logger()


class AnnotationService:
    """See `shared.service.Service`."""

    name = "annotation"

    def __init__(
        self,
        app: ASGIApp,
        subscriptions: Sequence[Subscription],
        writing: Writing,
        measures: Measures,
        handouts: Handouts,
    ) -> None:
        self.app: ASGIApp | None = app
        self.subscriptions = subscriptions
        self._writing = writing
        self._measures = measures
        self._handouts = handouts

    async def start(self) -> None:
        """Completes verdicts that a dead process left half done."""
        settled = await self._writing.settle_all()
        if settled:
            log.info("verdicts_recorded", count=settled)
        await self._measures.start()
        await self._handouts.start()

    async def stop(self) -> None:
        await self._handouts.stop()
        await self._measures.stop()


def build(engine: Engine) -> AnnotationService:
    """The service over these engines."""
    measures, distribution = Measures(engine.documents), Distribution(engine.documents)
    handouts = Handouts(engine.documents, distribution)
    routes = router(distribution, handouts, Quality(engine.documents), measures, engine=engine)
    add_routes(
        routes,
        adjudicating.router(Adjudicating(engine.documents), engine),
        traces.router(Counting(engine.documents).traces),
        kept.router(engine.documents, MODELS),
    )
    app = door(
        "annotation",
        routes,
        signer=engine.signer,
        description="Assignments, decisions with history, reviews.",
    )
    subscriptions = Projections(engine.documents).subscriptions()
    return AnnotationService(app, subscriptions, Writing(engine.documents), measures, handouts)
