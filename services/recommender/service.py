"""recommender, wired: an annotator over the vocabularies in use, between two events."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import cast

import structlog
from starlette.types import ASGIApp

from services.recommender.answering import outcomes
from services.recommender.api import axes, bioportal, consents, learned, mappings, scores, vocabularies
from services.recommender.api.concepts import router
from services.recommender.by_project import ByProject, Settled
from services.recommender.choosing import Choice
from services.recommender.consents import Allowed, Consents
from services.recommender.consumers import Maker, ready
from services.recommender.learned import Thresholds
from services.recommender.learning import Learning
from services.recommender.loading import Library
from services.recommender.metadata import VERSION as TAGS_VERSION
from services.recommender.metadata import TechnicalTags
from services.recommender.model import MODELS, Generation
from services.recommender.refreshing import Refreshing
from services.recommender.site_mappings import SiteMappings
from services.recommender.vocabularies import SiteVocabularies
from shared import kept, metrics, traces
from shared.bus.port import Subscription
from shared.documents.port import Collection
from shared.engine import Engine
from shared.errors import TransientError, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from shared.events.review import ReviewDone
from shared.http import add_routes, door
from shared.tasks import ended, rung
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
        choice: Choice,
        *,
        least: Thresholds,
        learn_seconds: float,
    ) -> None:
        self._library = library
        self._choice = choice
        self._consents = Consents(engine.documents)
        self._bus = engine.bus
        self._generations: Collection[Generation] = engine.documents.collection(Generation)
        self._wanted = asyncio.Event()
        self._site = SiteVocabularies(engine.documents, engine.blobs, library, wake=self._wanted.set)
        self._mappings = SiteMappings(engine.documents, engine.blobs, library, self._site, wake=self._wanted.set)
        self._learning = Learning(engine.documents, least)
        self._settled = Settled()
        self._learn_seconds = learn_seconds
        self._looked_at = 0.0  # when what is learned was looked at, by the loop's clock; 0: it is due
        self._refreshing = Refreshing(engine.bus, self._generations, engine.erasures, self._annotate)
        self._vocabularies: Vocabularies | None = None
        self._annotators: ByProject | None = None
        self._tags: TechnicalTags | None = None
        self._documents_away_until = 0.0  # as far as this process knows, by the loop's clock
        self._generation: int | None = None
        self._set: str | None = None  # that is loaded
        self._failed = False
        self._tasks: list[asyncio.Task[None]] = []
        self._one_at_a_time = asyncio.Lock()
        routes = router(self._loaded)
        add_routes(
            routes,
            vocabularies.router(self._site),
            mappings.router(self._mappings, engine.bus),
            learned.router(self._learning, self._loaded, self._look_again),
            consents.router(self._consents, choice.server, self._look_again),
            scores.router(self._learning, self._look_again),
            axes.router(self._site, self._loaded),
            bioportal.router(self._loaded),
            traces.router(self._learning.traces),
            kept.router(engine.documents, MODELS),
        )
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
        self._choice.stop()
        await ended(*self._tasks)

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
            await rung(self._wanted, seconds=POLL_SECONDS)

    async def _follow(self) -> None:
        """Loads the set that is in use, where it is not the one that is loaded."""
        wanted = await self._site.current()
        if wanted != self._set:
            site = await self._site.prepared(wanted)
            vocabularies = await asyncio.to_thread(self._library.load, site)
            await self._use(vocabularies, await self._settle(vocabularies), wanted)
        elif (loaded := self._vocabularies) is not None:
            clock = asyncio.get_running_loop().time()
            if not self._looked_at or clock - self._looked_at >= self._learn_seconds:
                self._looked_at = clock
                settled = await self._settle(loaded)
                if settled != self._settled:
                    await self._use(loaded, settled, wanted)

    async def _settle(self, vocabularies: Vocabularies) -> Settled:
        return Settled(
            await self._learning.in_force(vocabularies), await self._learning.scores(), await self._allowed()
        )

    async def _allowed(self) -> Mapping[str, Allowed]:
        """The projects whose texts may leave the site; none where there is nobody to send them to."""
        return await self._consents.allowed() if self._choice.remote is not None else {}

    async def _work(self) -> None:
        if self._vocabularies is not None:
            await self._site.work()
            await self._mappings.work()
            if self._generation is not None:
                await self._refreshing.go_on(self._generation)

    async def _use(self, vocabularies: Vocabularies, settled: Settled, wanted: str) -> None:
        remote = self._choice.remote(vocabularies) if self._choice.remote is not None else None
        annotators = ByProject(self._choice.local(vocabularies), settled, remote=remote, alone=self._choice.alone)
        tags = TechnicalTags(vocabularies)
        version = f"{annotators.version}+{TAGS_VERSION}"
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
            self._generation = generation.number
            self._tags = tags
            self._annotators = annotators
            self._vocabularies = vocabularies
            self._settled = settled
            self._set = wanted
        log.info(
            "vocabularies loaded",
            concepts=len(vocabularies),
            learned=len(settled.names.site.names),
            suppressed=len(settled.names.site.suppressed),
            projects=len({*settled.names.projects, *settled.scores, *settled.allowed}),
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
        current = await self._current()
        if current != self._set:
            # Another process may have annotated all legends with the newer ones already.
            self._wanted.set()
            raise Unavailable("vocabularies", "Newer vocabularies are being loaded.")
        await self._annotate(cast("Sequence[LegendTokenized]", events))

    async def _current(self) -> str | None:
        """The set in use. While documents are away nobody can put another into use, and legends need nothing else of
        them. That they are away takes seconds to find out: not for each batch again."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._documents_away_until:
            return self._set
        try:
            return await self._site.current()
        except TransientError:
            self._documents_away_until = loop.time() + RETRY_SECONDS
            return self._set

    async def _annotate(self, causes: Sequence[LegendTokenized]) -> None:
        # Asked each time: a consent that was taken back must hold from that moment on, in every process.
        if await self._allowed() != self._settled.allowed:
            self._look_again()
            raise Unavailable("consents", "It was said anew what may be sent to BioPortal.")
        async with self._one_at_a_time:
            with metrics.ANNOTATOR_SECONDS.time():
                made = await asyncio.to_thread(self._made, causes)
        await self._bus.publish(made)
        for one in made:
            metrics.LEGENDS_ANNOTATED.labels(one.state).inc()

    def _made(self, causes: Sequence[LegendTokenized]) -> list[RecommendationsReady]:
        annotators, tags, generation = self._annotators, self._tags, self._generation
        # Set before the vocabularies are.
        assert annotators is not None and tags is not None and generation is not None  # noqa: S101, PT018
        versions = self._loaded().versions
        made: dict[int, RecommendationsReady] = {}
        for project in dict.fromkeys(cause.project for cause in causes):
            places = [place for place, cause in enumerate(causes) if cause.project == project]
            maker = Maker(generation, f"{annotators.version_of(project)}+{TAGS_VERSION}", versions)
            said = outcomes(
                annotators.annotator(project), tags, [causes[place] for place in places], annotators.scores(project)
            )
            made |= {place: ready(causes[place], one, maker) for place, one in zip(places, said, strict=True)}
        return [made[place] for place in range(len(causes))]

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
        if self._annotators is not None:
            async with self._one_at_a_time:
                self._annotators.forget()


def build(
    engine: Engine,
    *,
    library: Library,
    choice: Choice = Choice(),  # noqa: B008 - immutable
    least: Thresholds = Thresholds(),  # noqa: B008 - frozen
    learn_seconds: float = LEARN_SECONDS,
) -> Recommender:
    """`library` has the vocabularies; it may take seconds and runs in a thread. `choice`: the annotators
    that are asked, of which a remote one for projects that allow it. `least`: what an item needs to be learned;
    `learn_seconds`: how long what was learned waits for more at most."""
    return Recommender(engine, library, choice, least=least, learn_seconds=learn_seconds)
