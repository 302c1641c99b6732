"""`mitagger serve`."""

from pathlib import Path
from typing import Annotated

import typer

from mitagger.cli.connection import settings_of
from mitagger.cli.outcome import failed
from shared.errors import MitaggerError


def serve(
    services: Annotated[list[str] | None, typer.Argument(help="Some services only; needs other engines.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Data folder; default: the settings'.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = None,
) -> None:
    """Run all services in this process, until Ctrl+C.

    The first start prints the administrator's generated password, once.

    Example: mitagger serve --data ./data --port 8420
    """
    # Heavy, and needed only here.
    from mitagger.serve import run  # noqa: PLC0415

    flags = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        run(settings_of(data).model_copy(update=flags), services or [])
    except MitaggerError as error:
        raise failed(error) from error
