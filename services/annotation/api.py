"""The HTTP door: requests become commands of the workbench, documents become answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

from fastapi import APIRouter, Body, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation import tagging
from services.annotation.assigning import Order, Pair, Together
from services.annotation.distribution import Choice, Distributed, Distribution
from services.annotation.model import (
    Action,
    Assignment,
    Comment,
    Concern,
    ConcernReason,
    Decided,
    Entry,
    Figure,
    Guidelines,
    Member,
    Project,
    Recommendations,
    State,
)
from services.annotation.republishing import TOPICS, republish
from services.annotation.reviewing import MAX_COMMENT
from services.annotation.tagging import Plain
from services.annotation.workbench import Assigned, Listing, Sheet, Workbench
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.image import Article, Rendition
from shared.events.legend import LegendKind
from shared.events.recommendation import Recommendation
from shared.events.recommendation import State as RecommendationState
from shared.events.review import DecisionKind, RejectReason, Verdict
from shared.events.tag import Tag
from shared.grants import Grant, Signer
from shared.http import CallerDep, IfMatch, Limit, PageOf, etag
from shared.zoom import TileSource, source

Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]
Person: TypeAlias = Annotated[Id, Field(description="Pseudonymous id of a person, as the accounts list it")]
IdPath: TypeAlias = Annotated[Id, Path()]
Answer: Final = {"ETag": {"description": "The assignment's version, for If-Match", "schema": {"type": "string"}}}


class Request(BaseModel):
    """A body: unknown fields are errors, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")


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
    reviewer: Person


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
        extra="forbid", json_schema_extra={"examples": [{"no_tag_applies": False}, {"no_tag_applies": True}]}
    )

    no_tag_applies: bool = False


class VerdictBody(Request):
    """A returned assignment needs a comment that says what to change."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"verdict": "approved", "comment": ""},
                {"verdict": "returned", "comment": "Panel B shows the retina; please tag it."},
            ]
        },
    )

    verdict: Verdict
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_COMMENT)] = ""


class ConcernBody(Request):
    """Why an annotator cannot, or should not, tag the figure as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "wrong_legend", "comment": "The legend is that of figure 3."}]},
    )

    reason: ConcernReason
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_COMMENT)] = ""


class Reopening(Request):
    """Why the figure has to be tagged again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Panel C was overlooked; please tag it."}]}
    )

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]


class NewComment(Request):
    """Of the whole assignment, or of the decision with `key`; `thread` is the first comment of the thread that this
    one answers."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"text": "Is this the retina or the choroid?", "key": "UBERON:0000966|present"},
                {"text": "The retina: see panel B.", "thread": "5f0c6a9be1d24c0c8a3f7be0d2c4e611"},
            ]
        },
    )

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]
    key: Annotated[str, StringConstraints(max_length=600)] | None = None
    thread: Id | None = None


class PairBody(Request):
    """An annotator, and who reviews their work."""

    annotator: Person
    reviewer: Person


class ChoiceBody(Request):
    """Figures that nobody has: one of `figures`, `article`, `all_unassigned`. `overlap_share` (0 to 1) of them go to
    `overlap` annotators each; on `hidden_share` recommendations are hidden, to measure what they do. `cursor`: the
    `next` of the answer before."""

    figures: Annotated[list[Id], Field(min_length=1, max_length=1000)] | None = None
    article: Id | None = None
    all_unassigned: Literal[True] | None = None
    overlap: Annotated[int, Field(ge=2, le=20)] = 2
    overlap_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    hidden_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    cursor: Annotated[str, StringConstraints(max_length=2000)] | None = None

    def choice(self) -> Choice:
        """Raises Invalid."""
        if sum(choice is not None for choice in (self.figures, self.article, self.all_unassigned)) != 1:
            raise Invalid(
                "Say which figures.", field="figures", remedy="Send one of `figures`, `article`, `all_unassigned`."
            )
        return Choice(tuple(self.figures) if self.figures is not None else None, self.article)


class PlanBody(ChoiceBody):
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

    team: Annotated[list[PairBody], Field(min_length=1, max_length=500)]
    together: Together = "figure"
    apply: bool = False


