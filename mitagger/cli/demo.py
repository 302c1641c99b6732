"""`mitagger demo`."""

from pathlib import Path
from typing import Annotated

import typer
from platformdirs import user_data_path

from mitagger.cli.connection import settings_of
from mitagger.cli.outcome import failed
from mitagger.client import ClientError
from shared.errors import MitaggerError


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the main job instead of serving on.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="The demo's own data folder; emptied first.")] = None,
    team: Annotated[
        bool, typer.Option("--team", help="Six people on one project instead: gold, reviews, adjudication.")
    ] = False,
    figures: Annotated[
        int, typer.Option("--figures", min=40, max=5_000, help="With --team: how many; with fewer, some have none.")
    ] = 100,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Carry sample figures from upload to reviewed tags, and show what happened.

    Example: mitagger demo --once
    """
    # Heavy, and needed only here.
    from mitagger.demo import run  # noqa: PLC0415

    settings = settings_of(data or user_data_path("mitagger-demo", appauthor=False))
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    if "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "warning"})
    try:
        raise typer.Exit(run(settings, once=once, team=figures if team else None))
    except (ClientError, MitaggerError) as error:
        raise failed(error) from error
