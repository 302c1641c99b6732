"""Writes services/gateway/openapi.json, the one document of the public API, from the code: `python -m tools.openapi`.

It is the gateway's own routes and the services' that it passes on.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

import services.annotation.service
import services.export.service
import services.gateway.service
import services.ingest.service
import services.nlp.service
import services.recommender.service
from services.gateway.api.system import VERSION
from services.recommender.loading import Library
from shared.engine import opened
from shared.http import Hop
from shared.service import Service
from shared.settings import Settings

PATH: Final = Path(services.gateway.service.__file__).parent / "openapi.json"
PUBLIC: Final = "/api/v1/"
DESCRIPTION: Final = """\
Figures in, reviewed tags out. Sign in (`POST /api/v1/session`) or send an API key (`Authorization: Bearer …`).
Lists have cursors; documents have ETags, which `If-Match` sends back; errors are problems (RFC 9457) that say what to
do."""

# What the gateway begins and ingest ends has an answer of ingest's: (route, status) → the route that shows it.
_ANSWERS: Final = (
    ("/api/v1/figures", "201", "/api/v1/figures/{id}"),
    ("/api/v1/imports/archive", "202", "/api/v1/imports/{id}"),
)
_REFERENCE: Final = re.compile(r"'#/components/schemas/([^']+)'")
# How FastAPI tells schemas of one name apart: by module.
_LONG_NAME: Final = re.compile(r"services__(\w+?)__(?:\w+__)*(\w+)")


async def doors() -> dict[str, ASGIApp]:
    """The HTTP doors of all services by name, wired but not started."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder, "data"), cache=Path(folder, "cache"))
        async with opened(settings, ()) as engine:
            behind: list[Service] = [
                services.ingest.service.build(engine, workers=1),
                services.nlp.service.build(engine),
                services.recommender.service.build(engine, library=Library(settings)),
                services.annotation.service.build(engine),
                services.export.service.build(engine),
            ]
            hops = {one.name: Hop(one.name, app=one.app) for one in behind if one.app is not None}
            gateway = services.gateway.service.build(engine, hops, upload_bytes=settings.upload_bytes)
            await gateway.stop()
            return {one.name: one.app for one in (gateway, *behind) if one.app is not None}


def union(apps: Iterable[ASGIApp | None], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 of every public route of these doors, in order of paths."""
    routes: list[BaseRoute] = []
    for app in apps:
        if isinstance(app, FastAPI):
            routes.extend(app.routes)
    found = get_openapi(title="MITagger", version=version, description=DESCRIPTION, routes=routes)
    found["paths"] = {path: found["paths"][path] for path in sorted(found["paths"]) if path.startswith(PUBLIC)}
    for path, status, shown in _ANSWERS:
        answer = found["paths"][shown]["get"]["responses"]["200"]
        found["paths"][path]["post"]["responses"][status]["content"] = answer["content"]
    found["components"] = {
        "schemas": _used(found["paths"], found["components"]["schemas"]),
        "securitySchemes": {
            "session": {"type": "apiKey", "in": "cookie", "name": "mitagger_session"},
            "key": {"type": "http", "scheme": "bearer"},
        },
    }
    found["security"] = [{"session": []}, {"key": []}]
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation.setdefault("tags", [path.removeprefix(PUBLIC).split("/")[0]])
    text = _LONG_NAME.sub(lambda name: name[1].capitalize() + name[2], json.dumps(found))
    short: dict[str, Any] = json.loads(text)
    return short


def _used(paths: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """The schemas that the paths need, directly or through others."""
    used: set[str] = set()
    open_ = set(_REFERENCE.findall(str(paths)))
    while open_:
        name = open_.pop()
        used.add(name)
        open_ |= set(_REFERENCE.findall(str(schemas[name]))) - used
    return {name: schemas[name] for name in sorted(used)}


def document() -> dict[str, Any]:
    """The public API as OpenAPI."""
    return union(asyncio.run(doors()).values(), VERSION)


def text() -> str:
    """As it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    print(f"wrote {PATH.name}: {len(document()['paths'])} paths")
