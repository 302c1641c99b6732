"""`mitagger indexes`."""

import typer

from mitagger.cli.connection import Json, settings_of
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json, table

app = typer.Typer(no_args_is_help=True, help="Indexes on MongoDB, as the models want them.")

REMARKS = {
    "missing": "apply creates it",
    "differs": "drop it while nobody writes, then apply",
    "unknown": "not one of ours; left alone",
}


@app.command()
def plan(json: Json = False) -> None:
    """Show what differs from what there should be, and change nothing. Exit code 1 when something does.

    Example: mitagger indexes plan
    """

    async def ask() -> list[dict[str, str]]:
        from mitagger.layout import indexes  # noqa: PLC0415 - heavy, and needed only here

        async with indexes(settings_of(None)) as there:
            return [each._asdict() for each in await there.plan()]

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
    """Create the indexes that are missing. Nothing is dropped or changed.

    Example: mitagger indexes apply
    """

    async def change() -> int:
        from mitagger.layout import indexes  # noqa: PLC0415

        async with indexes(settings_of(None)) as there:
            missing = [each for each in await there.plan() if each.state == "missing"]
            await there.apply()
            return len(missing)

    made = perform(change())
    typer.echo(f"{made} indexes created." if made else "No index was missing.")
