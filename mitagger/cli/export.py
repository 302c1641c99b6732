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
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Write figures and their tags to a file.

    Example: mitagger export --format csv -o tags.csv
    """
    perform(_export(Target(server, key, data), format, output, status or []))


async def _export(target: Target, format: Literal["csv", "xml"], output: Path | None, statuses: list[str]) -> None:
    async with connected(target) as client:
        with remarks.status("exporting"):
            job = await client.finished_export((await client.start_export(format, statuses)).id)
        assert job.url is not None  # noqa: S101 - a finished export has one
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
