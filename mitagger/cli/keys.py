"""`mitagger keys`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table
from mitagger.cli.roles import roles_of

app = typer.Typer(no_args_is_help=True, help="API keys of people and of other systems.")


@app.command("list")
def list_(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List keys, whose they are, and when they were last used.

    Example: mitagger keys list
    """
    keys = asked(Target(server, key, data), lambda client: listed(client.keys()))
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
    roles = roles_of(role or ["service"])
    made = asked(Target(server, key, data, begins=True), lambda client: client.create_key(name, roles, days=days))
    typer.echo(made.key)


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
    asked(Target(server, key, data), lambda client: client.delete_key(id))
    typer.echo("Deleted.")
