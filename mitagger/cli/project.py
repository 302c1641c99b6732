"""`mitagger project`."""

from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.progress import Progress

from mitagger.cli.asking import asked
from mitagger.cli.connection import PROJECT, Data, Json, Key, Server, Target
from mitagger.cli.named import names_of, people, person
from mitagger.cli.output import as_json, table
from mitagger.cli.roles import roles_of
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient
from mitagger.client import models as m
from shared.access import DEFAULT_PROJECT

app = typer.Typer(no_args_is_help=True, help="Projects, and who is in them as what.")

Id: TypeAlias = Annotated[str, typer.Argument(help="Id of the project, as `list` shows it.")]
Who: TypeAlias = Annotated[str, typer.Argument(help="Name or pseudonym of a person.")]


@app.command("list")
def list_(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List your projects; an administrator's are all.

    Example: mitagger project list
    """
    projects = asked(Target(server, key, data), lambda client: client.projects())
    if json:
        as_json(projects)
        return
    table(
        ("id", "name", "state", "your roles"),
        [(one.id, one.name, "archived" if one.archived else "open", ", ".join(one.roles)) for one in projects],
    )


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="As it is to be shown.")],
    *,
    id: Annotated[str, typer.Option(help="As addresses name it; made of the name where none is given.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Create a project.

    Example: mitagger project create "Atlas of the eye" --id eye-atlas
    """
    made = asked(Target(server, key, data, begins=True), lambda client: client.create_project(name, id=id))
    typer.echo(f"{made.id} is there. Take people in with `mitagger project member {made.id} NAME --role ...`.")


@app.command("move-work")
def move_work(
    of: Annotated[str, typer.Option("--of", help="Name or pseudonym of whose figures to tag go.")],
    *,
    to: Annotated[list[str] | None, typer.Option(help="Names of who gets them, evenly; nobody: back.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, only say what it comes to.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Give others what somebody has to tag, or take it back.

    Example: mitagger project move-work --of Ada --to Bob --to Eve
    """

    async def ask(client: AsyncClient) -> tuple[list[m.Move], dict[str, str]]:
        whose, *others = await people(client, _chosen(), [of, *(to or [])])
        order = {"of": whose, "team": [{"annotator": one} for one in others], "apply": apply}
        parts = [await client.move(**order)]
        while parts[-1].next is not None:
            parts.append(await client.move(**order, cursor=parts[-1].next))
        return parts, await names_of(client, _chosen())

    parts, names = asked(Target(server, key, data), ask)
    if json:
        as_json(parts)
        return
    got: dict[str, int] = {}
    for share in (share for part in parts for share in part.people):
        got[share.annotator] = got.get(share.annotator, 0) + share.figures
    table(("annotator", "figures"), sorted((names.get(one, one), count) for one, count in got.items()))
    count, shared = sum(part.figures for part in parts), sum(part.shared for part in parts)
    stay = f" {shared} stay: the others tag them already." if shared else ""
    typer.echo(f"{count} figures {'went' if apply else 'would go; say --apply to do it'}.{stay}")


@app.command("hand-out")
def hand_out(
    to: Annotated[list[str], typer.Option(help="Name or pseudonym of an annotator; several by repeating it.")],
    *,
    together: Annotated[str, typer.Option(help="article: a paper stays together; or figure.")] = "article",
    overlap_share: Annotated[float, typer.Option(min=0, max=1, help="Share that two people tag.")] = 0.0,
    hidden_share: Annotated[float, typer.Option(min=0, max=1, help="Share without recommendations.")] = 0.05,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Hand out all figures that nobody has, and wait until it is done. It goes on when you stop waiting.

    Example: mitagger project hand-out --to Ada --to Bob
    """

    async def ask(client: AsyncClient) -> tuple[m.Handout, dict[str, str]]:
        job = await client.begin_handout(
            team=[{"annotator": one} for one in await people(client, _chosen(), to)],
            together=together,
            overlap_share=overlap_share,
            hidden_share=hidden_share,
        )
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("figures looked at", total=job.total)
            done = await ended(
                job,
                lambda one: one.state == "running",
                client.handout,
                lambda one: bar.update(task, completed=one.looked),
            )
        return done, await names_of(client, _chosen())

    job, names = asked(Target(server, key, data), ask)
    if json:
        as_json(job)
        return
    table(
        ("annotator", "figures"), [(names.get(share.annotator, share.annotator), share.figures) for share in job.people]
    )
    typer.echo(f"{job.figures} figures were handed out ({job.state}){': ' + job.error if job.error else '.'}")


@app.command()
def rename(id: Id, name: str, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Give a project another name; its id stays.

    Example: mitagger project rename eye-atlas "Atlas of the human eye"
    """
    asked(Target(server, key, data), lambda client: client.change_project(id, name=name))
    typer.echo(f"{id} is called {name}.")


@app.command()
def archive(id: Id, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Close a project for work. It is read, searched and exported as before; nothing of it is lost.

    Example: mitagger project archive eye-atlas
    """
    asked(Target(server, key, data), lambda client: client.change_project(id, archived=True))
    typer.echo(f"{id} is archived. `mitagger project open {id}` opens it again.")


@app.command("open")
def open_(id: Id, server: Server = "", key: Key = "", data: Data = None) -> None:
    """Open an archived project again.

    Example: mitagger project open eye-atlas
    """
    asked(Target(server, key, data), lambda client: client.change_project(id, archived=False))
    typer.echo(f"{id} is open.")


@app.command()
def members(id: Id, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List who is in a project, as what, and who reviews their work.

    Example: mitagger project members eye-atlas
    """
    found = asked(Target(server, key, data), lambda client: client.members(id))
    if json:
        as_json(found)
        return
    names = {one.person: one.name for one in found}
    table(
        ("name", "roles", "reviewer", "state", "pseudonym"),
        [
            (one.name, ", ".join(one.roles), names.get(one.reviewer or "", one.reviewer or ""), one.state, one.person)
            for one in found
        ],
    )


@app.command()
def member(
    id: Id,
    who: Who,
    role: Annotated[list[str], typer.Option("--role", help="May be repeated.", metavar="ROLE")],
    *,
    reviewer: Annotated[str, typer.Option(help="Who reviews their work: name or pseudonym.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Take somebody into a project, or change all that they are there.

    Example: mitagger project member eye-atlas Ada --role annotator --reviewer Grace
    """
    wanted = roles_of(role)

    async def ask(client: AsyncClient) -> m.Member:
        by = await person(client, id, reviewer) if reviewer else None
        return await client.set_member(id, await person(client, id, who), wanted, reviewer=by)

    done = asked(Target(server, key, data), ask)
    typer.echo(f"{done.name}: {', '.join(done.roles)}.")


@app.command()
def remove(
    id: Id,
    who: Who,
    *,
    to: Annotated[str, typer.Option(help="An annotator who gets their open figures; without: released.")] = "",
    reviewer: Annotated[str, typer.Option(help="Who reviews in their place.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Remove somebody from a project. Their open figures go back; their tags stay, under the pseudonym.

    Example: mitagger project remove eye-atlas Ada --to Bob
    """

    async def ask(client: AsyncClient) -> m.Left:
        others = [await person(client, id, one) if one else "" for one in (to, reviewer)]
        return await client.remove_member(id, await person(client, id, who), to=others[0], reviewer=others[1])

    left = asked(Target(server, key, data), ask)
    typer.echo(
        f"{who} is no member any more: {left.released} figures released, {left.reassigned} reassigned,"
        f" {left.reviews} reviews moved."
    )


def _chosen() -> str:
    return PROJECT.get() or DEFAULT_PROJECT
