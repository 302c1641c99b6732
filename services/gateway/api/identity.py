"""Doors: signing in and out, accounts, API keys."""

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.asking import COOKIE, PersonDep
from services.gateway.identity import SESSION_TIME, Identity, Person, Throttled
from services.gateway.model import Account, Key
from services.gateway.origin import refuse_foreign
from shared.access import DEFAULT_PROJECT, Role
from shared.http import Limit, PageOf

Cursor = Annotated[str | None, Query(max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Password = Annotated[str, Field(min_length=1, max_length=1000)]


class Body(BaseModel):
    """A body: unknown fields are errors, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")


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


class NewAccount(Body):
    """A person who may sign in."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Ada", "password": "four unrelated words", "roles": ["annotator"]}]}
    )

    name: Name
    password: Password
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]


class AccountView(BaseModel):
    """A person: `person` is the pseudonym that assignments, tags and events use."""

    person: str
    name: str
    roles: list[Role]
    created_at: datetime


class NewKey(Body):
    """A key for another system, or a script."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "PACS export", "roles": ["service"]}]})

    name: Name
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)] = ["service"]


class KeyView(BaseModel):
    """An API key, without the key."""

    id: str
    name: str
    roles: list[Role]
    created_at: datetime


class CreatedKey(KeyView):
    """A new API key. `key` is shown here and never again."""

    key: str


async def open_session(identity: Identity, request: Request, response: Response, name: str, password: str) -> Person:
    """Signs in and sets the cookie. Raises Unauthenticated, Forbidden; HTTPException 429 when a name failed often."""
    refuse_foreign(request.method, request.headers)
    try:
        person, secret = await identity.sign_in(name, password)
    except Throttled as wait:
        seconds = math.ceil(wait.seconds)
        raise HTTPException(
            429, f"Too many wrong passwords for this name. Try again in {seconds} s.", {"Retry-After": str(seconds)}
        ) from wait
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(SESSION_TIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return person


def router(identity: Identity) -> APIRouter:
    """The routes of identity."""
    routes = APIRouter()

    @routes.post("/api/v1/session", status_code=201, tags=["identity"], summary="Sign in")
    async def sign_in(request: Request, response: Response, body: SignIn) -> SessionView:
        """Sets the session cookie (HttpOnly, SameSite=Strict, 12 hours)."""
        return _session(await open_session(identity, request, response, body.name, body.password))

    @routes.get("/api/v1/session", tags=["identity"], summary="Show who is signed in")
    async def session(person: PersonDep) -> SessionView:
        return _session(person)

    @routes.delete("/api/v1/session", status_code=204, tags=["identity"], summary="Sign out")
    async def sign_out(request: Request, response: Response, person: PersonDep) -> None:
        """Ends the session of the cookie; an API key stays as it is."""
        if secret := request.cookies.get(COOKIE):
            await identity.sign_out(secret)
        response.delete_cookie(COOKIE)

    @routes.get("/api/v1/accounts", tags=["identity"], summary="List accounts")
    async def accounts(person: PersonDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[AccountView]:
        """By name. Administrators only: names stand nowhere else."""
        person.caller.require("account.write")
        page = await identity.accounts(cursor, limit)
        return PageOf(items=[_account(account) for account in page.items], next=page.next)

    @routes.post("/api/v1/accounts", status_code=201, tags=["identity"], summary="Create an account")
    async def create_account(person: PersonDep, body: NewAccount) -> AccountView:
        person.caller.require("account.write")
        return _account(await identity.create_account(body.name, body.password, body.roles))

    @routes.get("/api/v1/keys", tags=["identity"], summary="List API keys")
    async def keys(person: PersonDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[KeyView]:
        person.caller.require("account.write")
        page = await identity.keys(cursor, limit)
        return PageOf(items=[KeyView(**_key(key)) for key in page.items], next=page.next)

    @routes.post("/api/v1/keys", status_code=201, tags=["identity"], summary="Create an API key")
    async def create_key(person: PersonDep, body: NewKey) -> CreatedKey:
        """The answer is the only place where the key itself ever stands."""
        person.caller.require("account.write")
        key, text = await identity.create_key(body.name, body.roles)
        return CreatedKey(**_key(key), key=text)

    @routes.delete("/api/v1/keys/{id}", status_code=204, tags=["identity"], summary="Delete an API key")
    async def delete_key(person: PersonDep, id: str) -> None:
        """It stops working at once."""
        person.caller.require("account.write")
        await identity.delete_key(id)

    return routes


def _session(person: Person) -> SessionView:
    return SessionView(person=person.caller.person, name=person.name, roles=person.roles, expires_at=person.expires_at)


def _account(account: Account) -> AccountView:
    roles = list(account.roles.get(DEFAULT_PROJECT, ()))
    return AccountView(person=account.id, name=account.name, roles=roles, created_at=account.created_at)


def _key(key: Key) -> dict[str, object]:
    roles = list(key.roles.get(DEFAULT_PROJECT, ()))
    return {"id": key.id, "name": key.name, "roles": roles, "created_at": key.created_at}
