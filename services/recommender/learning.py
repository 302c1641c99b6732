"""Keeps what reviews teach: a projection of review.done, which may be replayed, and without what was erased.

Three steps, each harmless to repeat: note which names the figure speaks of, old and new; change these; note only the
new ones. Whoever dies in between, or erases the figure meanwhile, leaves nothing of it that nobody knows of.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from services.recommender import learned
from services.recommender.following import MOST_ITEMS, following
from services.recommender.learned import Lesson, Thresholds
from services.recommender.model import FigureLessons, LearnedName
from services.recommender.taught import InForce
from shared.documents.port import Collection, Documents, Page, Range
from shared.errors import Erased, NotFound
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.review import ReviewDone
from shared.vocabulary.artefact import Vocabularies

PAGE: Final = 500


class Learning:
    """Over the documents port."""

    def __init__(self, documents: Documents, least: Thresholds) -> None:
        self._names: Collection[LearnedName] = documents.collection(LearnedName)
        self._lessons: Collection[FigureLessons] = documents.collection(FigureLessons)
        self.least = least

    async def learn(self, events: Sequence[Event]) -> None:
        """Of review.done. The highest revision of a figure's review stands."""
        for event in events:
            if isinstance(event, ReviewDone):
                await self._learn(event)

    async def forget(self, events: Sequence[Event]) -> bool:
        """Of image.deleted: what the figure taught goes, and nothing can be taught by it again. Whether one had taught
        something."""
        taught = False
        for event in events:
            if isinstance(event, ImageDeleted):
                try:
                    known = await self._lessons.get(event.figure)
                except Erased:
                    continue
                except NotFound:
                    known = FigureLessons(id=event.figure)
                await self._take_out(event.figure, known.names)
                await self._lessons.erase(event.figure)
                taught = taught or bool(known.names)
        return taught

    async def names(self, after: str | None, limit: int) -> Page[LearnedName]:
        """All that a figure still says something of, those that most figures speak of first."""
        return await self._names.find({"figures": Range(gte=1)}, sort=("-figures",), after=after, limit=limit)

    async def switch(self, id: str, *, off_by: str) -> LearnedName:
        """Switches a name off, or on again (""). Raises NotFound."""
        return await self._names.update(id, lambda one: (one.changed(disabled_by=off_by), ()))

    async def in_force(self, vocabularies: Vocabularies) -> InForce:
        """What follows from all names, for these vocabularies."""
        return following([*await self._all("accepted"), *await self._all("rejected")], vocabularies, self.least)

    async def _all(self, verdict: str) -> list[LearnedName]:
        found: list[LearnedName] = []
        after: str | None = None
        while True:
            page = await self._names.find(
                {verdict: Range(gte=self.least.figures)}, sort=(f"-{verdict}",), after=after, limit=PAGE
            )
            found += page.items
            after = page.next
            if after is None or len(found) >= MOST_ITEMS:
                return found

    async def _learn(self, event: ReviewDone) -> None:
        lessons = learned.lessons(event)
        try:
            before = await self._lessons.update(
                event.figure,
                lambda one: (
                    one if one.revision >= event.revision else one.changed(names=tuple(sorted({*one.names, *lessons}))),
                    (),
                ),
                initial=FigureLessons(id=event.figure),
            )
            if before.revision >= event.revision:
                return
            await self._take_out(event.figure, [id for id in before.names if id not in lessons])
            for id, lesson in lessons.items():
                await self._put_in(event, id, lesson)
            await self._lessons.update(
                event.figure,
                lambda one: (
                    one
                    if one.revision >= event.revision
                    else one.changed(revision=event.revision, names=tuple(sorted(lessons))),
                    (),
                ),
                initial=FigureLessons(id=event.figure),
            )
        except Erased:
            await self._take_out(event.figure, list(lessons))

    async def _put_in(self, event: ReviewDone, id: str, lesson: Lesson) -> None:
        await self._names.update(
            id,
            lambda one: (learned.taught(one, event.figure, lesson, event.article), ()),
            initial=learned.blank(event.project, id, lesson),
        )

    async def _take_out(self, figure: str, names: Sequence[str]) -> None:
        for id in names:
            with suppress(NotFound):  # noted, but its writer died before
                await self._names.update(id, lambda one: (learned.untaught(one, figure), ()))
