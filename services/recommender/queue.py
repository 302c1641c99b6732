"""Documents are the queue: a wish is a document in state `waiting`, and whichever process finds it does it, as long as
it lives (see `shared.leases`)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import structlog

from services.recommender.model import Work
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.port import Collection, In
from shared.errors import DeadlineExceeded, NotFound, PermanentError, TransientError
from shared.leases import held, silent

UNFINISHED: Final = In(("waiting", "running"))

log = structlog.get_logger()

W = TypeVar("W", bound=Work)


class Queue(Generic[W]):
    """Those of one collection, the oldest first."""

    def __init__(
        self,
        documents: Collection[W],
        *,
        one_at_a_time: bool = False,
        failed: Callable[[W], Awaitable[None]] | None = None,
    ) -> None:
        """`one_at_a_time`: the next is made of the one before, whoever does that. `failed`: what to do when one did."""
        self._documents = documents
        self._one_at_a_time = one_at_a_time
        self._failed = failed
        self._run = new_id()

    async def unfinished(self) -> list[W]:
        """What waits or is being done, the oldest first."""
        page = await self._documents.find({"state": UNFINISHED}, limit=1000)
        return sorted(page.items, key=lambda one: one.created_at)

    async def work(self, how: Callable[[W], Awaitable[None]]) -> bool:
        """Does the oldest that waits, or was left by a process that died; whether there was one. Raises TransientError
        where it waits on."""
        one = await self._claimed()
        if one is None:
            return False
        try:
            await how(one)
        except (PermanentError, DeadlineExceeded) as error:
            await self._fail(one.id, str(error))
        except TransientError as error:
            log.warning("vocabulary waits", id=one.id, error=str(error))
            raise
        except Exception:
            log.exception("vocabulary failed", id=one.id)
            await self._fail(one.id, "It failed for a reason that only the server's log tells.")
        return True

    @asynccontextmanager
    async def beating(self, id: str, progress: Path | None = None) -> AsyncIterator[None]:
        """Meanwhile the document says that it is alive, and how far it is."""

        async def say() -> None:
            await self._documents.update(id, partial(_alive, rows=_rows(progress) if progress else None))

        async with held(say):
            yield

    async def _claimed(self) -> W | None:
        for found in await self.unfinished():
            claimed = await self._documents.update(
                found.id,
                lambda one: (
                    one.changed(state="running", run=self._run, alive_at=now()) if self._free(one) else one,
                    (),
                ),
            )
            if claimed.state == "running" and claimed.run == self._run:
                return claimed
            if self._one_at_a_time and claimed.state == "running":
                return None
        return None

    def _free(self, one: W) -> bool:
        lost = one.run == self._run or silent(one.alive_at, now())
        return one.state == "waiting" or (one.state == "running" and lost)

    async def _fail(self, id: str, problem: str) -> None:
        with suppress(NotFound):
            failed = await self._documents.update(id, lambda one: (one.changed(state="failed", problem=problem), ()))
            if self._failed is not None:
                await self._failed(failed)


async def drop_upload(upload: str | None, readers: Sequence[Collection[Any]], blobs: Blobs) -> None:
    """Deletes what was sent, unless another import of the same file still reads it."""
    for reader in readers:
        if upload and await reader.count({"state": UNFINISHED, "upload": upload}):
            return
    if upload:
        await blobs.delete(upload)


def _alive(one: W, *, rows: int | None) -> tuple[W, tuple[()]]:
    return one.changed(alive_at=now(), **({} if rows is None else {"rows": rows})), ()


def _rows(progress: Path) -> int | None:
    try:
        return int(progress.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
