"""`mitagger topics`."""

from typing import Annotated

import typer

from mitagger.cli.connection import Json, settings_of
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json, table

app = typer.Typer(no_args_is_help=True, help="Topics on Kafka, as the code and shared/bus/topics.toml want them.")


@app.command()
def plan(json: Json = False) -> None:
    """Show what differs from what there should be, and change nothing. Exit code 1 when something does.

    Example: mitagger topics plan
    """

    async def ask() -> list[dict[str, object]]:
        from mitagger.layout import topics  # noqa: PLC0415 - heavy, and needed only here

        async with topics(settings_of(None)) as there:
            return [
                {
                    "topic": change.topic.name,
                    "change": str(change.action),
                    "detail": change.detail,
                    "harmless": change.action.harmless,
                }
                for change in await there.plan()
            ]

    changes = perform(ask())
    if json:
        as_json({"changes": changes})
    elif changes:
        rows = [
            (one["topic"], one["change"], one["detail"], "" if one["harmless"] else "loses records or order")
            for one in changes
        ]
        table(("topic", "change", "detail", ""), rows)
    else:
        typer.echo("All topics are as they should be.")
    if changes:
        raise typer.Exit(SOME_FAILED)


@app.command()
def apply(
    *,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Also what loses records or their order (see plan).")
    ] = False,
) -> None:
    """Create what is missing and change what differs; refuse, before anything is changed, what would lose records.

    Example: mitagger topics apply
    """

    async def change() -> int:
        from mitagger.layout import topics  # noqa: PLC0415

        async with topics(settings_of(None)) as there:
            changes = await there.plan()
            await there.apply(changes, allow_loss=allow_loss)
            return len(changes)

    made = perform(change())
    typer.echo(f"{made} changes made." if made else "All topics were as they should be.")
