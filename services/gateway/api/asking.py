"""Who asks: the API key of the Authorization header, else the session of the cookie."""

from typing import Annotated, Final

from fastapi import Depends, Request

from services.gateway.identity import Identity, Person
from services.gateway.origin import refuse_foreign
from services.gateway.projects import require_known
from shared.access import DEFAULT_PROJECT
from shared.errors import Unauthenticated
from shared.http import ProjectQuery

COOKIE: Final = "mitagger_session"


async def asking(request: Request) -> Person:
    """Raises Unauthenticated, Forbidden (a session's unsafe request that another site made)."""
    identity: Identity = request.app.state.identity
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Only API keys are taken here.", remedy="Send `Authorization: Bearer <API key>`.")
        return await identity.by_key(key.strip())
    secret = request.cookies.get(COOKIE)
    if not secret:
        raise Unauthenticated("Nobody is signed in.", remedy="Sign in (POST /api/v1/session), or send an API key.")
    refuse_foreign(request.method, request.headers)
    return await identity.by_session(secret)


PersonDep = Annotated[Person, Depends(asking)]


async def asked_project(request: Request, person: PersonDep, project: ProjectQuery = DEFAULT_PROJECT) -> str:
    """The project of the query, which is there and in which the person has a role. Raises Forbidden, NotFound."""
    await require_project(request, person, project)
    return project


async def require_project(request: Request, person: Person, project: str) -> None:
    """Raises Forbidden, NotFound. The default project is always there."""
    if project != DEFAULT_PROJECT:
        identity: Identity = request.app.state.identity
        require_known(person.caller, project, await identity.projects.all())


ProjectDep = Annotated[str, Depends(asked_project)]
