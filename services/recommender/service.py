"""recommender, wired: an annotator over the vocabularies, between two events."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

import structlog
from starlette.types import ASGIApp

from services.recommender import bioportal_api
from services.recommender.annotator import Annotator
from services.recommender.answering import outcomes
from services.recommender.api import router
from services.recommender.consumers import Maker, ready
from services.recommender.local import LocalAnnotator
from services.recommender.memory import Remembering
from services.recommender.model import Generation
from shared import metrics
from shared.bus.port import Subscription
from shared.documents.port import Collection
from shared.engine import Engine
from shared.errors import TransientError, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from shared.http import door
from shared.vocabulary.artefact import Vocabularies

CURRENT = "current"
RETRY_SECONDS = 5.0

log = structlog.get_logger()


class Recommender:
    """Implements `shared.service.Service`. Vocabularies load in the background (seconds when they are compiled for the
    first time); until then events wait, and readiness says for what."""

    name = "recommender"

    def __init__(
        self,
        engine: Engine,
        load: Callable[[], Vocabularies],
        over: Callable[[Vocabularies], Annotator],
        stop: Callable[[], None],
    ) -> None:
        self._load = load
        self._over = over
        self._give_up = stop
        self._bus = engine.bus
        self._generations: Collection[Generation] = engine.documents.collection(Generation)
        self._vocabularies: Vocabularies | None = None
        self._annotator: Remembering | None = None
        self._maker: Maker | None = None
        self._loading: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        routes = router(self._loaded)
        routes.include_router(bioportal_api.router(self._loaded))
        self.app: ASGIApp | None = door(
            "recommender",
            routes,
            signer=engine.signer,
            description="Vocabularies, concepts, recommendations.",
        )
        self.subscriptions: tuple[Subscription, ...] = (
            Subscription("recommender", (LegendTokenized,), self._recommend, batch=50),
            Subscription("recommender.erasure", (ImageDeleted,), self._forget),
        )

    async def start(self) -> None:
        self._loading = asyncio.create_task(self._prepare(), name="load vocabularies")

    async def stop(self) -> None:
        self._give_up()
        if self._loading is not None:
            self._loading.cancel()
            await asyncio.gather(self._loading, return_exceptions=True)

    async def _prepare(self) -> None:
        while self._vocabularies is None:
            try:
                await self._use(await asyncio.to_thread(self._load))
            except TransientError:
                log.exception("vocabularies wait")
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("vocabularies cannot be loaded")
                raise

    async def _use(self, vocabularies: Vocabularies) -> None:
        annotator = self._over(vocabularies)
        generation = await self._generations.update(
            CURRENT,
            lambda old: (
                old
                if old.annotator == annotator.version
                else old.changed(
                    number=old.number + 1, annotator=annotator.version, vocabularies=vocabularies.versions
                ),
                (),
            ),
            initial=Generation(id=CURRENT),
        )
        self._maker = Maker(generation.number, annotator.version, vocabularies.versions)
        self._annotator = Remembering(annotator)
        self._vocabularies = vocabularies
        log.info("vocabularies loaded", concepts=len(vocabularies), generation=generation.number)

    def _loaded(self) -> Vocabularies:
        if self._vocabularies is None:
            failed = self._loading is not None and self._loading.done()
            raise Unavailable(
                "vocabularies",
                "The vocabularies could not be loaded." if failed else "The vocabularies are being loaded.",
                remedy="See the server's log." if failed else "Try again in a few seconds.",
            )
        return self._vocabularies

    async def _recommend(self, events: Sequence[Event]) -> None:
        self._loaded()
        async with self._one_at_a_time:
            with metrics.ANNOTATOR_SECONDS.time():
                made = await asyncio.to_thread(self._made, cast("Sequence[LegendTokenized]", events))
        await self._bus.publish(made)
        for one in made:
            metrics.LEGENDS_ANNOTATED.labels(one.state).inc()

    def _made(self, causes: Sequence[LegendTokenized]) -> list[RecommendationsReady]:
        annotator, maker = self._annotator, self._maker
        assert annotator is not None and maker is not None  # noqa: S101, PT018 - set before the vocabularies are
        return [ready(cause, said, maker) for cause, said in zip(causes, outcomes(annotator, causes), strict=True)]

    async def _forget(self, events: Sequence[Event]) -> None:
        """What is remembered of texts goes when figures are erased."""
        if self._annotator is not None:
            async with self._one_at_a_time:
                self._annotator.forget()


def build(
    engine: Engine,
    *,
    load: Callable[[], Vocabularies],
    over: Callable[[Vocabularies], Annotator] = LocalAnnotator,
    stop: Callable[[], None] = lambda: None,
) -> Recommender:
    """`load` gives the vocabularies; it may take seconds and runs in a thread. `over` makes the annotator over them, on
    the event loop; `stop` makes it give up what it waits for."""
    return Recommender(engine, load, over, stop)
