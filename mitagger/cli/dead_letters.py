"""`mitagger dead-letters`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table
from mitagger.client import AsyncClient

app = typer.Typer(no_args_is_help=True, help="Events that a group could not handle.")


@app.command("list")
def list_(
    *,
    group: Annotated[str, typer.Option(help="Of this group only.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 50,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List events that could not be handled, the newest first.

    Example: mitagger dead-letters list --group recommender
    """
    letters = asked(Target(server, key, data), lambda client: client.dead_letters(group=group, limit=limit))
    if json:
        as_json(letters)
    elif letters:
        table(
            ("id", "group", "topic", "figure", "died", "error"),
            [(one.id, one.group, one.topic, one.figure, f"{one.died_at:%Y-%m-%d %H:%M}", one.error) for one in letters],
        )
    else:
        typer.echo("None.", err=True)


@app.command()
def show(
    id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Show one with its body and where it failed, as JSON.

    Example: mitagger dead-letters show 6f1a3a52-4f3e-5d8e-9a53-0c6f0d1b7a11
    """
    as_json(asked(Target(server, key, data), lambda client: client.dead_letter(id)))


@app.command()
def replay(
    ids: Annotated[list[str] | None, typer.Argument(help="As `list` shows them.")] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    group: Annotated[str, typer.Option(help="With --all: of this group only.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Send them again to the group that failed, and to no other.

    Example: mitagger dead-letters replay --all --group recommender
    """
    if bool(ids) == all_:
        raise typer.BadParameter("Give ids, or --all.")

    async def ask(client: AsyncClient) -> int:
        replayed = 0
        chosen = ids or [one.id for one in await client.dead_letters(group=group, limit=200)]
        for id in chosen:
            await client.replay(id)
            replayed += 1
        return replayed

    typer.echo(f"{asked(Target(server, key, data), ask)} events sent again.")
