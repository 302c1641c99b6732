"""Imports: rows in order, from a sender or out of an archive, each created, found there already, or rejected.

A job remembers up to which row it is done. Rows that come again change nothing, so a sender that lost an answer sends
them again, and a server that died reads its archive on from where it was.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

from services.ingest import archive, naming
from services.ingest.archive import Zip
from services.ingest.figures import Figures, Outcome
from services.ingest.manifest import Problem, Row
from services.ingest.model import Figure, Import, ImportState, Reject, Severity
from services.ingest.submission import SHA256, NewFigure, refusal, submitted
from shared import metrics
from shared.archive import Bundle
from shared.blobs import Blobs
from shared.clock import new_id, now
from shared.documents.pages import every
from shared.documents.port import Collection, Documents, In, Page, Range
from shared.errors import Invalid, NotFound, PermanentError
from shared.events.envelope import Event, event_id
from shared.tasks import Background

BATCH: Final = 16
RETRY_SECONDS: Final = 5.0

log = structlog.get_logger()

Result: TypeAlias = tuple[int, str, Outcome]  # row, file, what became of it


class Imports:
    """The imports of one store. `start` goes on with archives that a dead process left unfinished."""

    def __init__(self, documents: Documents, blobs: Blobs, figures: Figures) -> None:
        self._jobs: Collection[Import] = documents.collection(Import)
        self._rejects: Collection[Reject] = documents.collection(Reject)
        self._blobs = blobs
        self._figures = figures
        self._running = Background()

    async def start(self) -> None:
        """Goes on with unfinished archives; those of finished imports go, should a dead process have left one."""
        async for job in every(self._jobs, {"archive": Range(gte="")}, limit=1000):  # those that have one
            if job.state == "running":
                self._follow(job.id)
            else:
                await self._drop_archive(job)

    async def stop(self) -> None:
        """Archives are read on from where they were at the next start."""
        await self._running.ended()

    async def begin(
        self, name: str, *, project: str, actor: str, total: int | None = None, archive: str | None = None
    ) -> Import:
        """A new job; with an archive (its content hash), one that runs by itself."""
        if archive is not None:
            name = await self._named(name, archive)
        job = Import(
            id=new_id(),
            project=project,
            name=name,
            total=total,
            archive=archive,
            actor=actor,
            created_at=now(),
            updated_at=now(),
        )
        try:
            return await self._jobs.insert(job)
        finally:  # also when the wait for the store was cut off: the job may stand
            if archive is not None:
                self._follow(job.id)

    async def rows(self, id: str, rows: Sequence[Mapping[str, Any]], *, actor: str) -> list[tuple[int, Outcome]]:
        """What became of each row. Raises NotFound; Invalid when the rows of this job come out of its archive, or have
        no numbers."""
        job = await self._jobs.get(id)
        if job.archive is not None:
            raise Invalid("This import reads its own archive.", remedy="Begin another import for these rows.")
        results: list[Result | None] = []
        wanted: list[NewFigure] = []
        for values in rows:
            number = _number(values)
            try:
                wanted.append(submitted(values, number))
                results.append(None)
            except Invalid as problem:
                results.append((number, _file(values), Outcome(None, problem=problem)))
        added = iter(
            _results(wanted, await self._figures.add(wanted, project=job.project, actor=actor)) if wanted else ()
        )
        done = [result if result is not None else next(added) for result in results]
        last = max(number for number, _, _ in done)
        await self._record(job.id, done, after=last, counted=[r for r in done if r[0] >= job.next_row])
        return [(number, outcome) for number, _, outcome in done]

    async def preview(self, rows: Sequence[Mapping[str, Any]], *, project: str) -> list[tuple[int, Outcome | None]]:
        """What would become of each row, could its image be rendered: null of one that would be created. Nothing is
        stored. Raises Invalid when rows have no numbers."""
        outcomes: list[tuple[int, Outcome | None]] = []
        wanted: dict[int, NewFigure] = {}  # by place
        for values in rows:
            number = _number(values)
            outcome = None
            try:
                wanted[len(outcomes)] = submitted(values, number)
            except Invalid as problem:
                outcome = Outcome(None, problem=problem)
            outcomes.append((number, outcome))
        known = await self._figures.known(list(wanted.values()), project=project)
        for place, outcome in zip(wanted, known, strict=True):
            outcomes[place] = (outcomes[place][0], outcome)
        return outcomes

    async def get(self, id: str) -> Import:
        """Raises NotFound."""
        return await self._jobs.get(id)

    async def page(self, *, project: str, after: str | None, limit: int) -> Page[Import]:
        """The newest first."""
        return await self._jobs.find({"project": project}, sort=["-created_at"], after=after, limit=limit)

    async def rejects(self, id: str, *, after: str | None, limit: int) -> Page[Reject]:
        """In order of rows. Raises NotFound."""
        job = await self._jobs.get(id)
        return await self._rejects.find({"job": job.id}, sort=["row"], after=after, limit=limit)

    async def forget(self, figures: Sequence[str]) -> None:
        """What was noted of rows of erased figures goes: a file may be named after its patient."""
        while (page := await self._rejects.find({"figure": In(tuple(figures))}, limit=1000)).items:
            for reject in page.items:
                await self._rejects.erase(reject.id)

    async def _named(self, name: str, upload: str) -> str:
        """The name to keep of an archive: with DICOM in it, or if that cannot be said, an id."""
        try:
            async with self._blobs.local(upload) as path:
                safe = await asyncio.to_thread(_names_nobody, path)
        except (Invalid, NotFound):  # the import will say so
            safe = False
        return name if safe else f"{upload[:16]}.zip"

    def _follow(self, id: str) -> None:
        task = self._running.begin(self._run(id), f"import {id}")
        metrics.IMPORTS_RUNNING.inc()
        task.add_done_callback(lambda _: metrics.IMPORTS_RUNNING.dec())

    async def _run(self, id: str) -> None:
        """Until it is done, or something about the archive itself is wrong for good."""
        problem = ""
        while True:
            try:
                job = await self._jobs.get(id)
                if problem:
                    await self._end(id, "failed", problem=problem)
                else:
                    await self._read_archive(job)
                return
            except PermanentError as error:
                if problem:
                    return  # there is no such import
                problem = str(error)
            except Exception:  # a full disk, a store that is away: the import waits
                log.exception("import waits", import_id=id)
                await asyncio.sleep(RETRY_SECONDS)

    async def _read_archive(self, job: Import) -> None:
        assert job.archive is not None  # noqa: S101 - only such jobs are followed
        async with self._blobs.local(job.archive) as path:
            bundle = await asyncio.to_thread(Zip, path, name=job.name)
            with bundle:
                items, warnings = await asyncio.to_thread(_sorted_out, archive.rows(bundle))
                told = [
                    _reject(job.id, one.row or 0, _place(bundle, one.file), refusal(one), severity="warning")
                    for one in warnings
                ]
                await self._rejects.insert_many(told)
                await self._jobs.update(job.id, lambda old: (old.changed(total=len(items)), ()))
                for start in range(job.next_row, len(items) + 1, BATCH):
                    results = await self._add(bundle, items[start - 1 : start - 1 + BATCH], job)
                    await self._record(job.id, results, after=start + len(results) - 1, counted=results)
        await self._end(job.id, "done")

    async def _end(self, id: str, state: ImportState, *, problem: str = "") -> None:
        job = await self._jobs.update(id, lambda job: (job.changed(state=state, problem=problem, updated_at=now()), ()))
        await self._drop_archive(job)

    async def _drop_archive(self, job: Import) -> None:
        """Unless another import of the same file (sent twice, say) still reads it."""
        if job.archive is not None and not await self._jobs.count({"state": "running", "archive": job.archive}):
            await self._blobs.delete(job.archive)

    async def _add(self, bundle: Zip, items: Sequence[Row | Problem], job: Import) -> list[Result]:
        results: list[Result | None] = []
        wanted: list[NewFigure] = []
        for item in items:
            if isinstance(item, Problem):
                outcome = Outcome(None, problem=refusal(item))
                results.append((item.row or 0, _place(bundle, item.file), outcome))
                continue
            try:
                wanted.append(NewFigure(item, await self._unpack(bundle, item.file) if item.file else None))
                results.append(None)
            except Invalid as problem:
                results.append((item.number, _place(bundle, item.file), Outcome(None, problem=problem)))
        added = iter(_results(wanted, await self._figures.add(wanted, project=job.project, actor=job.actor)))
        return [result if result is not None else next(added) for result in results]

    async def _unpack(self, bundle: Bundle, name: str) -> str:
        with self._blobs.folder() as folder:
            path = folder / "member"

            def write() -> None:
                with path.open("wb") as out:
                    archive.copy(bundle, name, out)

            await asyncio.to_thread(write)
            return (await self._blobs.put_file(path)).sha256

    async def _record(self, id: str, results: Sequence[Result], *, after: int, counted: Sequence[Result]) -> None:
        """Rejects first: dying in between repeats the rows, which changes nothing."""
        rejects = [
            _reject(id, row, file, outcome.problem, outcome.figure)
            for row, file, outcome in results
            if outcome.problem is not None
        ]
        await self._rejects.insert_many(rejects)  # a Duplicate is the same row, sent again

        def change(job: Import) -> tuple[Import, Sequence[Event]]:
            if after < job.next_row:
                return job, ()
            created = job.created + sum(outcome.created for _, _, outcome in counted)
            rejected = job.rejected + sum(outcome.figure is None for _, _, outcome in counted)
            existing = job.existing + len(counted) - (created - job.created) - (rejected - job.rejected)
            done = job.archive is None and job.total is not None and created + existing + rejected >= job.total
            changed = job.changed(
                next_row=after + 1,
                created=created,
                existing=existing,
                rejected=rejected,
                state="done" if done else job.state,
                updated_at=now(),
            )
            return changed, ()

        await self._jobs.update(id, change)


def _number(values: Mapping[str, Any]) -> int:
    number = values.get("row")
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= 1_000_000_000:
        raise Invalid("Each row needs its number.", field="row", remedy='Add "row", counting from 1.')
    return number


def _reject(
    job: str, row: int, file: str, problem: Invalid, figure: Figure | None = None, *, severity: Severity = "error"
) -> Reject:
    """Of a row that did not go in; with a figure, or as the manifest's, a warning."""
    file = file.encode(errors="replace").decode()[:1000]  # JSON may bring half surrogates
    return Reject(
        id=event_id("ingest", "reject", job, row, file, problem.field),
        job=job,
        row=row,
        file=file,
        field=problem.field,
        problem=problem.message,
        remedy=problem.remedy,
        severity="warning" if figure else severity,
        figure=figure and figure.id,
    )


