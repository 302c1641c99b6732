"""Doors for people without the workbench: the page at `/` with its form to sign in."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Form, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from services.gateway.api.asking import COOKIE, asking
from services.gateway.api.identity import open_session
from services.gateway.api.system import VERSION, Observer
from services.gateway.identity import Identity
from services.gateway.origin import refuse_foreign
from services.gateway.page import Group, View, page
from shared.errors import Unauthenticated

FOLDER: Final = Path(__file__).parent.parent / "pages"
# No inline script or style, no foreign host, nobody's frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)


def router(identity: Identity, observer: Observer) -> APIRouter:
    """The page and its forms."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def show(request: Request) -> HTMLResponse:
        try:
            person = await asking(request)
        except Unauthenticated:
            return await _welcome(observer)
        if not person.caller.may("system.read"):
            ready = await observer.ready()
            return _html(View(VERSION, observer.services, ready.problems, name=person.name))
        status = await observer.status(person.caller)
        groups = [Group(p.group, p.topic, p.behind, p.moved_at, p.waiting_for) for p in status.progress]
        return _html(
            View(
                VERSION,
                status.services,
                status.problems,
                name=person.name,
                figures=status.figures,
                groups=groups,
                dead_letters=status.dead_letters,
                quarantine=status.quarantine,
            )
        )

    @routes.post("/sign-in")
    async def sign_in(
        request: Request,
        name: Annotated[str, Form(max_length=200)],
        password: Annotated[str, Form(max_length=1000)],
    ) -> Response:
        answer = RedirectResponse("/", status_code=303)
        try:
            await open_session(identity, request, answer, name, password)
        except Unauthenticated as error:
            return await _welcome(observer, error.message, 401)
        except HTTPException as error:
            return await _welcome(observer, error.detail, error.status_code)
        return answer

    @routes.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        refuse_foreign(request.method, request.headers)
        if secret := request.cookies.get(COOKIE):
            await identity.sign_out(secret)
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    return routes


async def _welcome(observer: Observer, message: str = "", status: int = 200) -> HTMLResponse:
    ready = await observer.ready()
    return _html(View(VERSION, observer.services, ready.problems, message=message), status)


def _html(view: View, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page(view), status, {"Content-Security-Policy": POLICY})