class PoolBody(ChoiceBody):
    """Figures that the project's members may pull, those of the highest priority first."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"all_unassigned": True, "priority": 5}]})

    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0


class ShareView(BaseModel):
    """What one annotator gets; `hidden` of the figures without recommendations."""

    annotator: str
    reviewer: str
    figures: int
    hidden: int


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


class ProjectBody(Request):
    """Everybody who may pull figures, and who reviews their work."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"members": [{"annotator": "p-ada", "reviewer": "p-grace"}]}]},
    )

    members: Annotated[list[PairBody], Field(max_length=500)]


class ProjectView(BaseModel):
    """A project. `guidelines` is the number of the newest version, 0 where there is none."""

    id: str
    version: int
    members: list[PairBody]
    guidelines: int


class GuidelinesBody(Request):
    """Guidelines in Markdown. `number` is the version that they were made from (0: none yet): a newer one is not
    overwritten."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "# What to tag\n\nTag what is shown, not what is mentioned."}]},
    )

    text: Annotated[str, StringConstraints(max_length=100_000)]
    number: Annotated[int, Field(ge=0)] | None = None


class GuidelinesView(BaseModel):
    """A version of the guidelines; number 0 where none were written."""

    number: int
    text: str
    author: str | None
    at: datetime | None


class Republish(Request):
    """Topics whose current state is to be sent again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"topics": list(TOPICS)}]})

    topics: Annotated[list[Plain], Field(min_length=1, max_length=20)]


class Republished(BaseModel):
    """How many events were sent."""

    republished: int


class FigureRef(BaseModel):
    """A figure in a list."""

    id: str
    article: Article
    label: str
    language: str | None
    external_id: str | None
    thumbnail_url: str | None


class FigureView(FigureRef):
    """A figure to annotate. Addresses of pictures are valid for about an hour; `zoom` leads into the depth of its one.
    `panels` are those that the recommendations speak of."""

    revision: int
    legend: str
    legend_kind: LegendKind
    display_url: str | None
    width: int | None
    height: int | None
    zoom: TileSource | None
    panels: list[str]
    withheld: Annotated[
        bool, Field(description="There is a picture that waits for an administrator's look, or was refused")
    ] = False


class DecisionMark(BaseModel):
    """What was decided of a recommendation."""

    kind: DecisionKind
    key: str
    reason: RejectReason | None


class RecommendationView(Recommendation):
    """A recommendation with the annotator's decision on it; null while undecided."""

    decision: DecisionMark | None = None


class RecommendationsView(BaseModel):
    """`pending` until recommendations for the figure's current revision have arrived: decisions can be saved all the
    same."""

    state: RecommendationState | Literal["pending"]
    reason: str = ""
    revision: int | None = None
    generation: int | None = None
    annotator: str | None = None
    vocabularies: dict[str, str] = {}
    hidden: Annotated[bool, Field(description="Not shown for this figure, to measure what they do")] = False
    items: list[RecommendationView] = []


class DecisionView(BaseModel):
    """The decision that stands on a key; `tag` is what was accepted, rejected, added or withdrawn."""

    key: str
    kind: DecisionKind
    recommendation: str | None
    reason: RejectReason | None
    decided_at: datetime
    tag: Tag


class ReviewView(BaseModel):
    """The last verdict. `round` counts them."""

    round: int
    verdict: Verdict
    comment: str
    reviewer: str
    decided_at: datetime


class ConcernView(BaseModel):
    """What the annotator wants an administrator to look at."""

    reason: ConcernReason
    comment: str
    at: datetime


class CommentView(BaseModel):
    """A comment. `key` is the decision that it is about, null for the whole; `thread` the comment that it answers."""

    id: str
    author: str
    at: datetime
    text: str
    key: str | None
    thread: str | None


