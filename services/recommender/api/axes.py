"""The HTTP door of the axis table, for administrators."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from services.recommender.api.together import SetView, set_view
from services.recommender.vocabularies import SiteVocabularies
from shared.events.recommendation import Axis
from shared.http import CallerDep
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.axes import AXES, AxisTable


class MoveView(BaseModel):
    """Concepts of a vocabulary that would go from one axis to another (null: to none), and the first 100 of them."""

    vocabulary: str
    before: Axis | None
    after: Axis | None
    concepts: int
    examples: Annotated[dict[str, str], Field(description="CURIE to label")]


class Preview(BaseModel):
    """What another axis table would change; `axes`: concepts on each axis now, and then."""

    moves: list[MoveView]
    axes: dict[Axis, tuple[int, int]]


def router(site: SiteVocabularies, loaded: Callable[[], Vocabularies]) -> APIRouter:
    """`loaded` raises Unavailable while the vocabularies are being loaded."""
    routes = APIRouter(tags=["vocabularies"])

    @routes.get("/api/v1/vocabularies/axes", summary="The axis table: which concepts belong to which axis")
    async def read_table(caller: CallerDep) -> AxisTable:
        """The first rule that fits decides. Vocabularies without rules name the axes of their concepts themselves."""
        caller.require("vocabulary.write")
        return await site.table()

    @routes.post("/api/v1/vocabularies/axes/preview", summary="What another axis table would change")
    async def preview_table(caller: CallerDep, body: AxisTable) -> Preview:
        caller.require("vocabulary.write")
        now = {axis: sum(one.axes.get(axis, 0) for one in loaded().contents()) for axis in AXES}
        moved = await site.preview(body)
        then = dict(now)
        for one in moved:
            if one.before:
                then[one.before] -= one.concepts
            if one.after:
                then[one.after] += one.concepts
        return Preview(
            moves=[MoveView.model_validate(one, from_attributes=True) for one in moved],
            axes={axis: (now[axis], then[axis]) for axis in AXES},
        )

    @routes.put("/api/v1/vocabularies/axes", status_code=202, summary="Use another axis table")
    async def apply_table(caller: CallerDep, body: AxisTable, response: Response) -> SetView:
        """As activating a vocabulary: compiled first, then used; a rollback takes it back."""
        caller.require("vocabulary.write")
        one = await site.apply(body, person=caller.person)
        response.headers["Location"] = f"/api/v1/vocabularies/sets/{one.id}"
        return set_view(SetView, one, active=False)

    @routes.post(
        "/api/v1/vocabularies/axes/rollback", status_code=202, summary="Go back to the axis table before this one"
    )
    async def roll_back_table(caller: CallerDep, response: Response) -> SetView:
        """The vocabularies stay as they are."""
        caller.require("vocabulary.write")
        one = await site.roll_back_table(person=caller.person)
        response.headers["Location"] = f"/api/v1/vocabularies/sets/{one.id}"
        return set_view(SetView, one, active=False)

    return routes
