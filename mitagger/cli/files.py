"""`mitagger files`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, remarks
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="Stored files: pictures, renditions, exports.")


@app.callback()
def files() -> None:
    """With a single command typer would leave out its name."""


@app.command()
def collect(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and remove nothing.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Remove files that nothing names for two days: uploads that were never used, what a crash left. The server does
    it daily by itself.

    Example: mitagger files collect --dry-run
    """

    async def ask(client: AsyncClient) -> m.Collected:
        with remarks.status("asking every service"):
            return await client.collect_files(dry_run=dry_run)

    done = asked(Target(server, key, data), ask)
    if json:
        as_json(done)
    else:
        size = f"{done.bytes / 1e6:,.1f} MB"
        typer.echo(f"{done.unnamed:,} files ({size}) {'would go' if dry_run else 'removed'}, {done.kept:,} kept.")
