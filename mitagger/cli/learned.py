"""`mitagger learned`."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, said, table
from mitagger.cli.versions import loaded
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="What approved reviews taught: names of the site, suppressed meanings.")

scores = typer.Typer(no_args_is_help=True, help="What decided recommendations teach of scores, by project.")
app.add_typer(scores, name="scores")

Project = Annotated[str, typer.Argument(help="The project's id.")]
Id = Annotated[str, typer.Argument(help="The name's, as `list` shows it.")]


@app.command("list")
def list_(
    *,
    state: Annotated[
        str, typer.Option(help="Only synonym, suppressed, candidate, known, waiting or disabled ones.")
    ] = "",
    project: Annotated[str, typer.Option(help="Only what this project's reviews taught.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List what was learned, those names first that most figures speak of.

    Example: mitagger learned list --state synonym
    """

    def wanted(client: AsyncClient) -> AsyncIterator[m.Learned]:
        return (one async for one in client.learned(project=project) if state in ("", one.state))

    names = asked(Target(server, key, data), lambda client: listed(wanted(client), limit=limit), connect=loaded)
    if json:
        as_json(names)
        return
    table(
        ("id", "name", "means", "state", "project", "applies to", "accepted", "rejected", "articles", "people"),
        [
            (
                one.id,
                one.name,
                f"{one.label} ({one.curie})" if one.curie else f"free text, {one.axis}",
                one.state,
                one.project,
                f"the {one.scope}",
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


@app.command()
def widen(id: Id, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Let what a project taught of a name apply to the whole site.

    Example: mitagger learned widen 3f0c2a51b1d24c0c8a3f7be0d2c4e611
    """
    _scope(id, "site", target=Target(server, key, data), json=json)


@app.command()
def narrow(id: Id, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Let what a project taught of a name apply to that project only.

    Example: mitagger learned narrow 3f0c2a51b1d24c0c8a3f7be0d2c4e611
    """
    _scope(id, "project", target=Target(server, key, data), json=json)


@scores.command("list")
def list_scores(*, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Show what decided recommendations say of scores, by project.

    Example: mitagger learned scores list
    """
    found = asked(Target(server, key, data), lambda client: client.learned_scores(), connect=loaded)
    if json:
        as_json(found)
        return
    table(
        ("project", "state", "accepted", "rejected", "figures", "people", "slope", "offset", "error", "error before"),
        [
            (
                one.project,
                one.state,
                str(one.accepted),
                str(one.rejected),
                str(one.figures),
                str(one.people),
                "" if one.slope is None else f"{one.slope:.2f}",
                "" if one.offset is None else f"{one.offset:+.2f}",
                "" if one.error_with is None else f"{one.error_with:.3f}",
                f"{one.error_without:.3f}",
            )
            for one in found
        ],
    )


@scores.command("disable")
def disable_scores(
    project: Project, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False
) -> None:
    """Leave a project's scores as the model gives them.

    Example: mitagger learned scores disable default
    """
    _switch_scores(project, on=False, target=Target(server, key, data), json=json)


@scores.command("enable")
def enable_scores(
    project: Project, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False
) -> None:
    """Let reviews teach of a project's scores again.

    Example: mitagger learned scores enable default
    """
    _switch_scores(project, on=True, target=Target(server, key, data), json=json)


def _switch_scores(project: str, *, on: bool, target: Target, json: bool) -> None:
    one = asked(target, lambda client: client.switch_scores(project, on=on), connect=loaded)
    said(one, f"{one.project}: {one.state}", json=json)


def _scope(id: str, scope: Literal["project", "site"], *, target: Target, json: bool) -> None:
    one = asked(target, lambda client: client.scope_learned(id, scope), connect=loaded)
    said(one, f"{one.name}: applies to the {one.scope}", json=json)


def _switch(id: str, *, on: bool, target: Target, json: bool) -> None:
    one = asked(target, lambda client: client.switch_learned(id, on=on), connect=loaded)
    said(one, f"{one.name}: {one.state}", json=json)
