"""Export jobs: figures streamed page by page into a file, redone after a restart, withdrawn when a figure is erased."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

import structlog

from services.export.content import Exported, exported
from services.export.csv_format import CsvFormat
from services.export.mapped import ToVocabulary
from services.export.model import ExportJob, FigureRecord, Format, MappingsInUse, Status
from services.export.xml_format import XmlFormat
from shared import clock, metrics
from shared.blobs import Blobs
from shared.documents.pages import every
from shared.documents.port import Collection, In, Page, Where
from shared.errors import Invalid, MitaggerError, NotFound
from shared.tasks import Background
from shared.traces import Traces
from shared.vocabulary.mappings import opened

PAGE: Final = 200
AT_ONCE: Final = 2
RETRY_SECONDS: Final = 5.0

log = structlog.get_logger()


class FileFormat(Protocol):
    """Writes figures one after the other; `take` hands over what was written since the last call."""

    def begin(self) -> None: ...
    def add(self, figure: Exported) -> None: ...
    def end(self) -> None: ...
    def take(self) -> bytes: ...


FORMATS: Final[dict[Format, type[CsvFormat] | type[XmlFormat]]] = {"csv": CsvFormat, "xml": XmlFormat}


class Exports:
    """The export jobs of this process. A job's document says how far it is; whoever starts next takes up what runs."""

    def __init__(self, figures: Collection[FigureRecord], jobs: Collection[ExportJob], blobs: Blobs) -> None:
        self._figures = figures
        self._jobs = jobs
        self._blobs = blobs
        self._turns = asyncio.Semaphore(AT_ONCE)
        # Between a file's last check and its job's "done" no erasure may withdraw files, and the other way round.
        self._settling = asyncio.Lock()
        self._tasks = Background()

    async def start(self) -> None:
        """Takes up the jobs that a stop or a crash left running."""
        async for job in self._in_state("running"):
            self._begin(job.id)

    async def stop(self) -> None:
        """Jobs stay running on record, for the next start."""
        await self._tasks.ended()

    async def ask(
        self,
        project: str,
        person: str,
        format: Format,
        statuses: Sequence[Status],
        *,
        figures: Sequence[str] | None = None,
        map_to: str = "",
        mapping: MappingsInUse | None = None,
    ) -> ExportJob:
        """`figures`: these alone, at most 1,000. Raises Invalid where the project does not have them all."""
        chosen = None if figures is None else tuple(sorted(set(figures)))
        if chosen is not None and (missing := len(chosen) - await self._figures.count(_of(project, chosen))):
            raise Invalid(
                f"Of {len(chosen)} figures, {missing} are not in this project.",
                field="figures",
                remedy="Leave out those that were erased or are elsewhere; what just came in is there in a moment.",
            )
        job = ExportJob(
            id=clock.new_id(),
            project=project,
            person=person,
            format=format,
            statuses=tuple(sorted(set(statuses))),
            figures=chosen,
            map_to=map_to,
            mapping=mapping,
            created_at=clock.now(),
        )
        try:
            return await self._jobs.insert(job)
        finally:  # also when the wait for the store was cut off: the job may stand
            self._begin(job.id)

    async def get(self, id: str) -> ExportJob:
        """Raises NotFound."""
        return await self._jobs.get(id)

    async def page(self, project: str, after: str | None, limit: int) -> Page[ExportJob]:
        """The newest first. Raises Invalid on a foreign cursor."""
        return await self._jobs.find({"project": project}, sort=["-created_at"], after=after, limit=limit)

    async def traces(self, figures: Sequence[str]) -> Traces:
        """Whatever figures are erased, all finished files go (see `withdraw`)."""
        return Traces(anyway={"exports": await self._jobs.count({"state": "done"})})

    async def withdraw(self) -> None:
        """After an erasure: finished files are deleted, since they may hold the figure; running jobs begin again."""
        async with self._settling:
            async for job in self._in_state("done"):
                if job.blob is not None:
                    await self._blobs.delete(job.blob)
                await self._jobs.update(
                    job.id,
                    lambda job: (
                        job.changed(
                            state="withdrawn",
                            blob=None,
                            problem="A figure was erased after this export was made; ask for a new one.",
                        ),
                        (),
                    ),
                )
            async for job in self._in_state("running"):
                await self._jobs.update(job.id, lambda job: (job.changed(attempt=job.attempt + 1), ()))

    def _in_state(self, state: str) -> AsyncIterator[ExportJob]:
        return every(self._jobs, {"state": state})

    def _begin(self, id: str) -> None:
        task = self._tasks.begin(self._run(id), f"export {id}")
        metrics.EXPORTS_RUNNING.inc()
        task.add_done_callback(lambda _: metrics.EXPORTS_RUNNING.dec())

    async def _run(self, id: str) -> None:
        async with self._turns:
            try:
                job = await self._jobs.get(id)
                while job.state == "running":
                    job = await self._attempt(job)
            except MitaggerError as error:
                await self._fail(id, str(error))
            except Exception:
                log.exception("export failed", export=id)
                await self._fail(id, "The export failed for a reason that only the server's log tells.")

    async def _attempt(self, job: ExportJob) -> ExportJob:
        rows = 0

        async def file() -> AsyncIterator[bytes]:
            nonlocal rows
            async with self._mapping(job) as mapping:
                writer: FileFormat = FORMATS[job.format](job.mapping, job.map_to)
                writer.begin()
                cursor: str | None = None
                while True:
                    page = await self._figures.find(
                        {**_of(job.project, job.figures), "status": In(job.statuses)},
                        sort=["place"],
                        after=cursor,
                        limit=PAGE,
                    )
                    rows += await asyncio.to_thread(_add, writer, page.items, mapping)
                    cursor = page.next
                    if cursor is None:
                        break
                    yield writer.take()
                writer.end()
                yield writer.take()

        blob = await self._blobs.put(file())

        def finish(current: ExportJob) -> tuple[ExportJob, tuple[()]]:
            if current.state != "running" or current.attempt != job.attempt:
                return current, ()
            return current.changed(state="done", blob=blob.sha256, bytes=blob.bytes, rows=rows), ()

        async with self._settling:
            try:
                await self._blobs.stat(blob.sha256)
                after = await self._jobs.update(job.id, finish)
            except NotFound:
                return job  # the same content, of an older export, was withdrawn just now
            except Exception:
                await self._discard(blob.sha256)
                raise
            if after.state == "running":
                await self._discard(blob.sha256)  # a figure in it may have been erased
            return after

    @asynccontextmanager
    async def _mapping(self, job: ExportJob) -> AsyncIterator[ToVocabulary | None]:
        """What the job looks tags up in, open until the end. Raises NotFound."""
        if job.mapping is None:
            yield None
            return
        async with self._blobs.local(job.mapping.artefact) as path:
            with opened(path) as mappings:
                yield ToVocabulary(mappings, job.map_to)

    async def _discard(self, blob: str) -> None:
        """A file that no job names, so that no erasure would find it."""
        if not await self._jobs.count({"state": "done", "blob": blob}):
            await self._blobs.delete(blob)

    async def _fail(self, id: str, problem: str) -> None:
        """However long it takes: a job that stayed running on record would keep its asker waiting for ever."""
        while True:
            try:
                await self._jobs.update(
                    id,
                    lambda job: (job.changed(state="failed", problem=problem) if job.state == "running" else job, ()),
                )
                return
            except NotFound:
                return
            except Exception:
                log.exception("export cannot be ended", export=id)
                await asyncio.sleep(RETRY_SECONDS)


def _of(project: str, figures: tuple[str, ...] | None) -> Where:
    """All of the project, or these of it."""
    return {"project": project, **({} if figures is None else {"id": In(figures)})}


def _add(writer: FileFormat, records: Sequence[FigureRecord], mapping: ToVocabulary | None) -> int:
    """Writes the figures that have arrived themselves; returns how many rows they have."""
    figures = [figure for record in records if (figure := exported(record, mapping)) is not None]
    for figure in figures:
        writer.add(figure)
    return sum(figure.rows for figure in figures)
