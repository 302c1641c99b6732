"""The door of what changes of one's own, for pages that show it as it is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel

from services.gateway.api.asking import PersonDep
from services.gateway.changes import Changes, Heard
from shared.events.assignment import About, State

STREAM_SECONDS: Final = 900.0


class ChangeView(BaseModel):
    """An assignment that one annotates or reviews was written: `version` is the newest. With `about`, it was not
    written: newer recommendations are offered on it, or its figure was settled."""

    assignment: str
    version: int
    state: State
    about: About | None = None


def router(changes: Changes) -> APIRouter:
    """Needs nobody's leave: everybody hears of their own assignments only, and only that they changed."""
    routes = APIRouter()

    async def following(person: PersonDep) -> AsyncIterator[asyncio.Queue[Heard]]:
        async with changes.of(person.caller.person) as queue:
            yield queue

    @routes.get(
        "/api/v1/session/changes",
        tags=["identity"],
        summary="Follow what changes of your assignments",
        response_class=EventSourceResponse,
    )
    async def follow(
        queue: Annotated[asyncio.Queue[Heard], Depends(following)],
    ) -> AsyncIterator[ServerSentEvent]:
        """Server-sent events: `assignment` for each write of one that you annotate or review, and when it shows more
        (`about`); `all` when some were missed. After connecting again, read anew what you show: nothing is sent twice.
        The server ends a stream after 15 minutes; browsers connect again by themselves."""
        deadline = asyncio.get_running_loop().time() + STREAM_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    heard = await queue.get()
            except TimeoutError:
                return
            if heard is None:
                yield ServerSentEvent(data={}, event="all")
            else:
                view = ChangeView(
                    assignment=heard.assignment, version=heard.version, state=heard.state, about=heard.about
                )
                yield ServerSentEvent(data=view, event="assignment")

    return routes
