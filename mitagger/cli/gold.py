"""`mitagger gold`."""

from typing import Annotated, Any

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Project, Server, Target
from mitagger.cli.named import names_of, person
from mitagger.cli.output import as_json, table
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="Gold figures, what a project asks of newcomers and reviewers, scores.")

Figure = Annotated[str, typer.Argument(help="The figure's id.")]
Who = Annotated[str, typer.Argument(help="Name or pseudonym of a person.")]


@app.command("list")
def list_(*, project: Project = "", server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List the gold figures.

    Example: mitagger gold list
    """
    found = asked(Target(server, key, data), lambda client: listed(client.gold(project)))
    if json:
        as_json(found)
        return
    rows = [(one.figure, one.label, one.number, len(one.tags), "yes" if one.current else "no") for one in found]
    table(("figure", "label", "version", "tags", "current"), rows)


@app.command()
def mark(figure: Figure, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Make an approved figure's final tags gold, or renew it.

    Example: mitagger gold mark 5f0c6a9be1d24c0c8a3f7be0d2c4e611
    """
    _shown(asked(Target(server, key, data), lambda client: client.mark_gold(figure)), json=json)


@app.command()
def withdraw(figure: Figure, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Let a figure measure nobody any more; scores stay.

    Example: mitagger gold withdraw 5f0c6a9be1d24c0c8a3f7be0d2c4e611
    """
    _shown(asked(Target(server, key, data), lambda client: client.withdraw_gold(figure)), json=json)


@app.command()
def standards(
    *,
    project: Project = "",
    gold_share: Annotated[float | None, typer.Option(min=0, max=0.5, help="Gold figures a production figure.")] = None,
    qualify: Annotated[
        str | None, typer.Option(help="FIGURES:F1[:ATTEMPTS] that newcomers must pass, or none.", metavar="TEXT")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of submitted work that reviewers look at.")
    ] = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what a project asks of the work in it; set what is given.

    Example: mitagger gold standards --gold-share 0.05 --qualify 5:0.8:2 --sample 0.2
    """
    given = {"gold_share": gold_share, "sampling": None if sample is None else {"share": sample}}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if qualify is not None:
        changes["qualification"] = _qualification(qualify)

    async def ask(client: AsyncClient) -> m.Standards:
        found = await client.standards(project)
        if not changes:
            return found
        current = found.model_dump(include={"gold_share", "qualification", "sampling"})
        if sample is not None:
            changes["sampling"] = current["sampling"] | {"share": sample}
        return await client.set_standards(project, version=found.version, **(current | changes))

    found = asked(Target(server, key, data), ask)
    if json:
        as_json(found)
        return
    needed = found.qualification
    typer.echo(f"Gold figures: {found.gold}; {found.gold_share:.0%} as many as production figures are handed out.")
    typer.echo(
        f"Newcomers tag {needed.figures} of them, mean F1 at least {needed.threshold}, {needed.attempts} attempts."
        if needed
        else "Newcomers begin at once."
    )
    rules = found.sampling
    typer.echo(
        f"Reviewers look at {rules.share:.0%} of an annotator's work after the first {rules.window}, at all of it while"
        f" more than {rules.returned:.0%} is sent back or F1 on gold is below {rules.f1}."
        if rules.share < 1
        else "Reviewers look at everything."
    )


@app.command()
def newcomers(
    *, project: Project = "", server: Server = "", key: Key = "", data: Data = None, json: Json = False
) -> None:
    """List who is qualifying, with scores.

    Example: mitagger gold newcomers
    """

    async def ask(client: AsyncClient) -> tuple[list[m.Newcomer], dict[str, str]]:
        return await client.newcomers(project), await names_of(client, project)

    found, names = asked(Target(server, key, data), ask)
    if json:
        as_json(found)
        return
    rows = [
        (names.get(one.person, one.person), one.state, one.attempt, one.scored, _f1(one.f1), _f1(one.best), one.reason)
        for one in found
    ]
    table(("person", "state", "attempt", "scored", "F1", "best", "let in because"), rows)


@app.command()
def admit(
    who: Who,
    *,
    reason: Annotated[str, typer.Option(help="Why they need not pass; it is kept.")],
    project: Project = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Let somebody in, whatever their scores.

    Example: mitagger gold admit Ada --reason "Has curated MONDO for ten years."
    """

    async def ask(client: AsyncClient) -> m.Newcomer:
        return await client.let_in(project, await person(client, project, who), reason)

    found = asked(Target(server, key, data), ask)
    if json:
        as_json(found)
    else:
        typer.echo(f"{who}: {found.state}")


@app.command()
def scores(
    who: Who,
    *,
    project: Project = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List somebody's scores on gold figures, the newest first.

    Example: mitagger gold scores Ada
    """

    async def ask(client: AsyncClient) -> list[m.GoldScore]:
        return await listed(client.gold_scores(project, await person(client, project, who)), limit=limit)

    found = asked(Target(server, key, data), ask)
    if json:
        as_json(found)
        return
    rows = [
        (f"{one.at:%Y-%m-%d}", one.figure, one.attempt or "", _f1(one.precision), _f1(one.recall), _f1(one.f1))
        for one in found
    ]
    table(("day", "figure", "attempt", "precision", "recall", "F1"), rows)


def _qualification(text: str) -> dict[str, float] | None:
    if text == "none":
        return None
    try:
        figures, threshold, *attempts = text.split(":")
        return {"figures": int(figures), "threshold": float(threshold), "attempts": int(*attempts or ("2",))}
    except ValueError as error:
        raise typer.BadParameter("FIGURES:F1 or FIGURES:F1:ATTEMPTS, as 5:0.8:2, or none.") from error


def _shown(one: m.Gold, *, json: bool) -> None:
    if json:
        as_json(one)
    else:
        said = f"gold, version {one.number}, {len(one.tags)} tags" if one.active else "gold no longer"
        typer.echo(f"{one.figure}: {said}")


def _f1(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
