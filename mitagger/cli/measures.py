"""`mitagger measures`."""

from datetime import datetime
from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Project, Server, Target
from mitagger.cli.output import as_json, remarks, table
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer()
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="UTC.")]


@app.callback(invoke_without_command=True)
def measures(
    context: typer.Context,
    *,
    project: Project = "",
    since: Day = None,
    until: Day = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show how a project gets on: progress, effort saved, people, agreement.

    Example: mitagger measures --since 2026-01-01
    """
    if context.invoked_subcommand is not None:
        return

    found = asked(
        Target(server, key, data),
        lambda client: client.measures(project, since=since and since.date(), until=until and until.date()),
    )
    if json:
        as_json(found)
        return
    typer.echo(", ".join(f"{number:,} {state}" for state, number in found.states.items()) or "Nothing is assigned yet.")
    if found.estimate is not None and found.estimate.left:
        end = found.estimate.end or "unknown: nothing was approved in two weeks"
        typer.echo(f"{found.estimate.left:,} left, {found.estimate.a_day:.1f} approved a day; end {end}")
    typer.echo()
    rows = [*found.axes.items(), ("all", found.effort)]
    table(
        ("axis", "shown", "accepted", "added", "saved (K = 6)"),
        [(axis, *map(str, (one.shown, one.accepted, one.added)), _share(one.saved.get(6))) for axis, one in rows],
    )
    for name, one in (("With", found.assisted), ("Without", found.hidden)):
        if one.figures:
            tags, seconds = _interval(one.tags), _interval(one.seconds)
            typer.echo(f"{name} recommendations: {one.figures:,} figures, tags {tags}, seconds {seconds}")
    if found.agreement is not None and found.agreement.figures:
        agreed = found.agreement
        typer.echo(
            f"Agreement on {agreed.figures:,} figures: F1 {_interval(agreed.f1)}, alpha {_interval(agreed.alpha)}"
        )
    if found.people:
        typer.echo()
        table(
            ("person", "approved", "submitted", "returned", "skipped", "saved (K = 6)", "seconds a figure"),
            [
                (
                    one.person,
                    *(str(one.states.get(state, 0)) for state in ("approved", "submitted", "returned", "skipped")),
                    _share(one.effort.saved.get(6)),
                    _interval(one.tagging.seconds),
                )
                for one in found.people
            ],
        )


@app.command()
def rebuild(server: Server = "", key: Key = "", data: Data = None) -> None:
    """Measure every assignment of all projects again, from its history. May be repeated.

    Example: mitagger measures rebuild
    """

    async def wait(client: AsyncClient) -> m.MeasuresRebuild:
        with remarks.status("measuring"):
            begun = await client.start_measures_rebuild()
            return await ended(begun, lambda one: one.running, client.measures_rebuild)

    done = asked(Target(server, key, data), wait)
    typer.echo(f"Everything is measured as of {done.rebuilt_at:%Y-%m-%d %H:%M:%S} UTC.")


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _interval(measure: m.Interval) -> str:
    if measure.value is None:
        return "unknown"
    if measure.low is None or measure.high is None:
        return f"{measure.value:.2f}"
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})"
