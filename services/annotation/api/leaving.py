"""For the gateway alone, which owns who is a member: what becomes of somebody's work when they leave a project."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.annotation.api.bodies import Id, IdPath
from services.annotation.assigning import Pair
from services.annotation.leaving import Leaving, Left
from shared.http import CallerDep

Who = Annotated[Id, Query()]


class LeavingView(BaseModel):
    """What was moved, and what is left."""

    released: int
    reassigned: int
    reviews: int
    open: int
    reviewing: int


def router(leaving: Leaving) -> APIRouter:
    """Leaving a project."""
    routes = APIRouter()

    @routes.get("/internal/projects/{id}/leaving")
    async def left(caller: CallerDep, id: IdPath, person: Who) -> LeavingView:
        return _view(await leaving.left(caller, id, person))

    @routes.post("/internal/projects/{id}/leaving")
    async def move(
        caller: CallerDep,
        id: IdPath,
        person: Who,
        *,
        to: Annotated[Id | None, Query()] = None,
        to_reviewer: Annotated[Id | None, Query()] = None,
        reviewer: Annotated[Id | None, Query()] = None,
    ) -> LeavingView:
        taker = Pair(to, to_reviewer) if to is not None and to_reviewer is not None else None
        return _view(await leaving.move(caller, id, person, to=taker, reviewer=reviewer))

    return routes


def _view(of: Left) -> LeavingView:
    return LeavingView(
        released=of.released,
        reassigned=of.reassigned,
        reviews=of.reviews,
        open=of.open,
        reviewing=of.reviewing,
    )
