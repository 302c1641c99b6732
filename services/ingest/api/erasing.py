"""The HTTP door of erasures: figures, an article, what is old, or a whole project go, in two steps."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.erasing import Erasing
from services.ingest.model import Erasure, ErasureState, Selection
from shared.access import DEFAULT_PROJECT, Caller
from shared.http import CallerDep, Limit, PageOf, ProjectQuery
from shared.traces import MOST


class ErasureView(BaseModel):
    """An erasure, and how far it is: `left` of its `figures` are there still."""

    id: str
    selection: Selection
    state: ErasureState
    figures: Annotated[int, Field(description="When it was proposed")]
    left: int
    created_at: datetime
    updated_at: datetime


class Confirmation(BaseModel):
    """`figures`: the number that was shown."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"figures": 24}]})

    figures: Annotated[int, Field(ge=0)]


class Members(BaseModel):
    """Ids of figures."""

    figures: list[str]
    next: str | None


def router(erasing: Erasing) -> APIRouter:
    routes = APIRouter()

    async def _allowed(caller: Caller, id: str) -> Erasure:
        """Raises Forbidden, NotFound."""
        caller.require_somewhere("figure.erase")
        erasure = await erasing.get(id)
        caller.require("figure.erase", project=erasure.project)
        return erasure

    @routes.post("/internal/erasures", status_code=201)
    async def propose(caller: CallerDep, body: Selection, project: ProjectQuery = DEFAULT_PROJECT) -> ErasureView:
        caller.require("figure.erase", project=project)
        return await view(await erasing.propose(body, project=project, actor=caller.person))

    @routes.get("/internal/erasures/{id}/figures")
    async def members(caller: CallerDep, id: str, after: str | None = None) -> Members:
        await _allowed(caller, id)
        figures, following = await erasing.members(id, after=after, limit=MOST)
        return Members(figures=figures, next=following)

    @routes.get("/api/v1/erasures", summary="Erasures, the newest first")
    async def list_erasures(
        caller: CallerDep,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> PageOf[ErasureView]:
        caller.require("figure.erase", project=project)
        page = await erasing.page(project=project, after=cursor, limit=limit)
        return PageOf(items=[await view(erasure) for erasure in page.items], next=page.next)

    @routes.get("/api/v1/erasures/{id}", summary="How far an erasure is")
    async def get_erasure(caller: CallerDep, id: str) -> ErasureView:
        return await view(await _allowed(caller, id))

    @routes.post("/api/v1/erasures/{id}/confirm", status_code=202, summary="Begin an erasure that was proposed")
    async def confirm(caller: CallerDep, id: str, body: Confirmation) -> ErasureView:
        """It cannot be stopped or taken back. It goes on after a restart, until nothing is left."""
        await _allowed(caller, id)
        return await view(await erasing.confirm(id, figures=body.figures))

    async def view(erasure: Erasure) -> ErasureView:
        return ErasureView(
            id=erasure.id,
            selection=erasure.selection,
            state=erasure.state,
            figures=erasure.figures,
            left=await erasing.left(erasure),
            created_at=erasure.created_at,
            updated_at=erasure.updated_at,
        )

    return routes
