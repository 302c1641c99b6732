"""Doors of who asks: signing in and out, one's sessions and password, and the link that sets a first one."""

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.asking import COOKIE, PersonDep
from services.gateway.api.bodies import Body, Name, Password
from services.gateway.identity import SESSION_TIME, Identity, Person
from services.gateway.origin import refuse_foreign
from services.gateway.throttle import Throttled
from shared.access import Role
from shared.errors import Forbidden

LinkText = Annotated[str, Field(min_length=1, max_length=200, description="What follows `/join#` in the link")]


class SignIn(Body):
    """Name and password of an account."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "administrator", "password": "the one the first start printed"}]}
    )

    name: Name
    password: Password


class SessionView(BaseModel):
    """Who is signed in. `expires_at` is null for API keys."""

    person: str
    name: str
    roles: list[Role]
    expires_at: datetime | None


class OpenSession(BaseModel):
    """One of your sessions. `agent`: the browser, as it calls itself."""

    id: str
    created_at: datetime | None
    expires_at: datetime
    agent: str
    current: bool


class OpenSessions(BaseModel):
    """Newest first."""

    items: list[OpenSession]


class NewPassword(Body):
    """The old password, and the one to come."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"old": "four unrelated words", "password": "five quite different words"}]}
    )

    old: Password
    password: Password


class LinkRead(Body):
    """A link, as the administrator gave it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"link": "0123456789abcdef0123456789abcdef_secret"}]})

    link: LinkText


class LinkUsed(LinkRead):
    """A link, and the password to set."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"link": "0123456789abcdef0123456789abcdef_secret", "password": "four quite unrelated words"},
            ]
        }
    )

    password: Password


class LinkView(BaseModel):
    """Whose password the link sets. `invited`: it will be the first one."""

    name: str
    roles: list[Role]
    invited: bool
    expires_at: datetime


def router(identity: Identity) -> APIRouter:
    """The routes of whoever asks."""
    routes = APIRouter(tags=["identity"])

    @routes.post("/api/v1/session", status_code=201, summary="Sign in")
    async def sign_in(request: Request, response: Response, body: SignIn) -> SessionView:
        """Sets the session cookie (HttpOnly, SameSite=Strict, 12 hours; Secure where the address is https)."""
        refuse_foreign(request.method, request.headers)
        address = request.client.host if request.client else ""
        try:
            opened = await identity.sign_in(body.name, body.password, address=address, agent=agent_of(request))
        except Throttled as wait:
            seconds = math.ceil(wait.seconds)
            raise HTTPException(
                429,
                f"Too many wrong passwords for this name, or from this address. Try again in {seconds} s.",
                {"Retry-After": str(seconds)},
            ) from wait
        return await keep_session(identity, request, response, opened)

    @routes.get("/api/v1/session", summary="Show who is signed in")
    async def session(person: PersonDep) -> SessionView:
        return _session(person)

    @routes.delete("/api/v1/session", status_code=204, summary="Sign out")
    async def sign_out(request: Request, response: Response, person: PersonDep) -> None:
        """Ends the session of the cookie; an API key stays as it is."""
        if secret := request.cookies.get(COOKIE):
            await identity.sign_out(secret)
        response.delete_cookie(COOKIE)

    @routes.put("/api/v1/session/password", summary="Change your password")
    async def change_password(
        request: Request, response: Response, person: PersonDep, body: NewPassword
    ) -> SessionView:
        """Needs the old one. Ends your other sessions, and gives this one a new cookie."""
        _in_person(person)
        try:
            account = await identity.change_password(person.caller.person, body.old, body.password)
        except Throttled as wait:
            seconds = math.ceil(wait.seconds)
            raise HTTPException(
                429, f"Too many wrong passwords. Try again in {seconds} s.", {"Retry-After": str(seconds)}
            ) from wait
        opened = await identity.open_session(account, agent=agent_of(request))
        return await keep_session(identity, request, response, opened)

    @routes.get("/api/v1/sessions", summary="List your sessions")
    async def sessions(person: PersonDep) -> OpenSessions:
        _in_person(person)
        held = await identity.sessions(person.caller.person)
        return OpenSessions(
            items=[
                OpenSession(
                    id=one.id,
                    created_at=one.created_at,
                    expires_at=one.expires_at,
                    agent=one.agent,
                    current=one.id == person.session,
                )
                for one in held
            ]
        )

    @routes.delete("/api/v1/sessions", status_code=204, summary="Sign out everywhere")
    async def sign_out_everywhere(response: Response, person: PersonDep) -> None:
        """Ends all your sessions, this one too. API keys stay."""
        _in_person(person)
        await identity.accounts.end_sessions(person.caller.person)
        response.delete_cookie(COOKIE)

    @routes.delete("/api/v1/sessions/{id}", status_code=204, summary="End one of your sessions")
    async def end_session(person: PersonDep, id: str) -> None:
        _in_person(person)
        await identity.end_session(person.caller.person, id)

    @routes.post("/api/v1/join/link", summary="Show whom a link is for")
    async def read_link(body: LinkRead) -> LinkView:
        """Needs nobody signed in: the link is the permission. (Sent as a body, so that it stands in no log.)"""
        account = await identity.accounts.linked(body.link)
        assert account.link is not None  # noqa: S101 - else it were void
        return LinkView(
            name=account.name,
            roles=list(Person(account.caller, account.name).roles),
            invited=account.state == "invited",
            expires_at=account.link.expires_at,
        )

    @routes.post("/api/v1/join", status_code=201, summary="Set a password by a link, and sign in")
    async def join(request: Request, response: Response, body: LinkUsed) -> SessionView:
        """For who is invited, and for who lost the password. The link works once; earlier sessions end."""
        refuse_foreign(request.method, request.headers)
        account = await identity.accounts.use_link(body.link, body.password)
        opened = await identity.open_session(account, agent=agent_of(request))
        return await keep_session(identity, request, response, opened)

    return routes


async def keep_session(
    identity: Identity, request: Request, response: Response, opened: tuple[Person, str]
) -> SessionView:
    """Sets the cookie of a new session, and ends the one that it replaces."""
    person, secret = opened
    if before := request.cookies.get(COOKIE):
        await identity.sign_out(before)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_TIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return _session(person)


def _in_person(person: Person) -> None:
    """Raises Forbidden for API keys: who steals one must not get more than it can do itself."""
    if person.session is None:
        raise Forbidden("An API key cannot do this.", remedy="Sign in with name and password.")


def agent_of(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _session(person: Person) -> SessionView:
    return SessionView(person=person.caller.person, name=person.name, roles=person.roles, expires_at=person.expires_at)
