"""Quality of work: gold figures, what a project asks, who has qualified, and the feedback that newcomers get."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation.api.bodies import Id, IdPath, Request
from services.annotation.model import Assignment, Figure, Qualification, Review, Sampling, Standards
from services.annotation.quality import Feedback, Newcomer, Quality
from services.annotation.reviewing import MAX_COMMENT
from shared.access import DEFAULT_PROJECT
from shared.events.legend import Assertion
from shared.events.recommendation import Axis
from shared.events.tag import Tag
from shared.http import CallerDep, IfMatch, Limit, PageOf, ProjectQuery

Share = Annotated[float, Field(ge=0, le=1)]
Cursor = Annotated[str | None, Query(max_length=2000)]
PersonPath = Annotated[Id, Path(description="Pseudonymous id of a person")]


class GoldTag(BaseModel):
    """A tag that is right, or that somebody gave."""

    key: str
    axis: Axis
    label: str
    curie: str | None
    ontology: str | None
    assertion: Assertion


class GoldView(BaseModel):
    """A gold figure. `number` is the version of its tags that scores name; `current`: the figure's final tags are still
    these. Once withdrawn it is not `active`."""

    figure: str
    label: str
    article: str
    active: bool
    number: int
    tags: list[GoldTag]
    marked_by: str
    marked_at: datetime
    current: bool


class QualificationBody(Request):
    """Newcomers tag `figures` gold figures first; the mean of their F1 must reach `threshold`, in one of `attempts`."""

    figures: Annotated[int, Field(ge=1, le=50)]
    threshold: Share
    attempts: Annotated[int, Field(ge=1, le=10)] = 2


class SamplingBody(Request):
    """A reviewer looks at `share` of an annotator's work once `window` of it were inspected; at all of it while more
    than the share `returned` of these were sent back or corrected, or their mean F1 on gold is below `f1`."""

    share: Share = 1.0
    window: Annotated[int, Field(ge=1, le=200)] = 20
    returned: Share = 0.1
    f1: Share = 0.8


class StandardsBody(Request):
    """`gold_share`: gold figures a production figure, mixed into plans and the pool. No `qualification`:
    newcomers begin at once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"gold_share": 0.05, "sampling": {"share": 0.2}},
                {"gold_share": 0.05, "qualification": {"figures": 5, "threshold": 0.8, "attempts": 2}},
            ]
        },
    )

    gold_share: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    qualification: QualificationBody | None = None
    sampling: SamplingBody = SamplingBody()


class StandardsView(StandardsBody):
    """What a project asks of the work in it. `version` is for If-Match; `gold` counts the gold figures."""

    version: int
    gold: int


