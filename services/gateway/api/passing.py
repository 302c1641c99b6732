"""Doors that pass on: each route of the table goes to its service, with a signed token of who asks, or with the grant
in its path."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Request, Response

from services.gateway.api.asking import PersonDep
from services.gateway.audit import Audit
from services.gateway.origin import SAFE
from services.gateway.routes import ROUTES, Route
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
        return await _passed(route, hop, request, signer.token(person.caller, hop.service))

    return pass_on


def _granted(route: Route, hop: Hop) -> Endpoint:
    async def pass_on(request: Request) -> Response:
        return await _passed(route, hop, request, "")

    return pass_on


def _recorded(route: Route, endpoint: Endpoint, audit: Audit) -> Endpoint:
    """What administrators change in the services is recorded here, where every call passes."""

    async def pass_on(request: Request, person: PersonDep) -> Response:
        if not person.caller.administers:
            return await endpoint(request, person)
        target = ",".join(request.path_params.values())
        async with audit.recorded(person.caller.person, f"{route.method} {route.path}", target) as act:
            answer = await endpoint(request, person)
            if answer.status_code >= 400:
                act.outcome = "refused" if answer.status_code < 500 else "failed"
        return answer

    return pass_on


async def _passed(route: Route, hop: Hop, request: Request, token: str) -> Response:
    answer = await hop.request(
        route.method,
        _path(route, request.path_params),
        token=token,
        params=request.query_params.multi_items(),
        headers={name: value for name in SENT_ON if (value := request.headers.get(name)) is not None},
        content=await request.body(),
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