class AssignmentView(BaseModel):
    """All that an annotator or reviewer needs. `comment` is the reviewer's last one. `undoable` and `redoable` are
    numbers of steps; once `review_begun`, the annotator cannot recall it."""

    id: str
    version: int
    figure: FigureView
    annotator: str
    reviewer: str
    state: State
    recommendations: RecommendationsView
    tags: list[Tag]
    decisions: list[DecisionView]
    no_tag_applies: bool
    comment: str
    review: ReviewView | None
    review_begun: bool
    concern: ConcernView | None
    undoable: int
    redoable: int
    created_at: datetime
    updated_at: datetime


class AssignmentSummary(BaseModel):
    """An assignment in a list. `tags` and `decisions` are numbers; `figure` is null when it was just erased."""

    id: str
    version: int
    figure: FigureRef | None
    annotator: str
    reviewer: str
    state: State
    tags: int
    decisions: int
    no_tag_applies: bool
    comment: str
    concern: ConcernView | None
    created_at: datetime
    updated_at: datetime


class AssignmentPage(PageOf[AssignmentSummary]):
    """`counts`: assignments by state, of all pages and whatever `state` was asked for."""

    counts: dict[State, int]


class HistoryView(BaseModel):
    """What one write did. `number` is the assignment's version that it made."""

    number: int
    at: datetime
    actor: str
    action: Action
    state: State
    no_tag_applies: bool
    comment: str
    guidelines: Annotated[int | None, Field(description="The version in force, of a decision")]
    decisions: list[DecisionView]


_DECISIONS: Final[dict[str, Any]] = {
    "accept": {
        "summary": "Accept a recommendation",
        "value": {"kind": "accept", "recommendation": "MONDO:0004992|present"},
    },
    "accept, changed": {
        "summary": "Accept with another assertion, for one panel",
        "value": {
            "kind": "accept",
            "recommendation": "MONDO:0004992|present",
            "assertion": "uncertain",
            "panels": ["B"],
        },
    },
    "reject": {
        "summary": "Reject a recommendation",
        "value": {"kind": "reject", "recommendation": "UBERON:0000966|present", "reason": "wrong_meaning"},
    },
    "add": {
        "summary": "Add a concept from the concept search",
        "value": {
            "kind": "add",
            "axis": "anatomy",
            "curie": "UBERON:0000966",
            "label": "retina",
            "iri": "http://purl.obolibrary.org/obo/UBERON_0000966",
            "ontology": "UBERON",
            "vocabulary_version": "2024-01-18",
        },
    },
    "add text": {
        "summary": "Add free text on an axis",
        "value": {"kind": "add", "axis": "imaging", "text": "light-sheet fluorescence"},
    },
    "withdraw": {"summary": "Take a decision back", "value": {"kind": "withdraw", "key": "UBERON:0000966|present"}},
}


