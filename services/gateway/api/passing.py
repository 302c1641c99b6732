"""Doors that pass on: each route of the table goes to its service, with a signed token of who asks, or with the grant
in its path."""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.gateway.api.asking import PersonDep, require_project
from services.gateway.audit import Audit
from services.gateway.identity import Identity
from services.gateway.origin import SAFE
from services.gateway.projects import Pair, ProjectsOfTheSite
from services.gateway.routes import ROUTES, Route
from shared.access import DEFAULT_PROJECT, Caller
from shared.errors import NotFound
from shared.grants import Signer
from shared.http import Hop

SENT_ON: Final = ("if-match", "if-none-match", "content-type", "accept")
SENT_BACK: Final = ("content-type", "etag", "location", "retry-after", "cache-control")

Endpoint = Callable[..., Coroutine[Any, Any, Response]]


def router(hops: Mapping[str, Hop], signer: Signer, audit: Audit) -> APIRouter:
    """The routes of the services that have a door. Their descriptions stand in the services."""
    routes = APIRouter()
    for route in ROUTES:
        if hop := hops.get(route.service):
            endpoint = _granted(route, hop) if route.granted else _endpoint(route, hop, signer)
            if not (route.granted or route.daily or route.method in SAFE):
                endpoint = _recorded(route, endpoint, audit)
            routes.add_api_route(route.path, endpoint, methods=[route.method], include_in_schema=False)
    return routes


def _endpoint(route: Route, hop: Hop, signer: Signer) -> Endpoint:
    async def pass_on(request: Request, person: PersonDep) -> Response:
        for project in _named(route, request):
            await require_project(request, person, project)
        content, caller = await request.body(), person.caller
        if route.people:
            content, caller = await _with_people(route, request, caller, content)
        answer = await _passed(route, hop, request, signer.token(caller, hop.service), content)
        return await _with_names(request, answer, content) if route.people and answer.status_code >= 400 else answer

    return pass_on


def _named(route: Route, request: Request) -> set[str]:
    """Projects that the address names."""
    named = set(request.query_params.getlist("project"))
    return named | {request.path_params["id"]} if route.path.startswith("/api/v1/projects/{id}") else named


async def _with_people(route: Route, request: Request, caller: Caller, content: bytes) -> tuple[bytes, Caller]:
    """The body with the reviewers of the annotators that it names; or, who asks for the next figure, the caller with
    their own reviewer. Who is in a project as what is known here alone. Raises Forbidden, Invalid where somebody named
    is not what they must be, or a pool asks for more annotators than there are."""
    projects: ProjectsOfTheSite = request.app.state.identity.projects
    project = request.query_params.get("project", DEFAULT_PROJECT)
    if route.path.endswith("/next"):
        reviewer = await projects.reviewer_of(project, caller.person)
        return content, replace(caller, reviewers={project: reviewer} if reviewer else {})
    caller.require("assignment.create", project=project)
    body = _parsed(content)
    if body is None:
        return content, caller  # the service says what is wrong with it
    if route.path.endswith("/pool"):
        await projects.require_team(project, _overlap_in(body))
        return content, caller
    named = pairs_in(body)
    paired = await projects.paired(project, [Pair(one["annotator"], one.get("reviewer")) for one in named])
    for one, (_, reviewer) in zip(named, paired, strict=True):
        one["reviewer"] = reviewer
    return json.dumps(body).encode(), caller


async def _with_names(request: Request, refusal: Response, content: bytes) -> Response:
    """A refusal that names people as people know them: services know those that they are sent by pseudonym alone."""
    identity: Identity = request.app.state.identity
    sent = pairs_in(_parsed(content))
    names = await identity.accounts.names([id for one in sent for id in (one["annotator"], one.get("reviewer")) if id])
    problem = _parsed(bytes(refusal.body))
    said = problem.get("detail") if isinstance(problem, dict) else None
    if not isinstance(said, str) or not any(id in said for id in names):
        return refusal
    for id, name in names.items():
        said = said.replace(id, name)
    return JSONResponse({**problem, "detail": said}, refusal.status_code, media_type=refusal.headers["content-type"])


def _parsed(content: bytes) -> Any:
    """Null where it is no JSON."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def pairs_in(body: Any) -> list[dict[str, Any]]:
    """Parts of a body that name an annotator: itself, or those of its `team`."""
    if not isinstance(body, dict):
        return []
    team = body.get("team")
    parts = [body, *(team if isinstance(team, list) else [])]
    return [
        part
        for part in parts
        if isinstance(part, dict)
        and isinstance(part.get("annotator"), str)
        and isinstance(part.get("reviewer"), str | None)
    ]


def _overlap_in(body: Any) -> int:
    """How many annotators one figure of a pool goes to; 0 where it says nothing of that, or nothing that can be."""
    if not isinstance(body, dict) or not body.get("overlap_share"):
        return 0
    overlap = body.get("overlap", 2)
    return overlap if isinstance(overlap, int) else 0


def _granted(route: Route, hop: Hop) -> Endpoint:
    async def pass_on(request: Request) -> Response:
        return await _passed(route, hop, request, "", await request.body())

    return pass_on


def _recorded(route: Route, endpoint: Endpoint, audit: Audit) -> Endpoint:
    """What administrators and managers change in the services is recorded here, where every call passes."""

    async def pass_on(request: Request, person: PersonDep) -> Response:
        if not person.caller.manages or (route.previews and not _applies(await request.body())):
            return await endpoint(request, person)
        target = ",".join(request.path_params.values())
        action = f"{route.method} {route.path}"
        async with audit.recorded(person.caller.person, action, target, project=_project(route, request)) as act:
            answer = await endpoint(request, person)
            if answer.status_code >= 400:
                act.outcome = "refused" if answer.status_code < 500 else "failed"
        return answer

    return pass_on


def _project(route: Route, request: Request) -> str:
    """In which it is done, as the address says; empty: it names a thing alone."""
    if route.path.startswith("/api/v1/projects/{id}"):
        return str(request.path_params["id"])
    if "project" in request.path_params:
        return str(request.path_params["project"])
    return request.query_params.get("project", DEFAULT_PROJECT) if route.within else ""


def _applies(content: bytes) -> bool:
    try:
        body = json.loads(content)
    except ValueError:
        return False  # the service refuses it
    return isinstance(body, dict) and body.get("apply", False) is not False


async def _passed(route: Route, hop: Hop, request: Request, token: str, content: bytes) -> Response:
    answer = await hop.request(
        route.method,
        _path(route, request.path_params),
        token=token,
        params=request.query_params.multi_items(),
        headers={name: value for name in SENT_ON if (value := request.headers.get(name)) is not None},
        content=content,
        seconds=route.seconds,
    )
    return passed_back(answer)


def passed_back(answer: httpx.Response) -> Response:
    """A service's answer as the gateway's."""
    headers = {name: value for name in SENT_BACK if (value := answer.headers.get(name)) is not None}
    return Response(answer.content, status_code=answer.status_code, headers=headers)


def _path(route: Route, values: Mapping[str, str]) -> str:
    if any(value in (".", "..") for value in values.values()):
        raise NotFound("There is no such thing.")
    return route.path.format_map({name: quote(value, safe=":") for name, value in values.items()})
