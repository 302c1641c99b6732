"""Doors of sign-in by the OpenID Connect provider. Browsers come here by themselves, so problems are pages."""

import math
from html import escape
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from services.gateway.api.identity import agent_of, keep_session
from services.gateway.api.workbench import PAGES
from services.gateway.identity import Identity
from services.gateway.oidc import OpenIdConnect
from services.gateway.throttle import Throttled
from shared.errors import Invalid, MitaggerError, NotFound
from shared.grants import ATTEMPT_SECONDS
from shared.http import status_of

PATH: Final = "/api/v1/session/oidc"
ATTEMPT_COOKIE: Final = "mitagger_oidc"
LONGEST_PAGE: Final = 1000
Answer = Annotated[str, Query(max_length=4000)]
_PAGE: Final = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>MITagger</title></head><body>"
    '<h1>You are not signed in</h1><p>{message}</p><p>{remedy}</p><p><a href="/">Back to MITagger</a></p></body></html>'
)


class SignInMethods(BaseModel):
    """How one may sign in, beside name and password. `oidc`: the name of the OpenID Connect provider; null: none."""

    oidc: Annotated[str | None, Field(description="Begin at /api/v1/session/oidc")]


def router(identity: Identity, oidc: OpenIdConnect | None) -> APIRouter:
    """The routes of the OpenID Connect provider, and of the question whether there is one."""
    routes = APIRouter(tags=["identity"])

    @routes.get("/api/v1/session/methods", summary="Show how one may sign in")
    async def methods() -> SignInMethods:
        return SignInMethods(oidc=oidc.name if oidc else None)

    @routes.get(
        PATH, status_code=303, summary="Sign in by OpenID Connect", response_class=RedirectResponse,
    )  # fmt: skip
    async def begin(request: Request, page: Annotated[str, Query(max_length=LONGEST_PAGE)] = "/") -> Response:
        """Sends the browser to the provider. `page`: the page of the workbench to come back to."""
        try:
            to = own_page(page)
            address, slip = await _there(oidc).begin(str(request.url_for("oidc_callback")), to)
        except MitaggerError as error:
            return _told(error)
        answer = RedirectResponse(address, 303)
        answer.set_cookie(
            ATTEMPT_COOKIE,
            slip,
            max_age=ATTEMPT_SECONDS,
            path=PATH,
            httponly=True,
            samesite="lax",  # it is the provider's page that sends the browser back
            secure=request.url.scheme == "https",
        )
        return answer

    @routes.get(
        f"{PATH}/callback",
        status_code=303,
        name="oidc_callback",
        summary="Come back from the OpenID Connect provider",
        response_class=RedirectResponse,
    )
    async def callback(
        request: Request, state: Answer = "", code: Answer = "", iss: Answer = "", error: Answer = ""
    ) -> Response:
        """For browsers that the provider sends: opens the session, once, and leads to the page where it began."""
        try:
            person, secret, page = await _there(oidc).finish(
                request.cookies.get(ATTEMPT_COOKIE, ""),
                state=state,
                code=code,
                issuer=iss,
                error=error,
                address=request.client.host if request.client else "",
                agent=agent_of(request),
            )
        except Throttled as wait:
            seconds = math.ceil(wait.seconds)
            answer = _page("Too many sign-ins failed from this address.", f"Try again in {seconds} s.", 429)
            answer.headers["Retry-After"] = str(seconds)
            return answer
        except MitaggerError as problem:
            return _told(problem)
        answer = RedirectResponse(page, 303)
        await keep_session(identity, request, answer, (person, secret))
        answer.delete_cookie(ATTEMPT_COOKIE, path=PATH)
        return answer

    return routes


def own_page(path: str) -> str:
    """The path, where it is one of the workbench's. Raises Invalid: nobody is led to another place from here."""
    whole = path.startswith("/") and path.isascii() and path.isprintable() and "\\" not in path
    if not whole or path.startswith("//") or urlsplit(path).path.split("/")[1] not in ("", *PAGES):
        raise Invalid("There is no such page here.", field="page", remedy="Sign in from MITagger's own page.")
    return path


def _there(oidc: OpenIdConnect | None) -> OpenIdConnect:
    if oidc is None:
        raise NotFound("Nobody signs in by OpenID Connect here.", remedy="Set MITAGGER_OIDC (docs/access.md).")
    return oidc


def _told(error: MitaggerError) -> Response:
    return _page(error.message, error.remedy, status_of(error))


def _page(message: str, remedy: str, status: int) -> Response:
    return HTMLResponse(_PAGE.format(message=escape(message), remedy=escape(remedy)), status)
