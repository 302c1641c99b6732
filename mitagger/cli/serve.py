"""`mitagger serve`."""

from pathlib import Path
from typing import Annotated

import typer

from mitagger.cli.connection import settings_of
from mitagger.cli.outcome import failed
from services.gateway.routes import SERVICES
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
    flags = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    try:
        settings = settings_of(data).model_copy(update=flags)
        # Heavy, and needed only here; one service is served without loading the others.
        if services and set(services) != set(SERVICES):
            from mitagger import serve_one  # noqa: PLC0415

            serve_one.run(settings, services)
        else:
            from mitagger import serve as serve_all  # noqa: PLC0415

            serve_all.run(settings)
    except MitaggerError as error:
        raise failed(error) from error
