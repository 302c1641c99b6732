"""`mitagger doctor`."""

import typer

from mitagger.cli.connection import Data, Json, settings_of
from mitagger.cli.outcome import SOME_FAILED, perform
from mitagger.cli.output import as_json


def doctor(data: Data = None, json: Json = False) -> None:
    """Look at settings, engines, topics, indexes, consumers and disk; say what is wrong and what to do.

    Works while the services run and while they do not. Exit code 1 when there is a problem.

    Example: mitagger doctor
    """
    from mitagger.doctor import Level, examine  # noqa: PLC0415 - heavy, and needed only here

    findings = perform(examine(settings_of(data)))
    if json:
        as_json(findings)
    else:
        for one in findings:
            typer.echo(f"{one.level:8} {one.subject}: {one.what}")
            if one.remedy:
                typer.echo(f"{'':8}   {one.remedy}")
    if any(one.level is Level.PROBLEM for one in findings):
        raise typer.Exit(SOME_FAILED)
