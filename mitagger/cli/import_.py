"""`mitagger import`."""

import asyncio
import csv
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mitagger.cli.connection import Data, Json, Key, Server, Target, connected
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json, remarks
from mitagger.client import AsyncClient, Failed
from mitagger.importing import Brought, bring
from services.ingest.archive import MANIFESTS
from services.ingest.manifest import Problem
from shared.errors import Invalid

SHOWN: Final = 20
LOOK_SECONDS: Final = 0.2


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER|ZIP|MANIFEST", help="Figures, with or without figures.csv or .jsonl.")
    ],
    *,
    rejects: Annotated[
        Path | None, typer.Option("--rejects", help="Write the rows that did not go in to this CSV.")
    ] = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Import figures. Sending the same ones again changes nothing; exit code 1 when some rows did not go in.

    Example: mitagger import ./figures --rejects rejects.csv
    """
    brought = perform(_import(Target(server, key, data), source))
    errors = [problem for problem in brought.problems if problem.severity == "error"]
    if rejects is not None:
        _write(rejects, errors)
    if json:
        as_json(
            {
                "import": brought.job,
                "created": brought.created,
                "existing": brought.existing,
                "rejected": brought.rejected,
                "problems": [_fields(problem) for problem in brought.problems],
            }
        )
    else:
        for problem in brought.problems[:SHOWN]:
            typer.echo(_line(problem), err=True)
        if len(brought.problems) > SHOWN:
            typer.echo(f"… and {len(brought.problems) - SHOWN} more; --rejects FILE writes all of them.", err=True)
        typer.echo(f"{brought.created} created, {brought.existing} there already, {brought.rejected} rejected.")
    if brought.rejected:
        raise typer.Exit(SOME_FAILED)


async def _import(target: Target, source: Path) -> Brought:
    source = _figures(source)
    async with connected(target) as client:
        if source.is_file():
            return await _archive(client, source)
        with _bar() as progress:
            task = progress.add_task("importing", total=None)
            return await bring(
                client, source, told=lambda done, total: progress.update(task, completed=done, total=total)
            )


def _figures(source: Path) -> Path:
    """The folder or zip that is meant. Raises Invalid."""
    if source.name in MANIFESTS:
        return source.parent
    if source.is_dir() or zipfile.is_zipfile(source):
        return source
    raise Invalid(
        f"{source} is no folder, no zip and no manifest." if source.exists() else f"{source} does not exist.",
        remedy=f"Give a folder or zip of figures, or a manifest named {' or '.join(MANIFESTS)}.",
    )


async def _archive(client: AsyncClient, source: Path) -> Brought:
    """Sends a zip whole and follows what the server does with it."""
    with remarks.status(f"sending {source.name}"):
        job = await client.import_archive(source)
    with _bar() as progress:
        task = progress.add_task("importing", total=job.total)
        while job.state == "running":
            await asyncio.sleep(LOOK_SECONDS)
            job = await client.import_(job.id)
            progress.update(task, completed=job.created + job.existing + job.rejected, total=job.total)
    if job.state == "failed":
        raise Failed(f"The import failed: {job.problem}")
    problems = [
        Problem(reject.problem, reject.remedy, reject.row, reject.field, reject.file)
        async for reject in client.rejects(job.id)
    ]
    return Brought(job.id, job.created, job.existing, job.rejected, problems)


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=remarks, disable=not remarks.is_terminal, transient=True) as progress:
        yield progress


def _fields(problem: Problem) -> dict[str, object]:
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


def _write(path: Path, problems: Sequence[Problem]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["row", "file", "field", "problem", "remedy", "severity"])
        writer.writeheader()
        writer.writerows(_fields(problem) for problem in problems)
