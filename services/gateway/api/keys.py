"""Doors of API keys: of people, and of other systems."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.asking import PersonDep
from services.gateway.api.bodies import Body, Cursor, Name, Roles
from services.gateway.audit import Audit
from services.gateway.keys import PERSONAL_DAYS, Keys
from services.gateway.model import Key
from services.gateway.projects import ProjectsOfTheSite
from shared.access import DEFAULT_PROJECT, OWN, Role
from shared.errors import Forbidden, NotFound
from shared.http import Limit, PageOf


class NewKey(Body):
    """A key for another system: an account of its own, with a pseudonym of its own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "PACS export", "roles": ["service"], "days": 365}]}
    )

    name: Name
    roles: Roles = ["service"]
    projects: Annotated[
        list[Annotated[str, Field(max_length=40)]],
        Field(min_length=1, max_length=100, description="Where it has these roles"),
    ] = [DEFAULT_PROJECT]
    days: Annotated[int | None, Field(ge=1, le=3660, description="Until it expires; null: it does not")] = None


class NewPersonalKey(Body):
    """A key for a script of yours. It can do what you can, or less, and stops when your account does."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "notebook", "days": 30}]})

    name: Name
    roles: Annotated[list[Role], Field(max_length=10, description="Of yours; none: all of them")] = []
    projects: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(max_length=100, description="Of yours; none: all of them")
    ] = []
    days: Annotated[int, Field(ge=1, le=366, description="Until it expires")] = PERSONAL_DAYS


class KeyView(BaseModel):
    """An API key, without the key. `owner`: the person whose key it is; null for another system's. `last_used_at` is
    right to the minute."""

    id: str
    name: str
    roles: list[Role]
    projects: list[str]
    owner: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class CreatedKey(KeyView):
    """A new API key. `key` is shown here and never again."""

    key: str


def router(keys: Keys, projects: ProjectsOfTheSite, audit: Audit) -> APIRouter:
    """The routes of keys."""
    routes = APIRouter(tags=["identity"])

    @routes.get("/api/v1/keys", summary="List API keys")
    async def list_keys(person: PersonDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[KeyView]:
        """Your own; of everybody and every system for administrators."""
        person.caller.require_somewhere("key.write", OWN)
        owner = None if person.caller.may("key.write") else person.caller.person
        page = await keys.page(cursor, limit, owner=owner)
        return PageOf(items=[KeyView(**_key(key)) for key in page.items], next=page.next)

    @routes.post("/api/v1/keys", status_code=201, summary="Create an API key for another system")
    async def create_key(person: PersonDep, body: NewKey) -> CreatedKey:
        """The answer is the only place where the key itself ever stands."""
        person.caller.require("key.write")
        detail = {"roles": ",".join(sorted(set(body.roles)))}
        async with audit.recorded(person.caller.person, "key.create", detail=detail) as act:
            await projects.require(body.projects)
            key, text = await keys.create(body.name, body.roles, body.days, body.projects)
            act.target = key.id
        return CreatedKey(**_key(key), key=text)

    @routes.post("/api/v1/keys/personal", status_code=201, summary="Create an API key of your own")
    async def create_personal_key(person: PersonDep, body: NewPersonalKey) -> CreatedKey:
        """The answer is the only place where the key itself ever stands. Needs a session: a key makes no keys."""
        person.caller.require_somewhere("key.write", OWN)
        if person.session is None:
            raise Forbidden("A key cannot make keys of its owner.", remedy="Sign in with name and password.")
        detail = {"roles": ",".join(sorted(set(body.roles))), "owner": person.caller.person}
        async with audit.recorded(person.caller.person, "key.create", detail=detail) as act:
            if person.caller.administers:  # of the others, only what they have a role in is there
                await projects.require(body.projects)
            key, text = await keys.create_personal(person.caller, body.name, body.roles, body.projects, body.days)
            act.target = key.id
        return CreatedKey(**_key(key), key=text)

    @routes.delete("/api/v1/keys/{id}", status_code=204, summary="Delete an API key")
    async def delete_key(person: PersonDep, id: str) -> None:
        """It stops working at once."""
        person.caller.require_somewhere("key.write", OWN)
        if not person.caller.may("key.write"):
            # Whoever may not know of it learns nothing: another's key is as one that never was.
            try:
                own = (await keys.get(id)).owner == person.caller.person
            except NotFound:
                own = False
            if not own:
                raise NotFound("You have no such key.")
        async with audit.recorded(person.caller.person, "key.delete", id):
            await keys.delete(id)

    return routes


def _key(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "roles": sorted({role for roles in key.roles.values() for role in roles}),
        "projects": sorted(key.roles) or [DEFAULT_PROJECT],
        **key.model_dump(include={"owner", "created_at", "expires_at", "last_used_at"}),
    }
