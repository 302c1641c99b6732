"""`mitagger import`."""

import asyncio
import csv
import json as jsons
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Self

import rich.progress
import typer

from mitagger.cli.connection import Data, Json, Key, Server, Target, connected, settings_of
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json, remarks
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient, Failed
from mitagger.client import models as m
from mitagger.import_records import Record, Records
from mitagger.importing import Brought, Progress, Source, Told, bring, preview, read
from services.ingest.archive import MANIFESTS
from services.ingest.manifest import REPORTED, Problem, Row
from shared.errors import Invalid

SHOWN: Final = 20
TOLD_SECONDS: Final = 2.0  # between two lines of progress where no terminal shows a bar
MANIFEST_ENDINGS: Final = frozenset({".csv", ".tsv", ".jsonl"})


def import_(
    source: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER|ZIP|MANIFEST", help="Figures, with or without figures.csv or .jsonl."),
    ] = None,
    *,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="What to import of the folder, in place of its own manifest: such as rejects."),
    ] = None,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", help="Write what did not go in to this CSV: correct it, and import it again."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Look at the rows and files, say what would become of them, store nothing."),
    ] = False,
    resume: Annotated[
        str, typer.Option("--resume", metavar="JOB", help="Go on with an import that was cut off, by its id.")
    ] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Import figures. Sending the same ones again changes nothing; exit code 1 when some rows did not go in.

    Example: mitagger import ./figures --rejects rejects.csv
    """
    if source is None and not resume:
        raise typer.BadParameter("Give what to import, or --resume JOB.")
    if dry_run and resume:
        raise typer.BadParameter("--dry-run stores nothing that could be gone on with.")
    command = _Command(Target(server, key, data, begins=True), Records(settings_of(data).cache / "imports"))
    done = perform(command.run(source, manifest, resume, dry_run=dry_run))
    brought = done.brought
    errors = [problem for problem in brought.problems if problem.severity == "error"]
    if rejects is not None:
        _write(rejects, done, errors)
    if json:
        counts = {"created": brought.created, "existing": brought.existing, "rejected": brought.rejected}
        as_json({"import": brought.job, **counts, "problems": [_fields(problem) for problem in brought.problems]})
    else:
        for problem in brought.problems[:SHOWN]:
            typer.echo(_line(problem), err=True)
        if len(brought.problems) > SHOWN:
            typer.echo(f"… and {len(brought.problems) - SHOWN} more; --rejects FILE writes all of them.", err=True)
        would = "Would be: " if dry_run else ""
        typer.echo(f"{would}{brought.created} created, {brought.existing} there already, {brought.rejected} rejected.")
        if rejects is not None and errors and done.source:
            typer.echo(f"Correct {rejects}, then: mitagger import {done.source} --manifest {rejects}", err=True)
    if brought.rejected:
        raise typer.Exit(SOME_FAILED)


@dataclass(frozen=True, slots=True)
class _Done:
    """`columns` and `cells` (of rows with problems): as the manifest had them; `source`: the folder that the rows'
    files are in, "" for a zip."""

    brought: Brought
    collection: str
    columns: list[str]
    cells: dict[int, list[str]]
    rows: dict[int, Row]
    source: str

    @classmethod
    def of(cls, brought: Brought, found: Source, source: str = "") -> Self:
        numbers = {problem.row for problem in brought.problems if problem.row is not None}
        rows = {row.number: row for row in found.rows if row.number in numbers}
        return cls(brought, found.bundle.name, *found.originals(numbers), rows, source)


class _Command:
    def __init__(self, target: Target, records: Records) -> None:
        self._target = target
        self._records = records

    async def run(self, source: Path | None, manifest: Path | None, resume: str, *, dry_run: bool) -> _Done:
        record = None
        if source is None:
            record, _ = self._records.get(resume)
            source, manifest = Path(record.source), Path(record.manifest) if record.manifest else manifest
        source, manifest = _figures(source, manifest)
        async with connected(self._target) as client:
            if source.is_file() and not dry_run:
                return await self._archive(client, source, resume)
            with await asyncio.to_thread(read, source, manifest) as found:
                if record is not None and record.state != found.state:
                    typer.echo(f"{source} has changed since; all of it is sent again, as a new import.", err=True)
                    resume = ""
                where = str(manifest.resolve()) if manifest else ""
                kept = Record(str(source.resolve()), where, found.state)
                with _shown("looking" if dry_run else "importing") as told:
                    if dry_run:
                        brought = await preview(client, found, told=told)
                    else:
                        brought = await bring(
                            client, found, records=self._records, record=kept, resume=resume, begun=_begun, told=told
                        )
                return await asyncio.to_thread(_Done.of, brought, found, str(source))

    async def _archive(self, client: AsyncClient, source: Path, resume: str) -> _Done:
        """Sends a zip whole and follows what the server does with it."""
        if resume:
            job = await client.import_(resume)
        else:
            with remarks.status(f"sending {source.name}"):
                job = await client.import_archive(source)
            self._records.begin(job.id, Record(str(source.resolve())))
            _begun(job.id)
        with _shown("importing") as told:
            job = await ended(
                job,
                lambda one: one.state == "running",
                lambda: client.import_(job.id),
                lambda one: told(_so_far(one)),
            )
        if job.state == "failed":
            raise Failed(f"The import failed: {job.problem}")
        problems = [
            Problem(reject.problem, reject.remedy, reject.row, reject.field, reject.file, reject.severity)
            async for reject in client.rejects(job.id)
        ]
        brought = Brought(job.id, job.created, job.existing, job.rejected, problems)

        def as_sent() -> _Done:
            with read(source) as found:
                return _Done.of(brought, found)

        return await asyncio.to_thread(as_sent)


def _figures(source: Path, manifest: Path | None) -> tuple[Path, Path | None]:
    """The folder or zip that is meant, and the manifest where it is not the folder's own. Raises Invalid."""
    if source.is_dir():
        return source, manifest
    if source.is_file() and source.suffix.lower() in MANIFEST_ENDINGS and manifest is None:
        return source.parent, None if source.name in MANIFESTS else source
    if zipfile.is_zipfile(source):
        if manifest is not None:
            raise Invalid("A zip is imported by its own manifest.", remedy="Unpack it, and import the folder.")
        return source, None
    raise Invalid(
        f"{source} is no folder, no zip and no manifest." if source.exists() else f"{source} does not exist.",
        remedy=f"Give a folder or zip of figures, or a manifest such as {' or '.join(MANIFESTS)}.",
    )


