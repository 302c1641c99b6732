"""Erasing many figures in two steps: what would go is shown first, then confirmed by its number.

An erasure that was confirmed goes on until nothing of it is left, whoever dies meanwhile: the next start takes it up.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog

from services.ingest.figures import Figures
from services.ingest.model import Erasure, Figure, Import, Reject, Selection, StoredArticle
from shared.clock import new_id, now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, Page, Range, Where
from shared.errors import Conflict, MitaggerError, NotFound, TransientError
from shared.tasks import Background

VALID: Final = timedelta(hours=1)  # from proposal to confirmation
BATCH: Final = 50
RETRY_SECONDS: Final = 5.0

log = structlog.get_logger()


class Erasing:
    """The erasures of one store."""

    def __init__(self, documents: Documents, figures: Figures) -> None:
        self._erasures: Collection[Erasure] = documents.collection(Erasure)
        self._stored: Collection[Figure] = documents.collection(Figure)
        self._articles: Collection[StoredArticle] = documents.collection(StoredArticle)
        self._imports: Collection[Import] = documents.collection(Import)
        self._rejects: Collection[Reject] = documents.collection(Reject)
        self._figures = figures
        self._running = Background()

    async def start(self) -> None:
        """Goes on with what a stop or a crash left."""
        async for erasure in every(self._erasures, {"state": "running"}):
            self._follow(erasure)

    async def stop(self) -> None:
        """What is running stays so on record, for the next start."""
        await self._running.ended()

    async def propose(self, selection: Selection, *, project: str, actor: str) -> Erasure:
        """What would go, counted. Nothing is erased. Raises NotFound where the selection has no figure."""
        if selection.article is not None:
            article = await self._articles.get(selection.article)
            if article.project != project:
                raise NotFound("There is no such article.")
        figures = await self._count(selection, project)
        if not figures and selection.article is None and not selection.everything:
            raise NotFound("There is no such figure.", remedy="Look at the ids, or choose a later date.")
        erasure = Erasure(
            id=new_id(),
            project=project,
            selection=selection,
            figures=figures,
            actor=actor,
            created_at=now(),
            updated_at=now(),
        )
        return await self._erasures.insert(erasure)

    async def confirm(self, id: str, *, figures: int) -> Erasure:
        """Begins it. Raises Conflict when there are more or fewer figures than were shown, or it was proposed more than
        an hour ago; NotFound. Confirming twice is confirming once."""
        erasure = await self.get(id)
        if erasure.state == "proposed":
            if erasure.created_at < now() - VALID:
                raise Conflict("This was proposed more than an hour ago.", remedy="Propose it again and look again.")
            there = await self._count(erasure.selection, erasure.project)
            if not figures == erasure.figures == there:
                raise Conflict(
                    f"{figures} figures were confirmed, {erasure.figures} proposed, and there are {there}.",
                    remedy="Propose it again, look at what goes, and confirm that number.",
                )
            erasure = await self._erasures.update(id, _begun)
            self._follow(erasure)
        return erasure

    async def get(self, id: str) -> Erasure:
        """Raises NotFound."""
        return await self._erasures.get(id)

    async def page(self, *, project: str, after: str | None, limit: int) -> Page[Erasure]:
        """Newest first."""
        return await self._erasures.find({"project": project}, sort=("-created_at",), after=after, limit=limit)

    async def left(self, erasure: Erasure) -> int:
        """How many of its figures are there now."""
        return 0 if erasure.state == "done" else await self._count(erasure.selection, erasure.project)

    async def members(self, id: str, *, after: str | None, limit: int) -> tuple[list[str], str | None]:
        """The ids of its figures, page by page."""
        erasure = await self.get(id)
        if erasure.selection.figures is not None:
            return [one.id for one in await self._chosen(erasure.selection.figures, erasure.project)], None
        page = await self._stored.find(_where(erasure.selection, erasure.project), after=after, limit=limit)
        return [figure.id for figure in page.items], page.next

    async def _count(self, selection: Selection, project: str) -> int:
        if selection.figures is not None:
            return len(await self._chosen(selection.figures, project))
        return await self._stored.count(_where(selection, project))

    async def _chosen(self, ids: Sequence[str], project: str) -> list[Figure]:
        return [figure for figure in await self._stored.get_many(list(dict.fromkeys(ids))) if figure.project == project]

    def _follow(self, erasure: Erasure) -> None:
        self._running.begin(self._run(erasure), f"erasure {erasure.id}")

    async def _run(self, erasure: Erasure) -> None:
        while True:
            try:
                await self._erase(erasure)
                await self._erasures.update(erasure.id, _done)
                return
            except TransientError as error:
                log.warning("erasure waits", erasure=erasure.id, reason=str(error))
            except MitaggerError as error:
                log.error("erasure stands still", erasure=erasure.id, reason=str(error))
            except Exception:
                log.exception("erasure stands still", erasure=erasure.id)
            await asyncio.sleep(RETRY_SECONDS)

    async def _erase(self, erasure: Erasure) -> None:
        selection, project = erasure.selection, erasure.project
        await self._erase_figures(erasure)
        if selection.article is not None:
            await self._articles.erase(selection.article)
            await self._erase_figures(erasure)  # those that an import put there just before
        if selection.everything:
            # The names of imports, files and articles tell of what was there, too.
            await _erase_all(self._articles, {"project": project})
            while (page := await self._imports.find({"project": project}, limit=BATCH)).items:
                for job in page.items:
                    await _erase_all(self._rejects, {"job": job.id})
                    await self._imports.erase(job.id)

    async def _erase_figures(self, erasure: Erasure) -> None:
        while ids := await self._next(erasure.selection, erasure.project):
            for id in ids:
                with contextlib.suppress(NotFound):  # another process was first
                    await self._figures.erase(id, actor=erasure.actor)

    async def _next(self, selection: Selection, project: str) -> list[str]:
        if selection.figures is not None:
            return [figure.id for figure in await self._chosen(selection.figures, project)]
        page = await self._stored.find(_where(selection, project), limit=BATCH)
        return [figure.id for figure in page.items]


async def _erase_all(collection: Collection[StoredArticle] | Collection[Reject], where: Where) -> None:
    while (page := await collection.find(where, limit=BATCH)).items:
        for document in page.items:
            await collection.erase(document.id)


def _where(selection: Selection, project: str) -> Mapping[str, str | Range]:
    if selection.article is not None:
        return {"article.id": selection.article}
    if selection.before is not None:
        return {"project": project, "created_at": Range(lt=selection.before.isoformat())}
    return {"project": project}


def _begun(erasure: Erasure) -> tuple[Erasure, tuple[()]]:
    return (erasure.changed(state="running", updated_at=now()) if erasure.state == "proposed" else erasure), ()


def _done(erasure: Erasure) -> tuple[Erasure, tuple[()]]:
    return erasure.changed(state="done", updated_at=now()), ()
