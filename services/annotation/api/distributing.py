"""Who gets what: plans, and the pool that annotators pull from."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation.api.bodies import Id, Person, Request, named
from services.annotation.api.views import Answer, AssignmentView, answer
from services.annotation.assigning import Choice, Order, Pair, Share, Together
from services.annotation.distribution import Distributed, Distribution
from services.annotation.handouts import Handouts
from services.annotation.model import Handout
from services.annotation.moving import Chosen, Moving
from services.annotation.pulling import Pulling
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Invalid
from shared.http import CallerDep, ProjectQuery


class PairBody(Request):
    """An annotator, and who reviews their work."""

    annotator: Person
    reviewer: Annotated[Person | None, Field(description="The membership's, where none is named")] = None


class MeasuredBody(Request):
    """Of the figures, `overlap_share` (0 to 1) go to `overlap` annotators each; on `hidden_share` recommendations are
    hidden, to measure what they do."""

    overlap: Annotated[int, Field(ge=2, le=20)] = 2
    overlap_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    hidden_share: Annotated[float, Field(ge=0, le=1)] = 0.05


class TeamBody(MeasuredBody):
    """Whom to give figures evenly, whoever has least first; by `article`, a paper stays together."""

    team: Annotated[list[PairBody], Field(min_length=1, max_length=500)]
    together: Together = "figure"

    def order(self) -> Order:
        """Raises Invalid: somebody has no reviewer."""
        return Order(_team(self.team), self.together, self.overlap, self.overlap_share, self.hidden_share)


class ChoiceBody(MeasuredBody):
    """Figures that nobody has: one of `figures`, `article`, `all_unassigned`. `overlap_share` (0 to 1) of them go to
    `overlap` annotators each; on `hidden_share` recommendations are hidden, to measure what they do. `cursor`: the
    `next` of the answer before."""

    figures: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    article: Id | None = None
    all_unassigned: Literal[True] | None = None
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None

    def choice(self) -> Choice:
        """Raises Invalid."""
        if sum(choice is not None for choice in (self.figures, self.article, self.all_unassigned)) != 1:
            raise Invalid(
                "Say which figures.", field="figures", remedy="Send one of `figures`, `article`, `all_unassigned`."
            )
        return Choice(tuple(self.figures) if self.figures is not None else None, self.article)


class PlanBody(ChoiceBody, TeamBody):
    """Whom to give figures evenly, whoever has least first; by `article`, a paper stays together. Without `apply` it is
    a preview."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "all_unassigned": True,
                    "team": [
                        {"annotator": "p-ada", "reviewer": "p-grace"},
                        {"annotator": "p-bob", "reviewer": "p-grace"},
                    ],
                    "together": "article",
                    "overlap_share": 0.1,
                    "apply": False,
                }
            ]
        },
    )

    apply: bool = False


class HandoutBody(TeamBody):
    """What a plan says, of all unassigned figures of the project, or of an article."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"team": [{"annotator": "p-ada"}, {"annotator": "p-bob"}], "together": "article"}]
        },
    )

    article: Id | None = None


class MoveBody(Request):
    """Which of the figures that `of` has to tag go to the team, whoever has least first; without a team they are
    released. Without `apply` it is a preview. `cursor`: the `next` of the answer before."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"of": "p-ada", "states": ["open"], "team": [{"annotator": "p-bob"}]}]},
    )

    of: Person
    states: Annotated[list[Literal["open", "returned", "skipped"]], Field(min_length=1, max_length=3)] = [
        "open",
        "returned",
        "skipped",
    ]
    figures: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    team: Annotated[list[PairBody], Field(max_length=500)] = []
    apply: bool = False
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None


