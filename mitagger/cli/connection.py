"""Which server a command talks to: the one it is told, else the one that serves the data folder, else none runs and
the command opens the folder itself, for as long as it needs. Where no folder is, only what begins something makes one.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import httpx
import typer

from mitagger.client import AsyncClient
from shared.access import DEFAULT_PROJECT
from shared.errors import NotFound
from shared.settings import EMBEDDED, Settings

Server: TypeAlias = Annotated[
    str,
    typer.Option("--server", envvar="MITAGGER_SERVER", help="Address of the server; default: the data folder's."),
]
# MITAGGER_KEY is taken: it is the setting that signs.
Key: TypeAlias = Annotated[
    str, typer.Option("--key", envvar="MITAGGER_API_KEY", help="API key for --server.", show_default=False)
]
Data: TypeAlias = Annotated[Path | None, typer.Option("--data", help="Data folder; default: the settings'.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Write JSON, for other programs.")]

# What `mitagger --project` names; "": the default one. Typer has a click of its own: the package has no context.
PROJECT: Final[ContextVar[str]] = ContextVar("PROJECT", default="")

Project: TypeAlias = Annotated[
    str,
    typer.Option(
        "--project",
        help="Id of the project; default: what `mitagger --project` says.",
        callback=lambda given: given or PROJECT.get() or DEFAULT_PROJECT,
    ),
]


@dataclass(frozen=True, slots=True)
class Target:
    """What the options say. `begins`: the command brings something in, and may make the data folder for it."""

    server: str
    key: str
    data: Path | None
    begins: bool = False


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[AsyncClient]:
    """A client of the server that the options mean, in the project that `mitagger --project` names. Raises
    NotFound where no server runs and there is nothing to open."""
    project = PROJECT.get()
    if target.server:
        async with AsyncClient(target.server, key=target.key, project=project) as client:
            yield client
        return
    settings = settings_of(target.data)
    if announced := await _announced(settings.data):
        async with AsyncClient(announced[0], key=announced[1], project=project) as client:
            yield client
        return
    if not target.begins:
        _require_store(settings)
    # Heavy, and needed only here.
    from mitagger.serve import running  # noqa: PLC0415

    quiet = settings.model_copy(update={"log_level": "warning", "metrics": ""})
    async with running(quiet, port=0) as server:
        if server.first_sign_in is not None:
            first = server.first_sign_in
            typer.echo(f"New data folder {settings.data}: sign in as {first.name} with {first.password}", err=True)
        async with AsyncClient(server.url, key=server.key, project=project) as client:
            yield client


def settings_of(data: Path | None) -> Settings:
    """The settings, with a flag over them."""
    return Settings(data=data) if data is not None else Settings()


def _require_store(settings: Settings) -> None:
    """Raises NotFound where the folder holds nothing yet. What lies elsewhere (MongoDB) is not looked for."""
    from shared.engine import RESTORING, STORE  # noqa: PLC0415 - heavy

    there = any((settings.data / name).exists() for name in (STORE, RESTORING))
    if settings.documents == EMBEDDED and not there:
        raise NotFound(
            f"No server runs, and there is nothing yet in the data folder {settings.data}.",
            remedy="Begin with `mitagger serve` or `mitagger import FOLDER`, name another data folder by --data, or a "
            "server by --server and --key.",
        )


async def _announced(data: Path) -> tuple[str, str] | None:
    """(address, key) of the server of a data folder, if it answers: a killed one leaves its announcement behind."""
    try:
        text = (data / "server.json").read_text(encoding="utf-8")
        announcement = json.loads(text)
        url, key = str(announcement["url"]), str(announcement["key"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
    async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
        try:
            await http.get(f"{url}/healthz")
        except httpx.TransportError:
            return None
    return url, key
