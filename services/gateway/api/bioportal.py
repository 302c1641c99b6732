"""The door for clients of BioPortal: its routes at its paths, its ways to send a key and parameters, its errors.

What they ask is passed on to `recommender`, which answers as BioPortal does; docs/bioportal.md.
"""

import json
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.gateway.identity import Identity, Person
from shared.errors import Invalid, MitaggerError, TooLarge, Unauthenticated
from shared.grants import Signer
from shared.http import Hop, status_of

PATHS: Final = (("/annotator", ("GET", "POST")), ("/annotator/recognizers", ("GET",)), ("/search", ("GET", "POST")))
MOST_PARAMETERS: Final = 100
KEY: Final = "apikey"
SECONDS: Final = 60.0  # the first request ever also makes the index of names
_HEADER: Final = re.compile(r"apikey\s+token=\"?([^\"]+)\"?", re.IGNORECASE)


def router(who: Identity, recommender: Hop, signer: Signer) -> APIRouter:
    """The routes; not in the OpenAPI document, for their description is BioPortal's."""
    routes = APIRouter()

    async def answer(request: Request) -> Response:
        try:
            parameters = await _parameters(request)
            person = await _person(who, request, parameters.pop(KEY, ""))
            found = await recommender.request(
                "POST",
                request.url.path,
                token=signer.token(person.caller, recommender.service),
                json={"base": str(request.base_url).rstrip("/"), "parameters": parameters},
                seconds=SECONDS,
            )
        except MitaggerError as error:
            return _refused(status_of(error), str(error))
        if found.status_code >= 400:
            said = found.json()
            return _refused(found.status_code, f"{said.get('detail', '')} {said.get('remedy', '')}".strip())
        return Response(found.content, media_type="application/json")

    for path, methods in PATHS:
        routes.add_api_route(path, answer, methods=list(methods), include_in_schema=False)
    return routes


async def _person(who: Identity, request: Request, key: str) -> Person:
    """Raises Unauthenticated."""
    sent = _HEADER.fullmatch(request.headers.get("authorization", "").strip())
    if not (key or sent):
        raise Unauthenticated(
            "You must provide an API Key either using the query-string parameter `apikey` or the `Authorization`"
            " header: `Authorization: apikey token=my_apikey`."
        )
    return await who.by_key(sent[1] if sent else key)


async def _parameters(request: Request) -> dict[str, str]:
    """Of the query and the body (a form, or a JSON object); one that comes several times is a list. Raises Invalid."""
    pairs = list(request.query_params.multi_items())
    if body := await request.body():
        try:
            if "json" in request.headers.get("content-type", ""):
                pairs += _flat(json.loads(body))
            else:
                pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except (ValueError, RecursionError) as error:
            raise Invalid(
                "The body cannot be read.", remedy="Send a form in UTF-8, or a JSON object with its content type."
            ) from error
    if len(pairs) > MOST_PARAMETERS:
        raise TooLarge(f"More than {MOST_PARAMETERS} parameters.")
    if any("\ud800" <= sign <= "\udfff" for pair in pairs for part in pair for sign in part):
        raise Invalid("Half of a surrogate pair is no character.", remedy="Repair the JSON escapes.")
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _flat(body: object) -> Iterable[tuple[str, str]]:
    """Raises ValueError."""
    if not isinstance(body, dict):
        raise ValueError("no object")
    for name, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield name, one
            elif isinstance(one, bool | int):
                yield name, json.dumps(one)
            elif one is not None:
                raise ValueError("neither text, number nor boolean")


def _refused(status: int, message: str) -> Response:
    """BioPortal's error bodies. What our doors call unprocessable, it calls bad."""
    status = 400 if status == 422 else status
    body = {"error": message} if status == 401 else {"errors": [message]}
    return JSONResponse({**body, "status": status}, status)
