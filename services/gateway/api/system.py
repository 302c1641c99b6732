"""Doors for whoever keeps the server: health, readiness, status."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Final

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.gateway.api.asking import PersonDep
from services.gateway.audit import Audit
from services.gateway.collecting import Collector
from shared.access import DEFAULT_PROJECT, Caller
from shared.engine import Engine
from shared.errors import TransientError, Unavailable
from shared.http import Hop, ProjectQuery
from shared.standing import GroupProgress, Standing, Watch

VERSION: Final = version("mitagger")
STATUSES: Final = ("new", "provisional", "returned", "approved")
MOST_DEAD_LETTERS: Final = 100
READY_SECONDS: Final = 10.0  # until a service that does not say how it stands counts as down


class Ready(BaseModel):
    """Whether the consumers keep up; `problems` says what does not."""

    ready: bool
    problems: list[str]


class Status(Ready):
    """What runs and how it does."""

    version: str
    services: list[str]
    figures: Annotated[dict[str, int], Field(description="In the search index, by status; empty when it is down")]
    quarantine: Annotated[int | None, Field(description="Pictures that wait for a look; null: not known")] = None
    progress: list[GroupProgress]
    dead_letters: Annotated[int, Field(description=f"Counted up to {MOST_DEAD_LETTERS}")]


class Collection(BaseModel):
    """With `dry_run` nothing is removed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"dry_run": True}]})

    dry_run: bool = False


class CollectedView(BaseModel):
    """Of the files older than two days: how many are kept, and how many, with how many bytes, nothing named."""

    kept: int
    unnamed: int
    bytes: int


class _Found(BaseModel):
    total: int


class _Waiting(BaseModel):
    waiting: int


class Observer:
    """Gathers the status: from the bus, from the services that run apart, and the numbers of figures from `export`,
    of pictures in quarantine from `ingest`."""

    def __init__(
        self, engine: Engine, hops: Mapping[str, Hop], services: Sequence[str], apart: Sequence[Hop] = ()
    ) -> None:
        """`apart`: to the services in processes of their own; none when all run in this one."""
        self._bus = engine.bus
        self._export = hops["export"]
        self._ingest = hops["ingest"]
        self._signer = engine.signer
        self._apart = apart
        self._watch = Watch(engine, "gateway")
        self.services = list(services)

    async def ready(self) -> Ready:
        """Of this process."""
        found = await self._watch.look()
        return Ready(ready=found.ready, problems=found.problems)

    async def status(self, caller: Caller, project: str) -> Status:
        """For `caller`, who may search; figures and quarantine are the project's. A service that is down is a problem
        of the status, not of asking for it."""
        standings = await asyncio.gather(self._watch.look(), *(self._standing(hop) for hop in self._apart))
        problems = [problem for standing in standings for problem in standing.problems]
        said = {(one.group, one.topic): one for standing in standings for one in standing.progress}
        figures, dead_letters, waiting = dict[str, int](), 0, None
        try:
            for one in await self._bus.overview():
                said.setdefault((one.group, one.topic), GroupProgress.model_validate(one, from_attributes=True))
            dead_letters = len(await self._bus.dead_letters(limit=MOST_DEAD_LETTERS))
            totals = await asyncio.gather(*(self._figures(caller, project, status) for status in STATUSES))
            figures = dict(zip(STATUSES, totals, strict=True))
            waiting = await self._quarantine(caller, project)
        except TransientError as error:
            problems.append(error.message)
        return Status(
            ready=not problems,
            problems=list(dict.fromkeys(problems)),
            version=VERSION,
            services=self.services,
            figures=figures,
            quarantine=waiting,
            progress=[said[place] for place in sorted(said)],
            dead_letters=dead_letters,
        )

    async def _standing(self, hop: Hop) -> Standing:
        try:
            answer = await hop.request("GET", "/readyz", seconds=READY_SECONDS)
            return Standing.model_validate_json(answer.content)
        except TransientError:
            return Standing(ready=False, problems=[f"{hop.service} does not answer."])
        except ValidationError:
            return Standing(ready=False, problems=[f"What answers as {hop.service} is no service of MITagger."])

    async def _quarantine(self, caller: Caller, project: str) -> int | None:
        """For who may see it."""
        if not caller.may("quarantine.read"):
            return None
        token = self._signer.token(caller, self._ingest.service)
        asked = {"limit": 1, "project": project}
        answer = await self._ingest.request("GET", "/api/v1/quarantine", token=token, params=asked)
        if answer.is_error:
            raise Unavailable("quarantine", f"The quarantine answered {answer.status_code}.")
        return _Waiting.model_validate_json(answer.content).waiting

    async def _figures(self, caller: Caller, project: str, status: str) -> int:
        token = self._signer.token(caller, self._export.service)
        asked = {"status": status, "limit": 1, "project": project}
        answer = await self._export.request("GET", "/api/v1/search", token=token, params=asked)
        if answer.is_error:
            raise Unavailable("search", f"The search answered {answer.status_code}.")
        return _Found.model_validate_json(answer.content).total


def router(observer: Observer, collector: Collector, audit: Audit) -> APIRouter:
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
    async def status(person: PersonDep, project: ProjectQuery = DEFAULT_PROJECT) -> Status:
        """Figures and quarantine are counted in one project, everything else is of the installation."""
        person.caller.require("system.read")
        return await observer.status(person.caller, project)

    @routes.post("/api/v1/files/collect", tags=["system"], summary="Remove files that nothing names")
    async def collect_files(person: PersonDep, body: Collection) -> CollectedView:
        """Uploads that were never used and what a crash left, older than two days. It is done daily anyway."""
        person.caller.require("system.write")
        detail = {"dry_run": str(body.dry_run).lower()}
        async with audit.recorded(person.caller.person, "files.collect", detail=detail):
            done = await collector.collect(dry_run=body.dry_run)
        return CollectedView(kept=done.kept, unnamed=done.unnamed, bytes=done.bytes)

    return routes
