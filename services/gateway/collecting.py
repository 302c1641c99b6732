"""Files that nothing names: uploads that were never used, what a crash left. They go, once a day.

The gateway does it, since it writes uploads to the blobs and reaches every service. It asks each which files its
documents keep, and removes what is old and kept by none. docs/decisions/0022-collecting-files.md says why nothing in
use is ever lost to it: who names an upload does so within `shared.blobs.KEPT`, and here twice as long must have passed.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from services.gateway.model import MODELS, CollectionTime
from shared import metrics
from shared.access import DEFAULT_PROJECT, Caller
from shared.blobs import KEPT, Blobs
from shared.clock import now
from shared.documents.port import Documents
from shared.errors import Duplicate, MitaggerError, NotFound
from shared.grants import Signer
from shared.http import Hop
from shared.kept import PATH, Kept, kept
from shared.tasks import ended

GRACE: Final = 2 * KEPT
EVERY: Final = timedelta(days=1)
LOOK_SECONDS: Final = 3600.0
ID: Final = "files"
_COLLECTOR: Final = Caller("collector", {DEFAULT_PROJECT: frozenset({"administrator"})})

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Collected:
    """Of the files older than the grace: how many are kept, and how many, with how many bytes, nothing names."""

    kept: int
    unnamed: int
    bytes: int


class Collector:
    """Over the blobs of one installation. `keepers`: every service that has documents, by name."""

    def __init__(
        self,
        documents: Documents,
        blobs: Blobs,
        signer: Signer,
        keepers: Mapping[str, Hop],
        *,
        grace: timedelta = GRACE,
    ) -> None:
        self._documents = documents
        self._times = documents.collection(CollectionTime)
        self._blobs = blobs
        self._signer = signer
        self._keepers = keepers
        self._grace = grace
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """In the background: at once when the last time is a day ago, whoever did it; then daily."""
        self._task = asyncio.create_task(self._collect_on(), name="collector")

    async def stop(self) -> None:
        if self._task is not None:
            await ended(self._task)

    async def collect(self, *, dry_run: bool = False) -> Collected:
        """Removes them, or with `dry_run` only counts. Raises Unavailable, DeadlineExceeded, as soon as one of the
        services does not answer: then nothing was removed."""
        before = now() - self._grace
        unnamed = {bytes.fromhex(blob.sha256): blob.bytes async for blob in self._blobs.older(before)}
        seen = len(unnamed)
        if unnamed:
            async for file in self._kept():
                unnamed.pop(file, None)
        if dry_run:
            return Collected(seen - len(unnamed), len(unnamed), sum(unnamed.values()))
        removed = [size for file, size in unnamed.items() if await self._blobs.delete_older(file.hex(), before)]
        metrics.FILES_COLLECTED.inc(len(removed))
        await asyncio.to_thread(self._blobs.sweep, before)
        return Collected(seen - len(removed), len(removed), sum(removed))

    async def _kept(self) -> AsyncIterator[bytes]:
        after: str | None = ""
        while after is not None:
            page = await kept(self._documents, MODELS, after)
            for file in page.files:
                yield bytes.fromhex(file)
            after = page.next
        for hop in self._keepers.values():
            after = ""
            while after is not None:
                page = await self._asked(hop, after)
                for file in page.files:
                    yield bytes.fromhex(file)
                after = page.next

    async def _asked(self, hop: Hop, after: str) -> Kept:
        # Silence is not "none".
        otherwise = f"{hop.service} does not say which files it keeps"
        token = self._signer.token(_COLLECTOR, hop.service)
        return await hop.told(Kept, "GET", PATH, otherwise=otherwise, token=token, params={"after": after})

    async def _collect_on(self) -> None:
        while True:
            try:
                if await self._due():
                    done = await self.collect()
                    at = now()
                    await self._times.update(ID, lambda time, at=at: (time.changed(at=at), ()))  # type: ignore[misc]
                    if done.unnamed:
                        log.info("files collected", files=done.unnamed, bytes=done.bytes)
            except MitaggerError as error:
                log.warning("files are not collected; tried again in an hour", reason=str(error))
            except Exception:
                log.exception("files are not collected; tried again in an hour")
            await asyncio.sleep(LOOK_SECONDS)

    async def _due(self) -> bool:
        """Several gateways may find so at the same time: what one removed the others miss, and that is all."""
        try:
            return (await self._times.get(ID)).at < now() - EVERY
        except NotFound:  # the first start ever: nothing is old
            with contextlib.suppress(Duplicate):
                await self._times.insert(CollectionTime(id=ID, at=now()))
            return False
