"""The event door: read models of figures and recommendations, and erasure. Every handler may run twice, and late."""

from collections.abc import Sequence
from typing import Final

from services.annotation.holding import Holding
from services.annotation.measures import Measures
from services.annotation.model import (
    Adjudication,
    Assignment,
    Comment,
    Figure,
    Held,
    HistoryEntry,
    Recommendations,
    Review,
    Waiting,
)
from shared.bus.port import Subscription
from shared.documents.port import Collection, Documents
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from shared.events.recommendation import RecommendationsReady

_PAGE: Final = 500


class Projections:
    """Handlers over the service's documents."""

    def __init__(self, documents: Documents) -> None:
        self._measures = Measures(documents)
        self._figures: Collection[Figure] = documents.collection(Figure)
        self._recommendations: Collection[Recommendations] = documents.collection(Recommendations)
        self._held: Collection[Held] = documents.collection(Held)
        self._holding = Holding(documents)
        self._assignments: Collection[Assignment] = documents.collection(Assignment)
        self._history: Collection[HistoryEntry] = documents.collection(HistoryEntry)
        self._comments: Collection[Comment] = documents.collection(Comment)
        self._waiting: Collection[Waiting] = documents.collection(Waiting)
        self._adjudications: Collection[Adjudication] = documents.collection(Adjudication)
        self._reviews: Collection[Review] = documents.collection(Review)

    def subscriptions(self) -> tuple[Subscription, ...]:
        return (
            Subscription("annotation.figures", (ImageUploaded,), self.uploaded),
            Subscription("annotation.recommendations", (RecommendationsReady,), self.recommended),
            Subscription("annotation.erasure", (ImageDeleted,), self.deleted),
        )

    async def uploaded(self, events: Sequence[Event]) -> None:
        """Keeps the figure of the highest revision."""
        figures = [_figure(event) for event in events if isinstance(event, ImageUploaded)]
        await self._figures.upsert_many(figures, newest_by=("revision",))

    async def recommended(self, events: Sequence[Event]) -> None:
        """Keeps the recommendations of the highest (revision, generation). What opened assignments show is held
        elsewhere (`holding`): they are offered what is newer."""
        ready = [event for event in events if isinstance(event, RecommendationsReady)]
        sets = [_recommendations(event) for event in ready]
        await self._recommendations.upsert_many(sets, newest_by=("revision", "generation"))
        if ready:
            await self._holding.offer(list({event.figure for event in ready}), ready[-1].actor)

    async def deleted(self, events: Sequence[Event]) -> None:
        """Erases the figure and all that was made of it. The figure goes first: from then on nothing new is made."""
        for event in events:
            await self._figures.erase(event.figure)
            await self._recommendations.erase(event.figure)
            await self._held.erase(event.figure)
            await self._waiting.erase(event.figure)
            await _erase_all(self._assignments, event.figure)
            await _erase_all(self._history, event.figure)
            await _erase_all(self._comments, event.figure)
            await self._adjudications.erase(event.figure)
            await self._reviews.erase(event.figure)
        await self._measures.forget([event.figure for event in events])


async def _erase_all(
    collection: Collection[Assignment] | Collection[HistoryEntry] | Collection[Comment], figure: str
) -> None:
    while (page := await collection.find({"figure": figure}, limit=_PAGE)).items:
        for document in page.items:
            await collection.erase(document.id)


def _figure(event: ImageUploaded) -> Figure:
    return Figure(
        id=event.figure,
        project=event.project,
        revision=event.revision,
        article=event.article,
        label=event.label,
        legend=event.legend,
        legend_kind=event.legend_kind,
        language=event.language,
        picture=event.picture,
        external_id=event.external_id,
        withheld=event.withheld,
    )


def _recommendations(event: RecommendationsReady) -> Recommendations:
    return Recommendations(
        id=event.figure,
        project=event.project,
        revision=event.revision,
        generation=event.generation,
        state=event.state,
        reason=event.reason,
        annotator=event.annotator,
        vocabularies=event.vocabularies,
        items=tuple(event.recommendations),
    )