def _begun(job: str) -> None:
    typer.echo(f"Import {job}. Cut off, it goes on with: mitagger import --resume {job}", err=True)


@contextmanager
def _shown(what: str) -> Iterator[Told]:
    """A bar with rate and time left on a terminal, else a line of JSON every two seconds, both on standard error."""
    if not remarks.is_terminal:
        with _lines(what) as told:
            yield told
        return
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("{task.fields[counts]}"),
        rich.progress.TimeRemainingColumn(),
    )
    begun, first = time.monotonic(), list[int]()
    with rich.progress.Progress(*columns, console=remarks, transient=True) as bar:
        task = bar.add_task(what, total=None, counts="")

        def told(progress: Progress) -> None:
            rate = _rate(progress, begun, first)
            counts = (
                f"{progress.created:,} new, {progress.existing:,} there, {progress.rejected:,} rejected, {rate:.1f}/s"
            )
            bar.update(task, completed=progress.done, total=progress.total, counts=counts)

        yield told


@contextmanager
def _lines(what: str) -> Iterator[Told]:
    begun, first, last = time.monotonic(), list[int](), -TOLD_SECONDS

    def told(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last < TOLD_SECONDS and progress.done < progress.total:
            return
        last = time.monotonic()
        rate = _rate(progress, begun, first)
        left = round((progress.total - progress.done) / rate) if rate else None
        line = {"doing": what, **asdict(progress), "per_second": round(rate, 1), "seconds_left": left}
        typer.echo(jsons.dumps(line), err=True)

    yield told


def _rate(progress: Progress, begun: float, first: list[int]) -> float:
    """Rows a second since the first look: what was done before it, by an earlier run, is no work of this one."""
    if not first:
        first.append(progress.done)
    return (progress.done - first[0]) / max(time.monotonic() - begun, 1e-3)


def _fields(problem: Problem) -> dict[str, Any]:
    return {
        "row": problem.row,
        "file": problem.file,
        "field": problem.column,
        "problem": problem.message,
        "remedy": problem.remedy,
        "severity": problem.severity,
    }


def _line(problem: Problem) -> str:
    places = (
        f"row {problem.row}" if problem.row is not None else "",
        problem.file,
        problem.column,
    )
    place = ", ".join(part for part in places if part)
    kind = "" if problem.severity == "error" else "warning: "
    return f"{place + ': ' if place else ''}{kind}{problem.message} {problem.remedy}".strip()


def _write(path: Path, done: _Done, errors: Sequence[Problem]) -> None:
    """A manifest of what stayed out: its own columns, then what is wrong (several problems of a row are one line). What
    no row is about, such as a file of a folder without a manifest, gets columns that a manifest has."""
    columns, name = done.columns or ["collection", "file", "label", "legend"], done.collection
    together: dict[object, list[Problem]] = {}
    for place, problem in enumerate(errors):
        together.setdefault(("row", problem.row) if problem.row else ("place", place), []).append(problem)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*columns, *REPORTED])
        for problems in together.values():
            first = problems[0]
            row = done.rows.get(first.row or 0)
            known = row.model_dump() if row else {"file": first.file} | ({} if done.columns else {"collection": name})
            cells = done.cells.get(first.row or 0) or [str(known.get(column) or "") for column in columns]
            said = (
                first.row or "",
                ", ".join(dict.fromkeys(problem.column for problem in problems if problem.column)),
                " ".join(problem.message for problem in problems),
                " ".join(dict.fromkeys(problem.remedy for problem in problems)),
            )
            # Cells beyond the columns stay beyond them: the row is refused again until somebody mends it.
            writer.writerow([*cells[: len(columns)], *said, *cells[len(columns) :]])


def _so_far(job: m.Import) -> Progress:
    done = job.created + job.existing + job.rejected
    return Progress(done, job.total or done, job.created, job.existing, job.rejected)