def _sorted_out(items: Iterable[Row | Problem]) -> tuple[list[Row | Problem], list[Problem]]:
    """What each row or file is or what is first wrong with it, and the warnings."""
    steps: list[Row | Problem] = []
    warnings: list[Problem] = []
    for item in items:
        if isinstance(item, Row):
            steps.append(item)
        elif item.severity == "warning":
            warnings.append(item)
        elif item.row is None or not (steps and isinstance(steps[-1], Problem) and steps[-1].row == item.row):
            steps.append(item)
    return steps, warnings


def _names_nobody(path: Path) -> bool:
    with Zip(path) as bundle:
        return not archive.holds_dicom(bundle)


def _results(wanted: Sequence[NewFigure], outcomes: Sequence[Outcome]) -> list[Result]:
    return [(new.row.number, outcome.file, outcome) for new, outcome in zip(wanted, outcomes, strict=True)]


def _file(values: Mapping[str, Any]) -> str:
    """The name to tell of the file of a row as sent."""
    upload = values.get("upload")
    known = isinstance(upload, str) and SHA256.fullmatch(upload)
    return naming.told(str(values.get("file") or ""), upload=upload if known else None)


def _place(bundle: Zip, name: str) -> str:
    """The name to tell of a file in a zip, or where it stands there; "" of one that is only spoken of."""
    place = bundle.place(name)
    return naming.told(name) or (f"file {place} of the zip" if place else "")