def router(workbench: Workbench, distribution: Distribution, engine: Engine) -> APIRouter:
    """The routes of annotation."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post(
        "/api/v1/assignments",
        status_code=201,
        tags=["assignments"],
        summary="Assign figures to an annotator and reviewer",
    )
    async def assign(caller: CallerDep, body: NewAssignments) -> AssignmentsMade:
        """One assignment a figure and annotator; assigning again leaves the first as it is. Administrators only."""
        if sum(choice is not None for choice in (body.figures, body.article, body.all_unassigned)) != 1:
            raise Invalid(
                "Say which figures.", field="figures", remedy="Send one of `figures`, `article`, `all_unassigned`."
            )
        if body.figures is not None:
            done = await workbench.assign_figures(caller, body.figures, body.annotator, body.reviewer)
        elif body.article is not None:
            done = await workbench.assign_article(caller, body.article, body.annotator, body.reviewer)
        else:
            done = await workbench.assign_unassigned(caller, body.annotator, body.reviewer)
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
        figure: Id | None = None,
        article: Id | None = None,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
    ) -> AssignmentPage:
        """Oldest first."""
        found = await workbench.listing(
            caller,
            relation=relation,
            state=state,
            flagged=flagged,
            figure=figure,
            article=article,
            after=cursor,
            limit=limit,
        )
        return _page(found, signer)

    @routes.get(
        "/api/v1/assignments/{id}",
        tags=["assignments"],
        summary="Show an assignment",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def show(caller: CallerDep, id: IdPath) -> Response:
        """The figure, its recommendations, every decision, the review: all that a workbench needs."""
        return _answer(await workbench.sheet(caller, id), signer)

    @routes.post(
        "/api/v1/assignments/{id}/decisions",
        tags=["assignments"],
        summary="Save a decision",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def decide(
        caller: CallerDep,
        id: IdPath,
        command: Annotated[tagging.DecisionCommand, Body(openapi_examples=_DECISIONS)],
        version: IfMatch,
    ) -> Response:
        """Accept, reject, add or withdraw. The same decision sent twice is one decision, so it can be sent again when
        an answer was lost. With If-Match, a decision on an older version is refused with the difference."""
        return _answer(await workbench.decide(caller, id, command, version=version), signer)

    @routes.post(
        "/api/v1/assignments/{id}/submit",
        tags=["assignments"],
        summary="Submit an assignment for review",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def submit(caller: CallerDep, id: IdPath, body: Submission, version: IfMatch) -> Response:
        """Needs a tag, or `no_tag_applies`."""
        done = await workbench.submit(caller, id, no_tag_applies=body.no_tag_applies, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/review",
        tags=["assignments"],
        summary="Approve or return an assignment",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def review(caller: CallerDep, id: IdPath, body: VerdictBody, version: IfMatch) -> Response:
        """Approving makes its tags final. A returned one goes back to the annotator, who may submit it again."""
        done = await workbench.review(caller, id, body.verdict, body.comment, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.get("/api/v1/assignments/{id}/history", tags=["assignments"], summary="Show what was done, in order")
    async def history(
        caller: CallerDep,
        id: IdPath,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}$")] = None,
        limit: Limit = 50,
    ) -> PageOf[HistoryView]:
        """Who did what when, oldest first."""
        entries = await workbench.history(caller, id, start=int(cursor or 1), limit=limit + 1)
        following = str(entries[limit].number) if len(entries) > limit else None
        return PageOf(items=[_history(entry) for entry in entries[:limit]], next=following)

    @routes.get(
        "/api/v1/figures/{id}/recommendations", tags=["figures"], summary="Show the recommendations of a figure"
    )
    async def recommendations(caller: CallerDep, id: IdPath) -> RecommendationsView:
        """As they arrived, without anybody's decisions."""
        figure, found = await workbench.recommendations(caller, id)
        return _recommendations(figure, found, ())

    _more(routes, workbench, signer)
    _distributing(routes, distribution, signer)

    @routes.post("/internal/republish", include_in_schema=False, summary="Send current state again")
    async def again(caller: CallerDep, body: Republish) -> Republished:
        caller.require("system.write", frozenset({"any"}), DEFAULT_PROJECT)
        return Republished(republished=await republish(engine.documents, engine.bus, body.topics))

    return routes


