"""Who asks: the API key of the Authorization header, else the session of the cookie."""

from typing import Annotated, Final

from fastapi import Depends, Request

from services.gateway.identity import Identity, Person
from services.gateway.origin import refuse_foreign
from shared.errors import Unauthenticated

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
