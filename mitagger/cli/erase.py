"""`mitagger erase`."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, remarks
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient
from mitagger.client import models as m


def erase(
    *,
    figure: Annotated[list[str] | None, typer.Option(help="A figure's id. May be repeated.")] = None,
    article: Annotated[str | None, typer.Option(help="An article's id, as `GET /api/v1/articles` lists it.")] = None,
    before: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="All that came in before this day (UTC).")
    ] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All figures of the project.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Erase without asking, as a scheduled job does.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Erase figures for good, with all that was made of them: first what would go, then, when you agree, it goes.

    Example: mitagger erase --before 2021-01-01
    """
    if sum((bool(figure), article is not None, before is not None, everything)) != 1:
        raise typer.BadParameter("Say which: one of --figure, --article, --before, --everything.")
    target = Target(server, key, data)

    proposed = asked(
        target,
        lambda client: client.propose_erasure(
            figures=figure or None,
            article=article,
            before=before.replace(tzinfo=UTC) if before else None,
            everything=everything,
        ),
    )
    if not json:
        _tell(proposed)
    if not (yes or typer.confirm(f"Erase {proposed.figures} figures for good?", err=True)):
        raise typer.Exit(1)

    done = asked(target, lambda client: _done(client, proposed))
    if json:
        as_json(done)
    else:
        typer.echo(f"{done.figures} figures are erased.")


def _tell(proposed: m.Erasure) -> None:
    typer.echo(f"{proposed.figures} figures would go, and with them:")
    for name, count in proposed.goes.items():
        typer.echo(f"  {count:>9,} {name}")
    if not proposed.complete:
        typer.echo("These are of the first 20,000 figures; the others were not looked at.")
    typer.echo("Backups keep what is in them; one that is restored erases it again.")


async def _done(client: AsyncClient, proposed: m.Erasure) -> m.Erasure:
    with remarks.status("erasing") as said:
        return await ended(
            await client.confirm_erasure(proposed.id, figures=proposed.figures),
            lambda one: one.state != "done",
            lambda: client.erasure(proposed.id),
            lambda one: said.update(f"{one.left:,} left"),
        )