def _more(routes: APIRouter, workbench: Workbench, signer: Signer) -> None:
    """Ways back and out of daily work, and what people say to each other."""

    @routes.post(
        "/api/v1/assignments/{id}/undo",
        tags=["assignments"],
        summary="Take the last decision back",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def undo(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """Step by step, back to when the assignment was opened, returned or recalled."""
        done = await workbench.step(caller, id, "undo", version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/redo",
        tags=["assignments"],
        summary="Do again what was undone",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def redo(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """Until the next decision, which forgets what was undone."""
        done = await workbench.step(caller, id, "redo", version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/skip",
        tags=["assignments"],
        summary="Put a figure aside, with a reason",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def skip(caller: CallerDep, id: IdPath, body: ConcernBody, version: IfMatch) -> Response:
        """It leaves the annotator's work until they recall it or an administrator settles the concern."""
        done = await workbench.skip(caller, id, body.reason, body.comment, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/flag",
        tags=["assignments"],
        summary="Tell an administrator of a concern",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def flag(caller: CallerDep, id: IdPath, body: ConcernBody, version: IfMatch) -> Response:
        """The work goes on; list those with `flagged=true`."""
        done = await workbench.flag(caller, id, body.reason, body.comment, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.delete(
        "/api/v1/assignments/{id}/flag",
        tags=["assignments"],
        summary="Settle a concern",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def unflag(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """Administrators only. A figure that was skipped is its annotator's to tag again."""
        done = await workbench.unflag(caller, id, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/recall",
        tags=["assignments"],
        summary="Take back what was submitted or skipped",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def recall(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """Possible until its review has begun."""
        done = await workbench.recall(caller, id, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/review/begin",
        tags=["assignments"],
        summary="Begin a review",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def begin_review(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """From now on the annotator cannot recall it."""
        done = await workbench.begin_review(caller, id, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/reopen",
        tags=["assignments"],
        summary="Give an approved assignment back",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def reopen(caller: CallerDep, id: IdPath, body: Reopening, version: IfMatch) -> Response:
        """Its tags are final no longer; the annotator sees the reason. Its reviewer or an administrator."""
        done = await workbench.reopen(caller, id, body.reason, version=version)
        return _answer(await workbench.sheet_of(done), signer)

    @routes.post(
        "/api/v1/assignments/{id}/release",
        tags=["assignments"],
        summary="Take an assignment from its annotator",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}},
    )
    async def release(caller: CallerDep, id: IdPath, version: IfMatch) -> Response:
        """Its tags are withdrawn, its history stays, its figure can be assigned anew. Administrators only."""
        return _answer(await workbench.sheet_of(await workbench.release(caller, id, version=version)), signer)

    @routes.post(
        "/api/v1/assignments/{id}/comments",
        status_code=201,
        tags=["assignments"],
        summary="Comment on an assignment or a tag",
    )
    async def comment(caller: CallerDep, id: IdPath, body: NewComment) -> CommentView:
        """Seen by its annotator, its reviewer and administrators."""
        return _comment(await workbench.comment(caller, id, body.text, body.key, body.thread))

    @routes.get("/api/v1/assignments/{id}/comments", tags=["assignments"], summary="List comments")
    async def comments(
        caller: CallerDep,
        id: IdPath,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
    ) -> PageOf[CommentView]:
        """Oldest first."""
        page = await workbench.comments(caller, id, after=cursor, limit=limit)
        return PageOf(items=[_comment(said) for said in page.items], next=page.next)


def _distributing(routes: APIRouter, distribution: Distribution, signer: Signer) -> None:
    """Plans, the pool, the project."""

    @routes.post("/api/v1/assignments/plan", tags=["assignments"], summary="Preview or apply a plan of who gets what")
    async def distribute(caller: CallerDep, body: PlanBody) -> PlanView:
        """The same order plans the same, so one that was broken off is sent again. Administrators only."""
        order = Order(
            tuple(Pair(pair.annotator, pair.reviewer) for pair in body.team),
            body.together,
            body.overlap,
            body.overlap_share,
            body.hidden_share,
        )
        done = await distribution.distribute(caller, body.choice(), order, after=body.cursor, apply=body.apply)
        return _plan(done, applied=body.apply)

    @routes.post("/api/v1/assignments/pool", tags=["assignments"], summary="Let annotators pull figures")
    async def offer(caller: CallerDep, body: PoolBody) -> PoolView:
        """Within a priority, what the recommender is least sure of comes first. Figures that are in the pool get the
        new priority. Administrators only."""
        order = Order((), "figure", body.overlap, body.overlap_share, body.hidden_share)
        done = await distribution.offer(caller, body.choice(), order, priority=body.priority, after=body.cursor)
        return PoolView(figures=done.figures, next=done.next)

    @routes.post(
        "/api/v1/assignments/next",
        tags=["assignments"],
        summary="Get the next figure to tag",
        response_model=AssignmentView,
        responses={200: {"headers": Answer}, 204: {"description": "There is nothing to do"}},
    )
    async def pull(caller: CallerDep) -> Response:
        """What was returned to you, then what you have open, then, for members of the project, one from the pool. A
        pulled figure that is not begun within two hours goes back."""
        sheet = await distribution.next(caller)
        return _answer(sheet, signer) if sheet else Response(status_code=204)

    @routes.get("/api/v1/projects/{id}", tags=["projects"], summary="Show a project")
    async def project(caller: CallerDep, id: IdPath) -> ProjectView:
        """There is one, `default`."""
        found = await distribution.read_project(caller, id)
        return _project(found, await distribution.guidelines(caller, id))

    @routes.put("/api/v1/projects/{id}", tags=["projects"], summary="Change a project")
    async def change(caller: CallerDep, id: IdPath, body: ProjectBody, version: IfMatch) -> ProjectView:
        """With If-Match, a change of an older version is refused. Administrators only."""
        members = [Member(annotator=pair.annotator, reviewer=pair.reviewer) for pair in body.members]
        changed = await distribution.change_project(caller, id, members, version=version)
        return _project(changed, await distribution.guidelines(caller, id))

    @routes.get("/api/v1/projects/{id}/guidelines", tags=["projects"], summary="Show the guidelines")
    async def guidelines(
        caller: CallerDep,
        id: IdPath,
        number: Annotated[int | None, Query(ge=1, le=10**9, description="A version; the newest without it")] = None,
    ) -> GuidelinesView:
        """In Markdown. History entries name the version that was in force."""
        return _guidelines(await distribution.guidelines(caller, id, number))

    @routes.put("/api/v1/projects/{id}/guidelines", tags=["projects"], summary="Write new guidelines")
    async def write(caller: CallerDep, id: IdPath, body: GuidelinesBody) -> GuidelinesView:
        """A new version; older ones stay. Administrators only."""
        return _guidelines(await distribution.write_guidelines(caller, id, body.text, version=body.number))


def _plan(done: Distributed, *, applied: bool) -> PlanView:
    people = [
        ShareView(
            annotator=share.pair.annotator, reviewer=share.pair.reviewer, figures=share.figures, hidden=share.hidden
        )
        for share in done.shares
    ]
    return PlanView(figures=done.figures, people=people, applied=applied, next=done.next)


def _project(found: Project, guidelines: Guidelines | None) -> ProjectView:
    return ProjectView(
        id=found.id,
        version=found.version,
        members=[PairBody(annotator=one.annotator, reviewer=one.reviewer) for one in found.members],
        guidelines=guidelines.number if guidelines else 0,
    )


def _guidelines(found: Guidelines | None) -> GuidelinesView:
    if found is None:
        return GuidelinesView(number=0, text="", author=None, at=None)
    return GuidelinesView(number=found.number, text=found.text, author=found.author, at=found.at)


def _made(done: Assigned) -> AssignmentsMade:
    return AssignmentsMade(
        created=len(done.created),
        existing=done.existing,
        more=done.more,
        items=[AssignmentRef(id=one.id, figure=one.figure) for one in done.created],
    )


def _answer(sheet: Sheet, signer: Signer) -> Response:
    """Dumped once: the view is made of validated parts."""
    return Response(
        _view(sheet, signer).model_dump_json(),
        media_type="application/json",
        headers={"ETag": etag(sheet.assignment.version)},
    )


def _view(sheet: Sheet, signer: Signer) -> AssignmentView:
    assignment, judged = sheet.assignment, sheet.assignment.judged
    recommendations = (
        RecommendationsView(state="none_found", reason="Hidden for this figure, to measure what they do.", hidden=True)
        if assignment.hidden
        else _recommendations(sheet.figure, sheet.recommendations, assignment.decisions)
    )
    return AssignmentView(
        id=assignment.id,
        version=assignment.version,
        figure=_figure(sheet.figure, recommendations.items, signer),
        annotator=assignment.annotator,
        reviewer=assignment.reviewer,
        state=assignment.state,
        recommendations=recommendations,
        tags=list(assignment.tags),
        decisions=[_decision(decided) for decided in assignment.decisions],
        no_tag_applies=assignment.no_tag_applies,
        comment=judged.comment if judged else "",
        review=ReviewView(
            round=judged.round,
            verdict=judged.verdict,
            comment=judged.comment,
            reviewer=judged.by or assignment.reviewer,
            decided_at=judged.decided_at,
        )
        if judged
        else None,
        review_begun=assignment.review_begun,
        concern=_concern(assignment.concern),
        undoable=len(assignment.undo),
        redoable=len(assignment.redo),
        created_at=assignment.created_at,
        updated_at=assignment.updated_at,
    )


def _figure(figure: Figure, items: Sequence[Recommendation], signer: Signer) -> FigureView:
    picture = figure.picture
    return FigureView(
        id=figure.id,
        revision=figure.revision,
        article=figure.article,
        label=figure.label,
        legend=figure.legend,
        legend_kind=figure.legend_kind,
        language=figure.language,
        external_id=figure.external_id,
        display_url=_url(picture.display if picture else None, signer),
        thumbnail_url=_url(picture.thumbnail if picture else None, signer),
        width=picture.display.width if picture else None,
        height=picture.display.height if picture else None,
        zoom=source(figure.id, picture, signer) if picture else None,
        panels=sorted({panel for item in items for panel in item.panels}),
        withheld=figure.withheld,
    )


def _url(rendition: Rendition | None, signer: Signer) -> str | None:
    if rendition is None:
        return None
    return f"/api/v1/files/{signer.grant(Grant(blob=rendition.blob, media_type=rendition.media_type))}"


def _recommendations(
    figure: Figure, found: Recommendations | None, decisions: Sequence[Decided]
) -> RecommendationsView:
    if found is None:
        return RecommendationsView(state="pending", reason="They have not been made yet.")
    if found.revision < figure.revision:
        return RecommendationsView(state="pending", reason="The figure was corrected; they are being made again.")
    marks = {
        decided.recommendation: DecisionMark(kind=decided.kind, key=decided.tag.key, reason=decided.reason)
        for decided in sorted(decisions, key=lambda decided: decided.tag.decided_at)
        if decided.recommendation and decided.kind != "withdraw"
    }
    return RecommendationsView(
        state=found.state,
        reason=found.reason,
        revision=found.revision,
        generation=found.generation,
        annotator=found.annotator,
        vocabularies=found.vocabularies,
        items=[RecommendationView(**item.__dict__, decision=marks.get(item.id)) for item in found.items],
    )


def _decision(decided: Decided) -> DecisionView:
    return DecisionView(
        key=decided.tag.key,
        kind=decided.kind,
        recommendation=decided.recommendation,
        reason=decided.reason,
        decided_at=decided.tag.decided_at,
        tag=decided.tag,
    )


def _concern(concern: Concern | None) -> ConcernView | None:
    return ConcernView(reason=concern.reason, comment=concern.comment, at=concern.at) if concern else None


def _comment(said: Comment) -> CommentView:
    return CommentView(id=said.id, author=said.author, at=said.at, text=said.text, key=said.key, thread=said.thread)


def _history(entry: Entry) -> HistoryView:
    return HistoryView(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        state=entry.state,
        no_tag_applies=entry.no_tag_applies,
        comment=entry.comment,
        guidelines=entry.guidelines,
        decisions=[_decision(decided) for decided in entry.decisions],
    )


def _page(found: Listing, signer: Signer) -> AssignmentPage:
    states: tuple[State, ...] = ("open", "submitted", "returned", "approved", "skipped", "released")
    return AssignmentPage(
        items=[_summary(assignment, found.figures.get(assignment.figure), signer) for assignment in found.page.items],
        next=found.page.next,
        counts={state: found.counts.get(state, 0) for state in states},
    )


def _summary(assignment: Assignment, figure: Figure | None, signer: Signer) -> AssignmentSummary:
    return AssignmentSummary(
        id=assignment.id,
        version=assignment.version,
        figure=FigureRef(
            id=figure.id,
            article=figure.article,
            label=figure.label,
            language=figure.language,
            external_id=figure.external_id,
            thumbnail_url=_url(figure.picture.thumbnail if figure.picture else None, signer),
        )
        if figure
        else None,
        annotator=assignment.annotator,
        reviewer=assignment.reviewer,
        state=assignment.state,
        tags=len(assignment.tags),
        decisions=len(assignment.decisions),
        no_tag_applies=assignment.no_tag_applies,
        comment=assignment.judged.comment if assignment.judged else "",
        concern=_concern(assignment.concern),
        created_at=assignment.created_at,
        updated_at=assignment.updated_at,
    )