class LetIn(Request):
    """Why somebody need not pass; it is kept with the decision."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Has curated MONDO for ten years."}]}
    )

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]


class NewcomerView(BaseModel):
    """Somebody's way into a project. Of the figures of `attempt` so many were `given` and `scored`, with a mean `f1`;
    `best` is that of the best attempt. `let_in_by` a manager, for a `reason`, whatever the scores."""

    person: str
    state: Literal["newcomer", "passed", "failed"]
    attempt: int
    given: int
    scored: int
    f1: float | None
    best: float | None
    let_in_by: str | None
    reason: str
    since: datetime | None


class ScoreView(BaseModel):
    """How one gold figure was tagged. `attempt` counts those to qualify; 0: the annotator was not told."""

    assignment: str
    figure: str
    gold: int
    attempt: int
    at: datetime
    precision: float
    recall: float
    f1: float


class FeedbackView(BaseModel):
    """What was right, missed and too much on a figure to qualify with. `figure` of `figures` in this attempt; `mean` F1
    so far must reach `threshold`."""

    assignment: str
    label: str
    right: list[GoldTag]
    missed: list[GoldTag]
    extra: list[GoldTag]
    precision: float
    recall: float
    f1: float
    attempt: int
    attempts: int
    scored: int
    figures: int
    mean: float | None
    threshold: float
    state: Literal["newcomer", "passed", "failed"]


def _tags(tags: tuple[Tag, ...]) -> list[GoldTag]:
    # Without who gave them, and when: that is nobody's business here.
    return [GoldTag.model_validate(tag.model_dump(include=set(GoldTag.model_fields))) for tag in tags]


def _gold(review: Review, figure: Figure | None) -> GoldView:
    if review.gold is None:
        raise ValueError("not a gold figure")
    newest = review.gold.newest
    return GoldView(
        figure=review.id,
        label=figure.label if figure else "",
        article=figure.article.id if figure else "",
        active=review.gold.active,
        number=newest.number,
        tags=_tags(newest.tags),
        marked_by=newest.by,
        marked_at=newest.at,
        current=newest.tags == review.tags,
    )


def _standards(found: Standards, gold: int) -> StandardsView:
    shown = found.model_dump(include={"gold_share", "qualification", "sampling", "version"})
    return StandardsView.model_validate({**shown, "gold": gold})


def _newcomer(found: Newcomer) -> NewcomerView:
    progress, standing = found.progress, found.standing
    return NewcomerView(
        person=found.person,
        state=progress.state,
        attempt=progress.attempt,
        given=progress.given,
        scored=progress.scored,
        f1=progress.f1,
        best=progress.best,
        let_in_by=standing.by if standing else None,
        reason=standing.reason if standing else "",
        since=standing.at if standing else None,
    )


def _score(assignment: Assignment) -> ScoreView:
    trial = assignment.trial
    if trial is None or trial.score is None:
        raise ValueError("not scored")
    return ScoreView(
        assignment=assignment.id,
        figure=assignment.figure,
        gold=trial.score.gold,
        attempt=trial.attempt,
        at=datetime.fromtimestamp(assignment.scored_at, UTC),
        precision=trial.score.precision,
        recall=trial.score.recall,
        f1=trial.score.f1,
    )


def _feedback(found: Feedback, figure: Figure) -> FeedbackView:
    score, needed, progress = found.score, found.needed, found.progress
    return FeedbackView(
        assignment=found.assignment.id,
        label=figure.label,
        right=_tags(score.right),
        missed=_tags(score.missed),
        extra=_tags(score.extra),
        precision=score.precision,
        recall=score.recall,
        f1=score.f1,
        attempt=found.attempt,
        attempts=needed.attempts if needed else found.attempt,
        scored=progress.scored if progress else 0,
        figures=needed.figures if needed else 0,
        mean=progress.f1 if progress else None,
        threshold=needed.threshold if needed else 0.0,
        state=progress.state if progress else "passed",
    )


def router(quality: Quality) -> APIRouter:
    """For managers; `feedback` for the annotator."""
    routes = APIRouter()

    @routes.get("/api/v1/gold", tags=["quality"], summary="List gold figures")
    async def listing(
        caller: CallerDep, cursor: Cursor = None, limit: Limit = 50, project: ProjectQuery = DEFAULT_PROJECT
    ) -> PageOf[GoldView]:
        """Those that measure annotators now. Administrators only."""
        page = await quality.all_gold(caller, project, after=cursor, limit=limit)
        figures = await quality.figures_of(page.items)
        return PageOf(items=[_gold(review, figures.get(review.id)) for review in page.items], next=page.next)

    @routes.get("/api/v1/figures/{id}/gold", tags=["quality"], summary="Show the gold of a figure")
    async def show(caller: CallerDep, id: IdPath) -> GoldView:
        """404 where it never was gold. Administrators only."""
        review = await quality.gold(caller, id)
        return _gold(review, (await quality.figures_of([review])).get(id))

    @routes.put("/api/v1/figures/{id}/gold", tags=["quality"], summary="Make a figure's final tags gold")
    async def mark(caller: CallerDep, id: IdPath) -> GoldView:
        """Or renew it, where its final tags have changed. Annotators do not learn which figures are gold, and do
        not find these by their tags any more. Administrators only."""
        review = await quality.mark(caller, id)
        return _gold(review, (await quality.figures_of([review])).get(id))

    @routes.delete("/api/v1/figures/{id}/gold", tags=["quality"], summary="Let a figure be gold no longer")
    async def withdraw(caller: CallerDep, id: IdPath) -> GoldView:
        """Scores that it gave stay. Administrators only."""
        review = await quality.withdraw(caller, id)
        return _gold(review, (await quality.figures_of([review])).get(id))

    @routes.get("/api/v1/projects/{id}/standards", tags=["quality"], summary="Show what a project asks of work")
    async def standards(caller: CallerDep, id: IdPath) -> StandardsView:
        """Gold share, qualification, sampling of reviews. Administrators only."""
        return _standards(*await quality.read_standards(caller, id))

    @routes.put("/api/v1/projects/{id}/standards", tags=["quality"], summary="Set what a project asks of work")
    async def set_standards(
        caller: CallerDep, id: IdPath, body: StandardsBody, version: IfMatch = None
    ) -> StandardsView:
        """From the next figure, submission and review on. With If-Match, a change of an older version is refused.
        Administrators only."""
        wanted = Standards(
            id=id,
            seed="",
            gold_share=body.gold_share,
            qualification=Qualification(**body.qualification.model_dump()) if body.qualification else None,
            sampling=Sampling(**body.sampling.model_dump()),
        )
        return _standards(*await quality.set_standards(caller, wanted, version=version))

    @routes.get("/api/v1/projects/{id}/newcomers", tags=["quality"], summary="List who is qualifying, with scores")
    async def newcomers(caller: CallerDep, id: IdPath) -> list[NewcomerView]:
        """Everybody who has begun, or was let in. Administrators only."""
        return [_newcomer(one) for one in await quality.newcomers(caller, id)]

    @routes.put(
        "/api/v1/projects/{id}/newcomers/{person}", tags=["quality"], summary="Let somebody in, whatever their scores"
    )
    async def let_in(caller: CallerDep, id: IdPath, person: PersonPath, body: LetIn) -> NewcomerView:
        """They may be given production figures from now on. Administrators only; on record."""
        return _newcomer(await quality.let_in(caller, id, person, body.reason))

    @routes.get(
        "/api/v1/projects/{id}/scores/{person}", tags=["quality"], summary="List somebody's scores on gold figures"
    )
    async def scores(
        caller: CallerDep, id: IdPath, person: PersonPath, cursor: Cursor = None, limit: Limit = 50
    ) -> PageOf[ScoreView]:
        """The newest first. Administrators only."""
        page = await quality.scores(caller, id, person, after=cursor, limit=limit)
        return PageOf(items=[_score(one) for one in page.items], next=page.next)

    @routes.get(
        "/api/v1/assignments/{id}/feedback", tags=["assignments"], summary="Show how a qualification figure was tagged"
    )
    async def feedback(caller: CallerDep, id: IdPath) -> FeedbackView:
        """What was right, missed and too much. Once it is submitted, and of figures to qualify with alone: 404 for all
        others."""
        return _feedback(*await quality.feedback(caller, id))

    return routes
