"""Rebuilds of the search index from the records, one at a time over all processes, while events and searches go on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import structlog

from services.export.indexing import Indexing
from services.export.model import FigureRecord, Rebuild
from shared import clock, leases
from shared.documents.port import Collection
from shared.errors import Conflict, MitaggerError, NotFound, TransientError
from shared.search.port import Search
from shared.tasks import Background

PAGE: Final = 1000
AT_ONCE: Final = 5000  # figures that are handed to the index together: a task of Meilisearch costs as much as 200
TRIES: Final = 120  # of each step, while a dependency is down
RETRY_SECONDS: Final = 5.0

T = TypeVar("T")

log = structlog.get_logger()


class Rebuilds:
    """The rebuild, if one goes on. Its document says who does it; one whose process died is begun again by the next
    process that starts, or that is asked."""

    def __init__(
        self, figures: Collection[FigureRecord], rebuilds: Collection[Rebuild], search: Search, indexing: Indexing
    ) -> None:
        self._figures = figures
        self._rebuilds = rebuilds
        self._search = search
        self._indexing = indexing
        self._tasks = Background()

    async def start(self) -> None:
        """Watches over a rebuild that was left running."""
        self._tasks.begin(self._take_up(), "rebuild")

    async def stop(self) -> None:
        """A running one stays so on record, for whoever takes it up."""
        await self._tasks.ended()

    async def ask(self) -> Rebuild:
        """Begins one, unless one goes on: then that is the answer."""
        run = clock.new_id()
        rebuild = await self._rebuilds.update(
            Rebuild.ID,
            lambda known: (known if goes_on(known, clock.now()) else _begun(run), ()),
            initial=Rebuild(id=Rebuild.ID),
        )
        if rebuild.run == run:
            self._tasks.begin(self._run(run), "rebuild")
        return rebuild

    async def get(self) -> Rebuild:
        """The last one. Raises NotFound when there never was any."""
        return await self._rebuilds.get(Rebuild.ID)

    async def _take_up(self) -> None:
        while True:
            try:
                rebuild = await self.get()
                if rebuild.state != "running":
                    return
                if not goes_on(rebuild, clock.now()):
                    await self.ask()
                    return
            except NotFound:
                return
            except TransientError:
                pass  # readiness says it
            await asyncio.sleep(leases.BEAT_SECONDS)

    async def _run(self, run: str) -> None:
        try:
            async with leases.held(partial(self._mark, run)):
                await self._fill(run)
        except Conflict as lost:
            log.warning("rebuild given up", reason=str(lost))
            await self._end(run, "failed", str(lost))
        except MitaggerError as error:
            log.warning("rebuild failed", error=str(error))
            await self._end(run, "failed", str(error))
        except Exception:
            log.exception("rebuild failed")
            await self._end(run, "failed", "It failed for a reason that only the server's log tells.")
        else:
            await self._end(run, "done", "")

    async def _fill(self, run: str) -> None:
        await self._search.begin()
        cursor: str | None = None
        some: list[str] = []
        while True:
            # In order of id, which never changes: a figure that comes meanwhile is written by who records it.
            page = await _patiently(partial(self._figures.find, after=cursor, limit=PAGE))
            some += [record.id for record in page.items]
            cursor = page.next
            if len(some) >= AT_ONCE or cursor is None:
                await _patiently(partial(self._indexing.fill, some))
                await _patiently(partial(self._mark, run, figures=len(some)))
                some = []
            if cursor is None:
                break
        await self._search.switch()

    async def _mark(self, run: str, figures: int = 0) -> None:
        """Says that this run lives. Raises Conflict when another has taken over, who would be disturbed."""

        def change(known: Rebuild) -> tuple[Rebuild, tuple[()]]:
            if known.run != run:
                raise Conflict("Another process has begun the rebuild again.")
            return known.changed(alive_at=clock.now(), figures=known.figures + figures), ()

        await self._rebuilds.update(Rebuild.ID, change)

    async def _end(self, run: str, state: str, problem: str) -> None:
        def change(known: Rebuild) -> tuple[Rebuild, tuple[()]]:
            return known.changed(state=state, problem=problem) if known.run == run else known, ()

        await _patiently(partial(self._rebuilds.update, Rebuild.ID, change))


async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
    """Takes a step that may be repeated, again and again while a dependency is down. Raises what the last try does."""
    for _ in range(TRIES):
        try:
            return await step()
        except TransientError as error:
            log.warning("rebuild waits", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)
    return await step()


def goes_on(rebuild: Rebuild, at: datetime) -> bool:
    """Whether somebody is at it, as far as its document tells."""
    return rebuild.state == "running" and not leases.silent(rebuild.alive_at, at)


def _begun(run: str) -> Rebuild:
    at = clock.now()
    return Rebuild(id=Rebuild.ID, run=run, state="running", started_at=at, alive_at=at)
