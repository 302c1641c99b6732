"""Keeps what reviews teach: a projection of review.done, which may be replayed, and without what was erased.

Three steps, each harmless to repeat: note which names the figure speaks of, old and new; change these; note only the
new ones. Whoever dies in between, or erases the figure meanwhile, leaves nothing of it that nobody knows of.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from services.recommender import learned
from services.recommender.following import MOST_ITEMS, Following, following
from services.recommender.learned import Lesson, Thresholds
from services.recommender.model import FigureLessons, Judgement, LearnedName, ScoreSwitch
from services.recommender.recalibration import MOST_FIGURES, Evidence, Recalibration, fitted, judgement, together
from shared.documents.pages import every, pages
from shared.documents.port import Collection, Documents, Page, Range
from shared.errors import Erased, NotFound
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.review import ReviewDone
from shared.traces import Traces
from shared.vocabulary.artefact import Vocabularies

PAGE: Final = 500


class Learning:
    """Over the documents port."""

    def __init__(self, documents: Documents, least: Thresholds) -> None:
        self._names: Collection[LearnedName] = documents.collection(LearnedName)
        self._lessons: Collection[FigureLessons] = documents.collection(FigureLessons)
        self._judgements: Collection[Judgement] = documents.collection(Judgement)
        self._switches: Collection[ScoreSwitch] = documents.collection(ScoreSwitch)
        self.least = least

    async def learn(self, events: Sequence[Event]) -> None:
        """Of review.done. The highest revision of a figure's review stands."""
        judged = [judgement(event) for event in events if isinstance(event, ReviewDone)]
        await self._judgements.upsert_many(judged, newest_by=("revision",))
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
                judged = await self._judgements.get_many([event.figure])
                await self._judgements.erase(event.figure)
                await self._take_out(event.figure, known.names)
                await self._lessons.erase(event.figure)
                taught = taught or bool(known.names) or any(one.cells for one in judged)
        return taught

    async def traces(self, figures: Sequence[str]) -> Traces:
        """How often these figures speak of a learned name."""
        return Traces(counts={"lessons": sum(len(one.names) for one in await self._lessons.get_many(figures))})

    async def names(self, after: str | None, limit: int, *, project: str | None = None) -> Page[LearnedName]:
        """All that a figure still says something of, those that most figures speak of first; of one project, or all."""
        where: dict[str, str | Range] = {"figures": Range(gte=1)}
        if project is not None:
            where["project"] = project
        return await self._names.find(where, sort=("-figures",), after=after, limit=limit)

    async def switch(self, id: str, *, off_by: str) -> LearnedName:
        """Switches a name off, or on again (""). Raises NotFound."""
        return await self._names.update(id, lambda one: (one.changed(disabled_by=off_by), ()))

    async def scope(self, id: str, *, widened_by: str) -> LearnedName:
        """Lets a name apply to all projects, or to its own again (""). Raises NotFound."""
        return await self._names.update(id, lambda one: (one.changed(widened_by=widened_by), ()))

    async def evidence(self) -> dict[str, Evidence]:
        """What decided recommendations say of scores, by project, of its newest `MOST_FIGURES` figures; where all learn
        together, of all projects' for each."""
        projects = await self._judgements.count_by("project")
        if self.least.everywhere:
            of_all = together(await self._judged({}))
            return dict.fromkeys(sorted(projects), of_all)
        return {project: together(await self._judged({"project": project})) for project in sorted(projects)}

    async def switched_off(self) -> dict[str, str]:
        """By whom, of each project whose scores an administrator leaves as the model gives them."""
        switches = every(self._switches, limit=PAGE)
        return {one.id: one.disabled_by async for one in switches if one.disabled_by}

    async def switch_scores(self, project: str, *, off_by: str) -> None:
        """Switches the recalibration of a project off, or on again ("")."""
        await self._switches.update(
            project, lambda one: (one.changed(disabled_by=off_by), ()), initial=ScoreSwitch(id=project)
        )

    async def scores(self) -> dict[str, Recalibration]:
        """The recalibrations in force, by project."""
        off = await self.switched_off()
        return {
            project: fitted(evidence)
            for project, evidence in (await self.evidence()).items()
            if project not in off and self.speaks(evidence)
        }

    def speaks(self, evidence: Evidence) -> bool:
        """Whether enough was decided, in enough articles, by enough people."""
        return evidence.enough(articles=self.least.articles, people=self.least.people)

    async def _judged(self, where: dict[str, str]) -> list[Judgement]:
        found: list[Judgement] = []
        async for page in pages(self._judgements, where, sort=("-at",), limit=PAGE):
            found += page
            if len(found) >= MOST_FIGURES:
                break
        return found[:MOST_FIGURES]

    async def in_force(self, vocabularies: Vocabularies) -> Following:
        """What follows from all names, for these vocabularies."""
        return following([*await self._all("accepted"), *await self._all("rejected")], vocabularies, self.least)

    async def _all(self, verdict: str) -> list[LearnedName]:
        found: list[LearnedName] = []
        enough = {verdict: Range(gte=self.least.figures)}
        async for page in pages(self._names, enough, sort=(f"-{verdict}",), limit=PAGE):
            found += page
            if len(found) >= MOST_ITEMS:
                break
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
