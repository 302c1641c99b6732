"""`mitagger export`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from mitagger.cli.connection import Data, Key, Server, Target, connected
from mitagger.cli.outcome import perform
from mitagger.cli.output import remarks


def export(
    *,
    format: Annotated[Literal["csv", "xml"], typer.Option(help="csv or xml.")] = "csv",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File; default: standard output.")] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Figures in this state: new, provisional, returned, approved (default). May be repeated."),
    ] = None,
    figure: Annotated[
        list[str] | None, typer.Option(help="Only this figure, by its id. May be repeated, up to 1,000.")
    ] = None,
    map_to: Annotated[
        str, typer.Option("--map-to", help="Also give the concepts of this vocabulary, as SNOMEDCT.")
    ] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Write figures and their tags to a file.

    Example: mitagger export --format csv -o tags.csv
    """
    perform(_export(Target(server, key, data), format, output, status or [], figure or None, map_to=map_to))


async def _export(
    target: Target,
    format: Literal["csv", "xml"],
    output: Path | None,
    statuses: list[str],
    figures: list[str] | None,
    *,
    map_to: str,
) -> None:
    async with connected(target) as client:
        with remarks.status("exporting"):
            asked = await client.start_export(format, statuses, figures=figures, map_to=map_to)
            job = await client.finished_export(asked.id)
        assert job.url is not None  # noqa: S101 - a finished export has one
        if job.mappings is not None:
            versions = ", ".join(f"{name} {version}" for name, version in job.mappings.versions.items())
            typer.echo(f"mapped to {job.map_to} by {versions} ({job.mappings.artefact})", err=True)
        if output is None:
            await client.download(job.url, sys.stdout.buffer)
            sys.stdout.flush()
            return
        # Beside the target first: a broken download leaves an older file whole.
        part = output.with_name(output.name + ".part")
        try:
            with part.open("wb") as file:
                await client.download(job.url, file)
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    typer.echo(f"{job.rows} rows in {output}", err=True)
