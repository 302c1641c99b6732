"""`mitagger indexes`."""

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target, settings_of
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json, remarks, table
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="Indexes on MongoDB and the search index.")

REMARKS = {
    "missing": "apply creates it",
    "differs": "drop it while nobody writes, then apply",
    "unknown": "not one of ours; left alone",
    "setting": "apply sets it; the server may index everything again for it, while it serves",
}


@app.command()
def plan(json: Json = False) -> None:
    """Show what differs from what there should be, and change nothing. Exit code 1 when something does.

    Example: mitagger indexes plan
    """

    async def ask() -> list[dict[str, str]]:
        from mitagger.layout import indexes  # noqa: PLC0415 - heavy, and needed only here

        async with indexes(settings_of(None)) as there:
            settings = await there.search_plan()
            return [
                *(each._asdict() for each in await there.plan()),
                *({"collection": "search index", "name": each.name, "state": "setting"} for each in settings),
            ]

    differences = perform(ask())
    if json:
        as_json({"differences": differences})
    elif differences:
        rows = [(one["collection"], one["name"], one["state"], REMARKS[one["state"]]) for one in differences]
        table(("collection", "index", "is", ""), rows)
    else:
        typer.echo("All indexes are as they should be.")
    if any(one["state"] != "unknown" for one in differences):
        raise typer.Exit(SOME_FAILED)


@app.command()
def apply() -> None:
    """Create the indexes that are missing and set the search index as it should be. Nothing is dropped.

    Example: mitagger indexes apply
    """

    async def change() -> tuple[int, int]:
        from mitagger.layout import indexes  # noqa: PLC0415

        async with indexes(settings_of(None)) as there:
            missing = [each for each in await there.plan() if each.state == "missing"]
            settings = await there.search_plan()
            await there.apply()
            return len(missing), len(settings)

    made, changed = perform(change())
    typer.echo(f"{made} indexes created." if made else "No index was missing.")
    if changed:
        typer.echo(f"{changed} settings of the search index changed.")


@app.command()
def rebuild(server: Server = "", key: Key = "", data: Data = None) -> None:
    """Fill a new search index from the records, while the old one serves, then switch to it. May be repeated.

    Example: mitagger indexes rebuild
    """

    async def wait(client: AsyncClient) -> m.Rebuild:
        with remarks.status("rebuilding") as said:
            return await ended(
                await client.start_rebuild(),
                lambda one: one.state == "running",
                client.rebuild,
                lambda one: said.update(f"{one.figures:,} figures"),
            )

    done = asked(Target(server, key, data), wait)
    typer.echo(f"{done.figures:,} figures indexed; {done.state}. {done.problem}".rstrip())
    if done.state != "done":
        raise typer.Exit(SOME_FAILED)
