"""`mitagger bioportal`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json
from mitagger.client import models as m
from shared.access import DEFAULT_PROJECT

app = typer.Typer(no_args_is_help=True, help="Whether texts of a project may be sent to BioPortal.")

Project = Annotated[str, typer.Argument(help="The project's id.")]


@app.command()
def show(
    project: Project = DEFAULT_PROJECT, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False
) -> None:
    """Show whether texts of a project are sent to BioPortal, and who allowed it.

    Example: mitagger bioportal show default
    """
    _tell(asked(Target(server, key, data), lambda client: client.bioportal_consent(project)), json=json)


@app.command()
def allow(
    project: Project,
    *,
    reports: Annotated[bool, typer.Option("--reports", help="Consent to send reports too.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Let legends of a project leave the site for BioPortal; reports only with --reports.

    Example: mitagger bioportal allow default
    """
    _say(project, legends=True, reports=reports, target=Target(server, key, data), json=json)


@app.command()
def forbid(project: Project, *, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Send nothing of a project to BioPortal any more.

    Example: mitagger bioportal forbid default
    """
    _say(project, legends=False, reports=False, target=Target(server, key, data), json=json)


def _say(project: str, *, legends: bool, reports: bool, target: Target, json: bool) -> None:
    _tell(asked(target, lambda client: client.allow_bioportal(project, legends=legends, reports=reports)), json=json)


def _tell(one: m.BioPortalConsent, *, json: bool) -> None:
    if json:
        as_json(one)
        return
    typer.echo(f"Asked: {one.server or 'nobody; set MITAGGER_BIOPORTAL first'}")
    for what, allowed, by, at in (
        ("Legends", one.legends, one.legends_by, one.legends_at),
        ("Reports", one.reports, one.reports_by, one.reports_at),
    ):
        typer.echo(f"{what}: sent, allowed by {by} on {at:%Y-%m-%d}" if allowed and at else f"{what}: not sent")
