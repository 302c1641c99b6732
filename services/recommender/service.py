"""recommender, wired: an annotator over the vocabularies in use, between two events."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import structlog
from starlette.types import ASGIApp

from services.recommender import axes_api, bioportal_api, learned_api, vocabularies_api
from services.recommender.annotator import Annotator
from services.recommender.answering import outcomes
from services.recommender.api import router
from services.recommender.consumers import Maker, ready
from services.recommender.learned import Thresholds
from services.recommender.learning import Learning
from services.recommender.loading import Library
from services.recommender.local import LocalAnnotator
from services.recommender.memory import Remembering
from services.recommender.metadata import VERSION as TAGS_VERSION
from services.recommender.metadata import TechnicalTags
from services.recommender.model import MODELS, Generation
from services.recommender.refreshing import Refreshing
from services.recommender.taught import InForce, Taught
from services.recommender.vocabularies import SiteVocabularies
from shared import kept, metrics
from shared.bus.port import Subscription
from shared.documents.port import Collection
from shared.engine import Engine
from shared.errors import TransientError, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from shared.events.review import ReviewDone
from shared.http import door
from shared.vocabulary.artefact import Vocabularies

CURRENT = "current"
RETRY_SECONDS = 5.0
POLL_SECONDS = 2.0
# What was learned meanwhile comes into use together: each time all legends are annotated again.
LEARN_SECONDS = 60.0

log = structlog.get_logger()


class Recommender:
    """Implements `shared.service.Service`. Vocabularies load in the background (seconds when they are compiled for the
    first time); until then events wait, and readiness says for what. When another set of vocabularies comes into use,
    every process loads it beside the old one, then switches."""

    name = "recommender"

    def __init__(
        self,
        engine: Engine,
        library: Library,
        over: Callable[[Vocabularies], Annotator],
        stop: Callable[[], None],
        *,
        least: Thresholds,
        learn_seconds: float,
    ) -> None:
        self._library = library
        self._over = over
        self._give_up = stop
        self._bus = engine.bus
        self._generations: Collection[Generation] = engine.documents.collection(Generation)
        self._wanted = asyncio.Event()
        self._site = SiteVocabularies(engine.documents, engine.blobs, library, wake=self._wanted.set)
        self._learning = Learning(engine.documents, least)
        self._learned = InForce()
        self._learn_seconds = learn_seconds
        self._looked_at = 0.0  # when what is learned was looked at, by the loop's clock; 0: it is due
        self._refreshing = Refreshing(engine.bus, self._generations, engine.erasures, self._annotate)
        self._vocabularies: Vocabularies | None = None
        self._annotator: Remembering | None = None
        self._tags: TechnicalTags | None = None
        self._maker: Maker | None = None
        self._set: str | None = None  # that is loaded
        self._failed = False
        self._tasks: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()
        routes = router(self._loaded)
        routes.include_router(vocabularies_api.router(self._site))
        routes.include_router(learned_api.router(self._learning, self._loaded, self._look_again))
        routes.include_router(axes_api.router(self._site, self._loaded))
        routes.include_router(bioportal_api.router(self._loaded))
        routes.include_router(kept.router(engine.documents, MODELS))
        self.app: ASGIApp | None = door(
            "recommender",
            routes,
            signer=engine.signer,
            description="Vocabularies, concepts, recommendations.",
        )
        self.subscriptions: tuple[Subscription, ...] = (
            Subscription("recommender", (LegendTokenized,), self._recommend, batch=50),
            Subscription("recommender.learning", (ReviewDone,), self._learn),
            Subscription("recommender.erasure", (ImageDeleted,), self._forget),
        )

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._again_and_again(self._follow), name="load vocabularies"),
            asyncio.create_task(self._again_and_again(self._work), name="work on vocabularies"),
        ]

    async def stop(self) -> None:
        self._give_up()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _again_and_again(self, step: Callable[[], Awaitable[None]]) -> None:
        """Whatever fails: an administrator may roll back what cannot be loaded, a disk may be mended."""
        while True:
            try:
                await step()
            except TransientError:
                log.exception("vocabularies wait")
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                log.exception("vocabularies failed")
                self._failed = self._vocabularies is None
                await asyncio.sleep(RETRY_SECONDS)
            self._wanted.clear()
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _follow(self) -> None:
        """Loads the set that is in use, where it is not the one that is loaded."""
        wanted = await self._site.current()
        if wanted != self._set:
            site = await self._site.prepared(wanted)
            vocabularies = await asyncio.to_thread(self._library.load, site)
            await self._use(vocabularies, await self._learning.in_force(vocabularies), wanted)
        elif (loaded := self._vocabularies) is not None:
            clock = asyncio.get_running_loop().time()
            if not self._looked_at or clock - self._looked_at >= self._learn_seconds:
                self._looked_at = clock
                learned = await self._learning.in_force(loaded)
                if learned.version != self._learned.version:
                    await self._use(loaded, learned, wanted)

    async def _work(self) -> None:
        if self._vocabularies is not None:
            await self._site.work()
            if self._maker is not None:
                await self._refreshing.go_on(self._maker)

    async def _use(self, vocabularies: Vocabularies, learned: InForce, wanted: str) -> None:
        annotator, tags = Taught(self._over(vocabularies), learned), TechnicalTags(vocabularies)
        version = f"{annotator.version}+{TAGS_VERSION}"
        generation = await self._generations.update(
            CURRENT,
            lambda old: (
                old
                if old.annotator == version
                else old.changed(
                    number=old.number + 1,
                    annotator=version,
                    vocabularies=vocabularies.versions,
                    refreshed=old.refreshed if old.number else 1,  # nothing was annotated before the first
                ),
                (),
            ),
            initial=Generation(id=CURRENT),
        )
        async with self._one_at_a_time:
            self._maker = Maker(generation.number, version, vocabularies.versions)
            self._tags = tags
            self._annotator = Remembering(annotator)
            self._vocabularies = vocabularies
            self._learned = learned
            self._set = wanted
        log.info(
            "vocabularies loaded",
            concepts=len(vocabularies),
            learned=len(learned.names),
            suppressed=len(learned.suppressed),
            generation=generation.number,
        )

    def _loaded(self) -> Vocabularies:
        if self._vocabularies is None:
            raise Unavailable(
                "vocabularies",
                "The vocabularies could not be loaded." if self._failed else "The vocabularies are being loaded.",
                remedy="See the server's log." if self._failed else "Try again in a few seconds.",
            )
        return self._vocabularies

    async def _recommend(self, events: Sequence[Event]) -> None:
        self._loaded()
        try:
            current: str | None = await self._site.current()
        except TransientError:
            # While documents are away nobody can put another set into use; legends need nothing else of them.
            current = self._set
        if current != self._set:
            # Another process may have annotated all legends with the newer ones already.
            self._wanted.set()
            raise Unavailable("vocabularies", "Newer vocabularies are being loaded.")
        await self._annotate(cast("Sequence[LegendTokenized]", events))

    async def _annotate(self, causes: Sequence[LegendTokenized]) -> None:
        async with self._one_at_a_time:
            with metrics.ANNOTATOR_SECONDS.time():
                made = await asyncio.to_thread(self._made, causes)
        await self._bus.publish(made)
        for one in made:
            metrics.LEGENDS_ANNOTATED.labels(one.state).inc()

    def _made(self, causes: Sequence[LegendTokenized]) -> list[RecommendationsReady]:
        annotator, tags, maker = self._annotator, self._tags, self._maker
        # Set before the vocabularies are.
        assert annotator is not None and tags is not None and maker is not None  # noqa: S101, PT018
        said = outcomes(annotator, tags, causes)
        return [ready(cause, one, maker) for cause, one in zip(causes, said, strict=True)]

    async def _learn(self, events: Sequence[Event]) -> None:
        await self._learning.learn(events)
        self._wanted.set()

    def _look_again(self) -> None:
        self._looked_at = 0.0
        self._wanted.set()

    async def _forget(self, events: Sequence[Event]) -> None:
        """What is remembered of texts, and was learned from them, goes when figures are erased."""
        if await self._learning.forget(events):
            self._look_again()
        if self._annotator is not None:
            async with self._one_at_a_time:
                self._annotator.forget()


def build(
    engine: Engine,
    *,
    library: Library,
    over: Callable[[Vocabularies], Annotator] = LocalAnnotator,
    stop: Callable[[], None] = lambda: None,
    least: Thresholds = Thresholds(),  # noqa: B008 - frozen
    learn_seconds: float = LEARN_SECONDS,
) -> Recommender:
    """`library` has the vocabularies; it may take seconds and runs in a thread. `over` makes the annotator over them,
    on the event loop; `stop` makes it give up what it waits for. `least`: what an item needs to be learned;
    `learn_seconds`: how long what was learned waits for more at most."""
    return Recommender(engine, library, over, stop, least=least, learn_seconds=learn_seconds)
