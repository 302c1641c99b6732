"""`mitagger keys`."""

from typing import Annotated

import typer

from mitagger.cli.connection import Data, Json, Key, Server, Target, connected
from mitagger.cli.outcome import perform
from mitagger.cli.output import as_json, table
from mitagger.cli.roles import roles_of
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="API keys of people and of other systems.")


@app.command("list")
def list_(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List keys, whose they are, and when they were last used.

    Example: mitagger keys list
    """

    async def ask() -> list[m.ApiKey]:
        async with connected(Target(server, key, data)) as client:
            return [one async for one in client.keys()]  # noqa: SIM118 - a method of ours

    keys = perform(ask())
    if json:
        as_json(keys)
        return
    table(
        ("id", "name", "roles", "projects", "owner", "last used", "expires"),
        [
            (
                one.id,
                one.name,
                ", ".join(one.roles),
                ", ".join(one.projects),
                one.owner or "another system",
                f"{one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never",
                f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "never",
            )
            for one in keys
        ],
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Of the other system.")],
    *,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="May be repeated; default: service.", metavar="ROLE"),
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, max=3660, help="Until it expires; default: it does not.")] = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Create a key for another system in the project of `mitagger --project`, and print it: it is shown only now.

    Example: mitagger keys create "PACS export" --days 365
    """

    async def ask() -> m.ApiKey:
        async with connected(Target(server, key, data, begins=True)) as client:
            return await client.create_key(name, roles_of(role or ["service"]), days=days)

    typer.echo(perform(ask()).key)


@app.command()
def delete(
    id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Delete a key: it stops working at once.

    Example: mitagger keys delete 0190d5f0c0a87000b000a1b2c3d4e5f6
    """

    async def ask() -> None:
        async with connected(Target(server, key, data)) as client:
            await client.delete_key(id)

    perform(ask())
    typer.echo("Deleted.")
