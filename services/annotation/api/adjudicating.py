"""Adjudication: where several tagged one figure, what is kept."""

from datetime import datetime
from typing import Annotated, Final, TypeAlias

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation.adjudicating import Compared
from services.annotation.adjudication import Adjudicating, Case
from services.annotation.api.bodies import IdPath, Request
from services.annotation.api.views import (
    FigureRef,
    FigureView,
    RecommendationsView,
    figure_ref,
    figure_view,
    recommendations_view,
)
from services.annotation.model import Assignment, State
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.tag import Tag
from shared.http import CallerDep, Limit, PageOf, ProjectQuery

MAX_CHOICES: Final = 1000

Key: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=700)]


class WaitingView(BaseModel):
    """A figure that waits for an adjudicator: everybody who has it handed it over."""

    figure: FigureRef
    annotators: list[str]
    since: datetime
    choices: Annotated[int, Field(description="Made so far")]


class AdjudicationPage(PageOf[WaitingView]):
    """`waiting` is how many figures wait, on all pages; those that you tagged yourself are not listed."""

    waiting: int


class OverlapView(BaseModel):
    """One of the assignments that are compared."""

    assignment: str
    annotator: str
    reviewer: str
    state: State
    no_tag_applies: bool


class ComparedView(BaseModel):
    """A tag with those who have it, in the order of `assignments`. `agreed`: all have it. `kept` is null while nobody
    has chosen; what is agreed is kept unless somebody (`by`) drops it."""

    key: str
    tag: Tag
    annotators: list[str]
    agreed: bool
    kept: bool | None
    by: str | None


class AdjudicationView(BaseModel):
    """A figure that several tagged. `waiting` until it is settled; `open` differences are left. `final` are the
    figure's tags now."""

    figure: FigureView
    recommendations: RecommendationsView
    assignments: list[OverlapView]
    tags: list[ComparedView]
    waiting: bool
    open: int
    adjudicator: str | None
    settled_at: datetime | None
    final: list[Tag]


class Choices(Request):
    """Tags by their key: to keep, to drop, or to leave open again. Of an ancestor and its descendant, keep one and drop
    the other."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"keep": ["UBERON:0000966|present"]},
                {"keep": ["UBERON:0000966|present"], "drop": ["UBERON:0000970|present"]},
            ]
        },
    )

    keep: Annotated[list[Key], Field(max_length=MAX_CHOICES)] = []
    drop: Annotated[list[Key], Field(max_length=MAX_CHOICES)] = []
    clear: Annotated[list[Key], Field(max_length=MAX_CHOICES)] = []

    def wanted(self) -> dict[str, bool | None]:
        """By key. Raises Invalid where a key is named twice."""
        said: list[tuple[str, bool | None]] = [
            *((key, True) for key in self.keep),
            *((key, False) for key in self.drop),
            *((key, None) for key in self.clear),
        ]
        wanted = dict(said)
        if len(wanted) < len(said):
            raise Invalid("A tag is named twice.", field="keep", remedy="Keep it, drop it or leave it open.")
        return wanted


def router(adjudicating: Adjudicating, engine: Engine) -> APIRouter:
    """What adjudicators do."""
    routes = APIRouter()
    signer = engine.signer

    @routes.get("/api/v1/adjudications", tags=["adjudication"], summary="List the figures that wait for an adjudicator")
    async def queue(
        caller: CallerDep,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> AdjudicationPage:
        """Those that wait longest first: figures of several annotators, all of whom have submitted them. Reviewers and
        administrators."""
        found = await adjudicating.queue(caller, project, after=cursor, limit=limit)
        return AdjudicationPage(
            items=[
                WaitingView(
                    figure=figure_ref(figure, signer),
                    annotators=sorted(told.annotator for told in one.told.values() if told.state != "released"),
                    since=one.since,
                    choices=len(one.choices),
                )
                for one in found.items
                if (figure := found.figures.get(one.id))
            ],
            next=found.next,
            waiting=found.count,
        )

    def view(case: Case) -> AdjudicationView:
        recommendations = recommendations_view(case.figure, case.recommendations, ())
        settled = None if case.adjudication.waiting else case.review.settled
        return AdjudicationView(
            figure=figure_view(case.figure, recommendations.items, signer),
            recommendations=recommendations,
            assignments=[_overlap(one) for one in case.assignments],
            tags=[_compared(one) for one in case.tags],
            waiting=case.adjudication.waiting,
            open=sum(one.kept is None for one in case.tags),
            adjudicator=settled.by if settled else None,
            settled_at=settled.at if settled else None,
            final=list(case.review.tags),
        )

    @routes.get("/api/v1/figures/{id}/adjudication", tags=["adjudication"], summary="Compare what several tagged")
    async def show(caller: CallerDep, id: IdPath) -> AdjudicationView:
        """What all have, and what only some have. 409 while somebody still tags it: until then nobody sees it."""
        return view(await adjudicating.case(caller, id))

    @routes.post(
        "/api/v1/figures/{id}/adjudication/choices", tags=["adjudication"], summary="Keep or drop what differs"
    )
    async def choose(caller: CallerDep, id: IdPath, body: Choices) -> AdjudicationView:
        """Saved as you go; nothing is final before the figure is settled. Which concept is a kind or part of which says
        `GET /api/v1/concepts/lineage`."""
        return view(await adjudicating.choose(caller, id, body.wanted()))

    @routes.post("/api/v1/figures/{id}/adjudication", tags=["adjudication"], summary="Settle a figure")
    async def settle(caller: CallerDep, id: IdPath) -> AdjudicationView:
        """What was kept becomes the figure's final tags; assignments that are only submitted are approved. Needs a
        choice on every difference. Settling twice is once."""
        return view(await adjudicating.settle(caller, id))

    return routes


def _overlap(one: Assignment) -> OverlapView:
    return OverlapView(
        assignment=one.id,
        annotator=one.annotator,
        reviewer=one.reviewer,
        state=one.state,
        no_tag_applies=one.no_tag_applies,
    )


def _compared(one: Compared) -> ComparedView:
    return ComparedView(
        key=one.tag.key,
        tag=one.tag,
        annotators=[holder.annotator for holder in one.assignments],
        agreed=one.agreed,
        kept=one.kept,
        by=one.choice.by if one.choice else None,
    )
