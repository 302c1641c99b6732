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
from shared.http import Hop, Problem
from shared.service import Service
from shared.settings import Settings

PATH: Final = Path(services.gateway.service.__file__).parent / "openapi.json"
PUBLIC: Final = "/api/v1/"
DESCRIPTION: Final = """\
Figures in, reviewed tags out. Sign in (`POST /api/v1/session`) or send an API key (`Authorization: Bearer …`).
Lists have cursors; documents have ETags, which `If-Match` sends back; errors are problems (RFC 9457) that say what to
do."""

# What stands under each tag, for who browses.
TAGS: Final = {
    "adjudication": "Figures that several people tagged: where they differ, and what is kept.",
    "articles": "What figures belong to: articles, and collections of figures without one.",
    "assignments": "Work: who tags which figure, decisions, submission, review, history; handing out and the pool.",
    "concepts": "Concepts of the vocabularies in use: found as one types, with parents and descendants.",
    "erasures": "Erasing for good, in two steps: what would go is shown first.",
    "events": "What happened, to follow or to pull; events that a consumer could not handle.",
    "export": "Search, and figures with their tags as CSV or XML.",
    "figures": "Figures with their legends and pictures; looking into a picture.",
    "identity": "Signing in, sessions, people, invitations, API keys, the record of administration.",
    "imports": "Many figures at once: rows with uploads, or a zip.",
    "learned": "What approved reviews taught: names, suppressed meanings, scores.",
    "mappings": "Mappings between vocabularies.",
    "projects": "Projects, members, guidelines, rules, measures.",
    "quality": "Gold figures, newcomers, and how much reviewers look at.",
    "quarantine": "Pictures that wait until an administrator has looked at them.",
    "system": "What runs, and how far it is.",
    "vocabularies": "Vocabularies that a site brings, their versions, and the table of axes.",
}
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
    for operations in found["paths"].values():
        for operation in operations.values():
            _as_it_answers(operation)
    schemas = {**found["components"]["schemas"], "Problem": Problem.model_json_schema()}
    found["components"] = {
        "schemas": _used(found["paths"], schemas),
        "securitySchemes": {
            "session": {"type": "apiKey", "in": "cookie", "name": "mitagger_session"},
            "key": {"type": "http", "scheme": "bearer"},
        },
    }
    found["security"] = [{"session": []}, {"key": []}]
    for path, operations in found["paths"].items():
        for operation in operations.values():
            operation.setdefault("tags", [path.removeprefix(PUBLIC).split("/")[0]])
    found["tags"] = [{"name": name, "description": said} for name, said in TAGS.items()]
    text = _LONG_NAME.sub(lambda name: name[1].capitalize() + name[2], json.dumps(found))
    short: dict[str, Any] = json.loads(text)
    return short


def _as_it_answers(operation: dict[str, Any]) -> None:
    """What FastAPI cannot know: every error is a problem, its own of validation too; and a parameter that may be left
    out cannot be sent as null."""
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "What is wrong, and what to do",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        choices = [choice for choice in schema.pop("anyOf", ()) if choice != {"type": "null"}]
        schema |= choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {}


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
