"""Doors for whoever keeps the server: health, readiness, status."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.gateway.api.asking import PersonDep
from shared.access import Caller
from shared.bus.port import Bus
from shared.clock import now
from shared.errors import TransientError, Unavailable
from shared.grants import Signer
from shared.http import Hop
from shared.readiness import Readiness

VERSION: Final = version("mitagger")
STATUSES: Final = ("new", "provisional", "returned", "approved")
MOST_DEAD_LETTERS: Final = 100


class Ready(BaseModel):
    """Whether the consumers keep up; `problems` says what does not."""

    ready: bool
    problems: list[str]


class GroupProgress(BaseModel):
    """How far a group is on a topic."""

    group: str
    topic: str
    behind: int
    moved_at: datetime | None
    waiting_for: str


class Status(Ready):
    """What runs and how it does."""

    version: str
    services: list[str]
    figures: Annotated[dict[str, int], Field(description="In the search index, by status; empty when it is down")]
    progress: list[GroupProgress]
    dead_letters: Annotated[int, Field(description=f"Counted up to {MOST_DEAD_LETTERS}")]


class _Found(BaseModel):
    total: int


class Observer:
    """Gathers the status from the bus and, for the numbers of figures, from the search of `export`."""

    def __init__(self, bus: Bus, hops: Mapping[str, Hop], signer: Signer, services: Sequence[str]) -> None:
        self._bus = bus
        self._export = hops["export"]
        self._signer = signer
        self.services = list(services)
        self._readiness = Readiness()

    async def ready(self) -> Ready:
        problems = self._readiness.problems(await self._bus.progress(), now())
        return Ready(ready=not problems, problems=problems)

    async def status(self, caller: Caller) -> Status:
        """For `caller`, who may search. A service that is down is a problem of the status, not of asking for it."""
        progress = await self._bus.progress()
        problems = self._readiness.problems(progress, now())
        figures: dict[str, int] = {}
        try:
            totals = await asyncio.gather(*(self._figures(caller, status) for status in STATUSES))
            figures = dict(zip(STATUSES, totals, strict=True))
        except TransientError as error:
            problems.append(error.message)
        return Status(
            ready=not problems,
            problems=problems,
            version=VERSION,
            services=self.services,
            figures=figures,
            progress=[GroupProgress.model_validate(one, from_attributes=True) for one in progress],
            dead_letters=len(await self._bus.dead_letters(limit=MOST_DEAD_LETTERS)),
        )

    async def _figures(self, caller: Caller, status: str) -> int:
        token = self._signer.token(caller, self._export.service)
        answer = await self._export.request("GET", "/api/v1/search", token=token, params={"status": status, "limit": 1})
        if answer.is_error:
            raise Unavailable("search", f"The search answered {answer.status_code}.")
        return _Found.model_validate_json(answer.content).total


def router(observer: Observer) -> APIRouter:
    """The routes of the system."""
    routes = APIRouter()

    @routes.get("/healthz", include_in_schema=False)
    async def health() -> dict[str, str]:
        """The process answers."""
        return {"status": "up"}

    @routes.get("/readyz", include_in_schema=False)
    async def readiness(response: Response) -> Ready:
        """503 while a consumer is stuck or waits for a dependency."""
        found = await observer.ready()
        response.status_code = 200 if found.ready else 503
        return found

    @routes.get("/api/v1/status", tags=["system"], summary="Show what runs and how it does")
    async def status(person: PersonDep) -> Status:
        person.caller.require("system.read")
        return await observer.status(person.caller)

    return routes
