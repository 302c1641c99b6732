"""`mitagger people`."""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table
from mitagger.cli.roles import roles_of
from mitagger.client import AsyncClient
from mitagger.client import models as m
from shared.errors import NotFound

app = typer.Typer(no_args_is_help=True, help="Who may sign in.")

Name: TypeAlias = Annotated[str, typer.Argument(help="Name or pseudonym, as `list` shows them.")]
Roles: TypeAlias = Annotated[list[str], typer.Option("--role", help="May be repeated.", metavar="ROLE")]
Days: TypeAlias = Annotated[int, typer.Option(min=1, max=30, help="Days until the link expires.")]


@app.command("list")
def list_(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List people, their roles and whether they are active, invited or disabled.

    Example: mitagger people list
    """
    people = asked(Target(server, key, data), lambda client: listed(client.accounts()))
    if json:
        as_json(people)
        return
    table(
        ("name", "roles", "state", "since", "pseudonym"),
        [(one.name, ", ".join(one.roles), one.state, f"{one.created_at:%Y-%m-%d}", one.person) for one in people],
    )


@app.command()
def invite(
    name: Annotated[str, typer.Argument(help="As it is to be shown, and to sign in with.")],
    role: Roles,
    *,
    days: Days = 7,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Invite a person: prints a link that works once, by which they set a password.

    Example: mitagger people invite Ada --role annotator
    """
    target = Target(server, key, data, begins=True)
    _show(asked(target, lambda client: client.invite(name, roles_of(role), days=days)), server, json)


@app.command()
def link(
    name: Name, *, days: Days = 7, server: Server = "", key: Key = "", data: Data = None, json: Json = False
) -> None:
    """Make a link by which a person sets a new password. Earlier links are void.

    Example: mitagger people link Ada
    """

    async def ask(client: AsyncClient) -> m.AccountLink:
        return await client.new_link(await _person(client, name), days=days)

    _show(asked(Target(server, key, data), ask), server, json)


@app.command()
def roles(name: Name, role: Roles, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Set what a person may do, in place of what they could.

    Example: mitagger people roles Ada --role annotator --role reviewer
    """
    wanted = roles_of(role)
    _do(Target(server, key, data), name, lambda client, person: client.change_account(person, roles=wanted))
    typer.echo(f"{name}: {', '.join(role)}.")


@app.command()
def disable(name: Name, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Keep a person out: sessions end and keys stop, at once.

    Example: mitagger people disable Ada
    """
    _do(Target(server, key, data), name, lambda client, person: client.change_account(person, disabled=True))
    typer.echo(f"{name} is disabled.")


@app.command()
def enable(name: Name, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Let a disabled person in again, with the password they had.

    Example: mitagger people enable Ada
    """
    _do(Target(server, key, data), name, lambda client, person: client.change_account(person, disabled=False))
    typer.echo(f"{name} is enabled.")


@app.command()
def connect(
    name: Name,
    subject: Annotated[str, typer.Argument(help="What the provider calls the person (claim `sub`); '' disconnects.")],
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Let a person sign in by the OpenID Connect provider too.

    Example: mitagger people connect Ada 8f2c1d7e-ada
    """
    _do(Target(server, key, data), name, lambda client, person: client.change_account(person, subject=subject))
    typer.echo(f"{name} is connected." if subject else f"{name} is disconnected.")


@app.command("sign-out")
def sign_out(name: Name, server: Server = "", key: Key = "", data: Data = None) -> None:
    """End all sessions of a person.

    Example: mitagger people sign-out Ada
    """
    _do(Target(server, key, data), name, lambda client, person: client.end_sessions(person))
    typer.echo(f"{name} is signed out everywhere.")


@app.command()
def delete(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Delete an account: name, password, sessions and keys. What the person did stays, under the pseudonym.

    Example: mitagger people delete Ada --yes
    """
    if not yes:
        typer.confirm(f"Delete the account {name}? This cannot be undone.", abort=True)
    _do(Target(server, key, data), name, lambda client, person: client.delete_account(person))
    typer.echo(f"{name} is deleted.")


def _do(target: Target, name: str, act: Callable[[AsyncClient, str], Awaitable[object]]) -> None:
    async def ask(client: AsyncClient) -> None:
        await act(client, await _person(client, name))

    asked(target, ask)


async def _person(client: AsyncClient, name: str) -> str:
    """The pseudonym. Raises NotFound."""
    async for account in client.accounts():
        if name == account.person or name.casefold() == account.name.casefold():
            return account.person
    raise NotFound(f"There is nobody named {name!r}.", remedy="`mitagger people list` shows who there is.")


def _show(made: m.AccountLink, server: str, json: bool) -> None:
    if json:
        as_json(made)
        return
    typer.echo(f"{server.rstrip('/')}{made.path}")
    where = "" if server else " Put the address of your server before it."
    typer.echo(f"Works once, until {made.link_expires_at:%Y-%m-%d %H:%M} UTC.{where}", err=True)
