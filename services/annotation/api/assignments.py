"""Assignments: made, listed, shown, decided, submitted; what was done."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.annotation import tagging
from services.annotation.api.bodies import EXAMPLES, Id, IdPath, Person, Request, named
from services.annotation.api.views import (
    SHEET,
    AssignmentPage,
    RecommendationsView,
    answer,
    page_view,
    recommendations_view,
)
from services.annotation.giving import Assigned, Giving
from services.annotation.model import State
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.recommendation import Axis
from shared.http import CallerDep, IfMatch, Limit, ProjectQuery


class NewAssignments(Request):
    """Who annotates and who reviews which figures: one of `figures`, `article`, `all_unassigned`."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"figures": ["5f0c6a9be1d24c0c8a3f7be0d2c4e611"], "annotator": "p-ada", "reviewer": "p-grace"},
                {"article": "0d9c0b6d1f8e4a1bb1c2a3f4e5d6c7b8", "annotator": "p-ada", "reviewer": "p-grace"},
                {"all_unassigned": True, "annotator": "p-ada", "reviewer": "p-grace"},
            ]
        },
    )

    figures: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    article: Id | None = None
    all_unassigned: Literal[True] | None = None
    annotator: Person
    reviewer: Annotated[Person | None, Field(description="The membership's, where none is named")] = None


class AssignmentRef(BaseModel):
    """An assignment that was made."""

    id: str
    figure: str


class AssignmentsMade(BaseModel):
    """`existing`: figures that this annotator had already, left as they were. `more`: figures may be left; send the
    same request again until it is false."""

    created: int
    existing: int
    more: bool
    items: list[AssignmentRef]


class Submission(Request):
    """`no_tag_applies` is an answer too: the annotator looked, and nothing of the vocabularies fits."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"no_tag_applies": False}, {"no_tag_on": ["disease"]}, {"no_tag_applies": True}]
        },
    )

    no_tag_applies: bool = False
    no_tag_on: Annotated[
        list[Axis], Field(max_length=6, description="Axes on which no tag applies; the project may ask for each")
    ] = []


def _made(done: Assigned) -> AssignmentsMade:
    return AssignmentsMade(
        created=len(done.created),
        existing=done.existing,
        more=done.more,
        items=[AssignmentRef(id=one.id, figure=one.figure) for one in done.created],
    )


def router(giving: Giving, workbench: Workbench, sheets: Sheets, engine: Engine) -> APIRouter:
    """An annotator's daily work."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post(
        "/api/v1/assignments",
        status_code=201,
        tags=["assignments"],
        summary="Assign figures to an annotator and reviewer",
    )
    async def assign(
        caller: CallerDep, body: NewAssignments, project: ProjectQuery = DEFAULT_PROJECT
    ) -> AssignmentsMade:
        """One assignment a figure and annotator; assigning again leaves the first as it is. Administrators only."""
        if sum(choice is not None for choice in (body.figures, body.article, body.all_unassigned)) != 1:
            raise Invalid(
                "Say which figures.", field="figures", remedy="Send one of `figures`, `article`, `all_unassigned`."
            )
        reviewer = named(body.reviewer)
        if body.figures is not None:
            done = await giving.assign_figures(caller, project, body.figures, body.annotator, reviewer)
        elif body.article is not None:
            done = await giving.assign_article(caller, project, body.article, body.annotator, reviewer)
        else:
            done = await giving.assign_unassigned(caller, project, body.annotator, reviewer)
        return _made(done)

    @routes.get("/api/v1/assignments", tags=["assignments"], summary="List assignments, with counts by state")
    async def listing(
        caller: CallerDep,
        *,
        state: State | None = None,
        relation: Annotated[
            Literal["own", "review", "any"] | None,
            Query(
                description="own: yours to annotate; review: yours to review; any: all. Default: the widest you have"
            ),
        ] = None,
        flagged: Annotated[
            bool | None, Query(description="Those with a concern for the administrator, or without")
        ] = None,
        figure: Annotated[list[Id], Query(max_length=200, description="Of these alone")] = [],  # noqa: B006
        article: Id | None = None,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> AssignmentPage:
        """Oldest first."""
        found = await sheets.listing(
            caller,
            project,
            relation=relation,
            state=state,
            flagged=flagged,
            figures=figure,
            article=article,
            after=cursor,
            limit=limit,
        )
        return page_view(found, signer)

    @routes.get("/api/v1/assignments/{id}", summary="Show an assignment", **SHEET)
    async def show(caller: CallerDep, id: IdPath) -> Response:
        """The figure, its recommendations, every decision, the review: all that a workbench needs."""
        return answer(await sheets.show(caller, id), signer)

    @routes.post("/api/v1/assignments/{id}/decisions", summary="Save a decision", **SHEET)
    async def decide(
        caller: CallerDep,
        id: IdPath,
        command: Annotated[tagging.DecisionCommand, Body(openapi_examples=EXAMPLES)],
        version: IfMatch = None,
    ) -> Response:
        """Accept, reject, add or withdraw. The same decision sent twice is one decision, so it can be sent again when
        an answer was lost. With If-Match, a decision on an older version is refused with the difference."""
        return answer(await workbench.decide(caller, id, command, version=version), signer)

    @routes.post("/api/v1/assignments/{id}/undo", summary="Take the last decision back", **SHEET)
    async def undo(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Step by step, back to when the assignment was opened, returned or recalled."""
        done = await workbench.step(caller, id, "undo", version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/redo", summary="Do again what was undone", **SHEET)
    async def redo(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Until the next decision, which forgets what was undone."""
        done = await workbench.step(caller, id, "redo", version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/submit", summary="Submit an assignment for review", **SHEET)
    async def submit(caller: CallerDep, id: IdPath, body: Submission, version: IfMatch = None) -> Response:
        """Needs a tag, or `no_tag_applies`; on each axis that the project requires, a tag or `no_tag_on`."""
        done = await workbench.submit(
            caller, id, no_tag_applies=body.no_tag_applies, no_tag_on=body.no_tag_on, version=version
        )
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/release", summary="Take an assignment from its annotator", **SHEET)
    async def release(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Its tags are withdrawn, its history stays, its figure can be assigned anew. Administrators only."""
        return answer(await sheets.of(await giving.release(caller, id, version=version)), signer)

    @routes.get(
        "/api/v1/figures/{id}/recommendations", tags=["figures"], summary="Show the recommendations of a figure"
    )
    async def recommendations(caller: CallerDep, id: IdPath) -> RecommendationsView:
        """Without anybody's decisions. Of a concept that several ontologies have, the project's preferred one."""
        figure, found = await sheets.recommendations(caller, id)
        return recommendations_view(figure, found, ())

    return routes
