"""The one OpenAPI document of the public API: the gateway's own routes and the services' that it passes on."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

PUBLIC: Final = "/api/v1/"
DESCRIPTION: Final = """\
Figures in, reviewed tags out. Sign in (`POST /api/v1/session`) or send an API key (`Authorization: Bearer …`).
Lists have cursors; documents have ETags, which `If-Match` sends back; errors are problems (RFC 9457) that say what to
do."""


def document(apps: Iterable[ASGIApp | None], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of every public route of these doors, in order of paths."""
    routes: list[BaseRoute] = []
    for app in apps:
        if isinstance(app, FastAPI):
            routes.extend(public(app.routes))
    routes.sort(key=_place)
    found = get_openapi(title="MITagger", version=version, description=DESCRIPTION, routes=routes)
    found["components"].setdefault("securitySchemes", {}).update(
        {
            "session": {"type": "apiKey", "in": "cookie", "name": "mitagger_session"},
            "key": {"type": "http", "scheme": "bearer"},
        }
    )
    found["security"] = [{"session": []}, {"key": []}]
    return found


def public(routes: Sequence[BaseRoute]) -> list[BaseRoute]:
    """Those that are part of the public API."""
    return [
        route
        for route in routes
        if getattr(route, "path", "").startswith(PUBLIC) and getattr(route, "include_in_schema", False)
    ]


def _place(route: BaseRoute) -> tuple[str, str]:
    return getattr(route, "path", ""), min(getattr(route, "methods", None) or {""})