class PoolBody(ChoiceBody):
    """Figures that the project's members may pull, those of the highest priority first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"all_unassigned": True, "priority": 5}]})

    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0


class ShareView(BaseModel):
    """What one annotator gets; `hidden` of the figures without recommendations, and `gold` ones more."""

    annotator: str
    reviewer: str
    figures: int
    hidden: int
    gold: int


class PlanView(BaseModel):
    """`figures` are distinct. `next`: send the same again with it as `cursor`, until it is null."""

    figures: int
    people: list[ShareView]
    applied: bool
    next: str | None


class PoolView(BaseModel):
    """How many figures went into the pool. `next` as with plans."""

    figures: int
    next: str | None


class HandoutView(BaseModel):
    """How far a plan is that is carried out in the background: of `total` figures `looked` at, `figures` were free and
    are given. `error` says why it failed."""

    project: str
    state: Literal["running", "done", "failed", "stopped"]
    total: int
    looked: int
    figures: int
    people: list[ShareView]
    started_by: str
    started_at: datetime
    error: str


class MoveView(BaseModel):
    """How many figures go, to whom. `shared`: they stay, for everybody of the team tags them already. `measures`: they
    stay, for they measure their annotator. `next`: send the same again with it as `cursor`, until it is null."""

    figures: int
    people: list[ShareView]
    shared: int
    measures: int
    applied: bool
    next: str | None


def _plan(done: Distributed, *, applied: bool) -> PlanView:
    return PlanView(figures=done.figures, people=_shares(done.shares), applied=applied, next=done.next)


def _shares(shares: Sequence[Share]) -> list[ShareView]:
    return [
        ShareView(
            annotator=share.pair.annotator,
            reviewer=share.pair.reviewer,
            figures=share.figures,
            hidden=share.hidden,
            gold=share.gold,
        )
        for share in shares
    ]


def _handout(one: Handout) -> HandoutView:
    return HandoutView(
        project=one.id,
        state=one.state,
        total=one.total,
        looked=one.looked,
        figures=one.figures,
        people=_shares(one.people),
        started_by=one.started_by,
        started_at=one.started_at,
        error=one.error,
    )


def _team(team: Sequence[PairBody]) -> tuple[Pair, ...]:
    return tuple(Pair(pair.annotator, named(pair.reviewer)) for pair in team)


def router(
    distribution: Distribution, pulling: Pulling, handouts: Handouts, moving: Moving, engine: Engine
) -> APIRouter:
    """Plans, pool, next."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post("/api/v1/assignments/plan", tags=["assignments"], summary="Preview or apply a plan of who gets what")
    async def distribute(caller: CallerDep, body: PlanBody, project: ProjectQuery = DEFAULT_PROJECT) -> PlanView:
        """The same order plans the same, so one that was broken off is sent again. Administrators only."""
        done = await distribution.distribute(
            caller, project, body.choice(), body.order(), after=body.cursor, apply=body.apply
        )
        return _plan(done, applied=body.apply)

    @routes.post(
        "/api/v1/assignments/plan/job",
        tags=["assignments"],
        summary="Carry out a plan in the background",
        status_code=202,
        responses={202: {"headers": {"Location": {"schema": {"type": "string"}}}}},
    )
    async def begin(
        caller: CallerDep, body: HandoutBody, response: Response, project: ProjectQuery = DEFAULT_PROJECT
    ) -> HandoutView:
        """For as many figures as there are; one at a time in a project. Who stops in between loses nothing: it goes on
        when the server does."""
        begun = await handouts.begin(caller, project, body.article, body.order())
        response.headers["Location"] = f"/api/v1/assignments/plan/job?project={quote(project)}"
        return _handout(begun)

    @routes.get("/api/v1/assignments/plan/job", tags=["assignments"], summary="How far the plan in the background is")
    async def newest(caller: CallerDep, project: ProjectQuery = DEFAULT_PROJECT) -> HandoutView:
        """The newest of the project."""
        return _handout(await handouts.newest(caller, project))

    @routes.delete("/api/v1/assignments/plan/job", tags=["assignments"], summary="Stop the plan in the background")
    async def break_off(caller: CallerDep, project: ProjectQuery = DEFAULT_PROJECT) -> HandoutView:
        """What was given stays given. Begin again for the rest."""
        return _handout(await handouts.break_off(caller, project))

    @routes.post(
        "/api/v1/assignments/move", tags=["assignments"], summary="Preview or give to others what somebody has to tag"
    )
    async def move(caller: CallerDep, body: MoveBody, project: ProjectQuery = DEFAULT_PROJECT) -> MoveView:
        """Decisions that were made stay in the history of whoever made them; whoever gets the figure begins anew."""
        chosen = Chosen(body.of, tuple(body.states), tuple(body.figures) if body.figures is not None else None)
        done = await moving.move(caller, project, chosen, _team(body.team), after=body.cursor, apply=body.apply)
        return MoveView(
            figures=done.figures,
            people=_shares(done.shares),
            shared=done.kept.get("shared", 0),
            measures=done.kept.get("measures", 0),
            applied=body.apply,
            next=done.next,
        )

    @routes.post("/api/v1/assignments/pool", tags=["assignments"], summary="Let annotators pull figures")
    async def offer(caller: CallerDep, body: PoolBody, project: ProjectQuery = DEFAULT_PROJECT) -> PoolView:
        """Within a priority, what the recommender is least sure of comes first. Figures that are in the pool get the
        new priority. Administrators only."""
        order = Order((), "figure", body.overlap, body.overlap_share, body.hidden_share)
        done = await distribution.offer(
            caller, project, body.choice(), order, priority=body.priority, after=body.cursor
        )
        return PoolView(figures=done.figures, next=done.next)

    @routes.post(
        "/api/v1/assignments/next",
        tags=["assignments"],
        summary="Get the next figure to tag",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}, 204: {"description": "There is nothing to do"}},
    )
    async def pull(caller: CallerDep, project: ProjectQuery = DEFAULT_PROJECT) -> Response:
        """What was returned to you, then what you have open, then, for members of the project, one from the pool. A
        pulled figure that is not begun within two hours goes back."""
        sheet = await pulling.next(caller, project)
        return answer(sheet, signer) if sheet else Response(status_code=204)

    return routes
