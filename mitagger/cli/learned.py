"""`mitagger learned`."""

from typing import Annotated

import typer

from mitagger.cli.connection import Data, Json, Key, Server, Target, connected
from mitagger.cli.outcome import perform
from mitagger.cli.output import as_json, table
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="What approved reviews taught: names of the site, suppressed meanings.")

Id = Annotated[str, typer.Argument(help="The name's, as `list` shows it.")]


@app.command("list")
def list_(
    *,
    state: Annotated[
        str, typer.Option(help="Only synonym, suppressed, candidate, known, waiting or disabled ones.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was learned, those names first that most figures speak of.

    Example: mitagger learned list --state synonym
    """

    async def ask() -> list[m.Learned]:
        found: list[m.Learned] = []
        async with connected(Target(server, key, data)) as client:
            async for one in client.learned():
                if state in ("", one.state):
                    found.append(one)
                if len(found) == limit:
                    break
        return found

    names = perform(ask())
    if json:
        as_json(names)
        return
    table(
        ("id", "name", "means", "state", "accepted", "rejected", "articles", "people"),
        [
            (
                one.id,
                one.name,
                f"{one.label} ({one.curie})" if one.curie else f"free text, {one.axis}",
                one.state,
                str(one.accepted),
                str(one.rejected),
                str(one.articles),
                str(one.people),
            )
            for one in names
        ],
    )


@app.command()
def disable(id: Id, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Undo what was learned of a name.

    Example: mitagger learned disable 3f0c2a51b1d24c0c8a3f7be0d2c4e611
    """
    _switch(id, on=False, target=Target(server, key, data), json=json)


@app.command()
def enable(id: Id, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Let a name be learned again.

    Example: mitagger learned enable 3f0c2a51b1d24c0c8a3f7be0d2c4e611
    """
    _switch(id, on=True, target=Target(server, key, data), json=json)


def _switch(id: str, *, on: bool, target: Target, json: bool) -> None:
    async def ask() -> m.Learned:
        async with connected(target) as client:
            return await client.switch_learned(id, on=on)

    one = perform(ask())
    if json:
        as_json(one)
    else:
        typer.echo(f"{one.name}: {one.state}")
