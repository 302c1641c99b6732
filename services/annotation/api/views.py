"""What is shown of figures and assignments: documents become answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Response
from pydantic import BaseModel, Field

from services.annotation import rules
from services.annotation.adjudicating import Became, Settled
from services.annotation.holding import WORKABLE, name_of
from services.annotation.model import (
    Assignment,
    Concern,
    ConcernReason,
    Decided,
    Figure,
    Look,
    Recommendations,
    Rule,
    Rules,
    State,
)
from services.annotation.sheets import Listing, Sheet
from shared.events.image import Article, Rendition
from shared.events.legend import Assertion, LegendKind
from shared.events.recommendation import Axis, Recommendation
from shared.events.recommendation import State as RecommendationState
from shared.events.review import DecisionKind, RecommendationSet, RejectReason, Verdict
from shared.events.tag import Tag
from shared.grants import Grant, Signer
from shared.http import PageOf, etag
from shared.zoom import TileSource, source


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


class NewerView(RecommendationSet):
    """Newer recommendations than those shown. `added` and `gone` are numbers of recommendations."""

    added: int
    gone: int


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
    held: Annotated[
        bool, Field(description="The assignment was opened with these: newer ones are offered, not put in their place")
    ] = False
    newer: Annotated[
        NewerView | None, Field(description="What `POST …/recommendations/refresh` would show instead")
    ] = None
    items: list[RecommendationView] = []


class DecisionView(BaseModel):
    """The decision that stands on a key; `tag` is what was accepted, rejected, added or withdrawn. `by` is who decided
    it so, where that was not the annotator."""

    key: str
    kind: DecisionKind
    recommendation: str | None
    recommended_in: Annotated[
        RecommendationSet | None, Field(description="The recommendations that it answers, where that is known")
    ]
    reason: RejectReason | None
    decided_at: datetime
    tag: Tag
    by: str | None = None


class ReasonView(BaseModel):
    """What has to change of the tag with `key`."""

    key: str
    text: str


class ReviewView(BaseModel):
    """The last verdict. `round` counts them; `reasons` are those of single tags, which are comments there too."""

    round: int
    verdict: Verdict
    comment: str
    reviewer: str
    decided_at: datetime
    rule: Annotated[Rule | None, Field(description="Approved by this rule: nobody looked")] = None
    reasons: list[ReasonView] = []


class ConcernView(BaseModel):
    """What the annotator wants an administrator to look at."""

    reason: ConcernReason
    comment: str
    at: datetime


class SettledTagView(BaseModel):
    """A tag of the figure, and what became of it: of the annotator's own, `kept` or `dropped`; `from_others`: kept,
    and only others had it."""

    key: str
    axis: Axis
    curie: str | None
    label: str
    assertion: Assertion
    outcome: Became


class SettledView(BaseModel):
    """How an adjudicator settled a figure that several tagged, as far as it touches this assignment. Nobody is named,
    and what was dropped of the others' work is not told."""

    at: datetime
    tags: list[SettledTagView]


class RulesView(BaseModel):
    """What the project allows and asks of tags: `axes` in use, those `required`, whether "no tag applies" answers for
    these, whether free text is taken, and how many tags there may be."""

    axes: list[Axis]
    required: list[Axis]
    no_tag_allowed: bool
    free_text: bool
    pace: bool
    max_tags: int | None
    preferred: Annotated[dict[Axis, list[str]], Field(description="Ontologies by axis, the first one first")]


class AssignmentView(BaseModel):
    """All that an annotator or reviewer needs. `comment` is the reviewer's last one. `undoable` and `redoable` are
    numbers of steps; once `review_begun`, the annotator cannot recall it."""

    id: str
    version: int
    project: str
    figure: FigureView
    annotator: str
    reviewer: str
    state: State
    recommendations: RecommendationsView
    tags: list[Tag]
    decisions: list[DecisionView]
    no_tag_applies: bool
    no_tag_on: Annotated[list[Axis], Field(description="Axes on which, its annotator says, no tag applies")] = []
    rules: RulesView
    comment: str
    review: ReviewView | None
    review_begun: bool
    concern: ConcernView | None
    undoable: int
    redoable: int
    qualification: Annotated[bool, Field(description="A figure to qualify with: see its feedback once submitted")]
    look: Annotated[Look | None, Field(description="Why a reviewer has to look; not told to annotators")]
    settled: Annotated[
        SettledView | None,
        Field(description="Where several tagged the figure: what settling it made of this work, while that stands"),
    ] = None
    created_at: datetime
    updated_at: datetime


Answer: Final = {"ETag": {"description": "The assignment's version, for If-Match", "schema": {"type": "string"}}}
# What every route has that answers with an assignment (`answer`).
SHEET: Final[dict[str, Any]] = {
    "tags": ["assignments"],
    "response_model": AssignmentView,
    "responses": {200: {"headers": Answer}},
}


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
    look: Annotated[Look | None, Field(description="Why a reviewer has to look; not told to annotators")]
    created_at: datetime
    updated_at: datetime


class AssignmentPage(PageOf[AssignmentSummary]):
    """`counts`: assignments by state, of all pages and whatever `state` was asked for."""

    counts: dict[State, int]


def answer(sheet: Sheet, signer: Signer) -> Response:
    """Dumped once: the view is made of validated parts."""
    return Response(
        view(sheet, signer).model_dump_json(),
        media_type="application/json",
        headers={"ETag": etag(sheet.assignment.version)},
    )


def view(sheet: Sheet, signer: Signer) -> AssignmentView:
    assignment, judged = sheet.assignment, sheet.assignment.judged
    recommendations = (
        RecommendationsView(state="none_found", reason="Hidden for this figure, to measure what they do.", hidden=True)
        if assignment.hidden
        else _of_sheet(sheet)
    )
    return AssignmentView(
        id=assignment.id,
        version=assignment.version,
        project=assignment.project,
        figure=figure_view(sheet.figure, recommendations.items, signer),
        annotator=assignment.annotator,
        reviewer=assignment.reviewer,
        state=assignment.state,
        recommendations=recommendations,
        tags=list(assignment.tags),
        decisions=[decision_view(decided) for decided in assignment.decisions],
        no_tag_applies=assignment.no_tag_applies,
        no_tag_on=[axis for axis in assignment.no_tag_on if all(tag.axis != axis for tag in assignment.tags)],
        rules=rules_view(sheet.rules),
        comment=judged.comment if judged else "",
        review=ReviewView(
            round=judged.round,
            verdict=judged.verdict,
            comment=judged.comment,
            reviewer=judged.by or assignment.reviewer,
            decided_at=judged.decided_at,
            rule=judged.rule,
            reasons=[ReasonView(key=reason.key, text=reason.text) for reason in judged.reasons],
        )
        if judged
        else None,
        review_begun=assignment.review_begun,
        concern=concern_view(assignment.concern),
        undoable=len(assignment.undo),
        redoable=len(assignment.redo),
        qualification=assignment.trial is not None and assignment.trial.purpose == "qualify",
        look=sheet.look,
        settled=_settled_view(sheet.settled),
        created_at=assignment.created_at,
        updated_at=assignment.updated_at,
    )


def figure_ref(figure: Figure, signer: Signer) -> FigureRef:
    return FigureRef(
        id=figure.id,
        article=figure.article,
        label=figure.label,
        language=figure.language,
        external_id=figure.external_id,
        thumbnail_url=url(figure.picture.thumbnail if figure.picture else None, signer),
    )


def rules_view(found: Rules) -> RulesView:
    return RulesView(
        axes=list(rules.in_use(found)),
        required=list(found.required),
        no_tag_allowed=found.no_tag_allowed,
        free_text=found.free_text,
        pace=found.pace,
        max_tags=found.max_tags,
        preferred={axis: list(names) for axis, names in found.preferred.items()},
    )


def figure_view(figure: Figure, items: Sequence[Recommendation], signer: Signer) -> FigureView:
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
        display_url=url(picture.display if picture else None, signer),
        thumbnail_url=url(picture.thumbnail if picture else None, signer),
        width=picture.display.width if picture else None,
        height=picture.display.height if picture else None,
        zoom=source(figure.id, picture, signer) if picture else None,
        panels=sorted({panel for item in items for panel in item.panels}),
        withheld=figure.withheld,
    )


def url(rendition: Rendition | None, signer: Signer) -> str | None:
    if rendition is None:
        return None
    return f"/api/v1/files/{signer.grant(Grant(blob=rendition.blob, media_type=rendition.media_type))}"


def _of_sheet(sheet: Sheet) -> RecommendationsView:
    """With whether the assignment holds them, and what is newer."""
    shown, newer = sheet.recommendations, sheet.newer
    named = shown and rules.preferring(sheet.rules, shown)
    told = recommendations_view(sheet.figure, named, sheet.assignment.decisions)
    told = told.model_copy(update={"items": rules.ordered(sheet.rules, told.items)})
    if shown is None or sheet.assignment.opened_with != name_of(shown):
        return told
    if newer is None or sheet.assignment.state not in WORKABLE:
        return told.model_copy(update={"held": True})
    before, after = {item.id for item in shown.items}, {item.id for item in newer.items}
    offered = NewerView(
        revision=newer.revision,
        generation=newer.generation,
        added=len(after - before),
        gone=len(before - after),
    )
    return told.model_copy(update={"held": True, "newer": offered})


def recommendations_view(
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


def decision_view(decided: Decided) -> DecisionView:
    return DecisionView(
        key=decided.tag.key,
        kind=decided.kind,
        recommendation=decided.recommendation,
        recommended_in=decided.recommended_in,
        reason=decided.reason,
        decided_at=decided.tag.decided_at,
        tag=decided.tag,
        by=decided.by,
    )


def _settled_view(settled: Settled | None) -> SettledView | None:
    if settled is None:
        return None
    return SettledView(
        at=settled.at,
        tags=[
            SettledTagView(
                key=tag.key,
                axis=tag.axis,
                curie=tag.curie,
                label=tag.label,
                assertion=tag.assertion,
                outcome=became,
            )
            for tag, became in settled.tags
        ],
    )


def concern_view(concern: Concern | None) -> ConcernView | None:
    return ConcernView(reason=concern.reason, comment=concern.comment, at=concern.at) if concern else None


def page_view(found: Listing, signer: Signer) -> AssignmentPage:
    states: tuple[State, ...] = ("open", "submitted", "returned", "approved", "skipped", "released")
    return AssignmentPage(
        items=[
            summary(
                assignment,
                found.figures.get(assignment.figure),
                signer,
                look=None if found.own else assignment.look,
            )
            for assignment in found.page.items
        ],
        next=found.page.next,
        counts={state: found.counts.get(state, 0) for state in states},
    )


def summary(assignment: Assignment, figure: Figure | None, signer: Signer, *, look: Look | None) -> AssignmentSummary:
    return AssignmentSummary(
        id=assignment.id,
        version=assignment.version,
        figure=figure_ref(figure, signer) if figure else None,
        annotator=assignment.annotator,
        reviewer=assignment.reviewer,
        state=assignment.state,
        tags=len(assignment.tags),
        decisions=len(assignment.decisions),
        no_tag_applies=assignment.no_tag_applies,
        comment=assignment.judged.comment if assignment.judged else "",
        concern=concern_view(assignment.concern),
        look=look,
        created_at=assignment.created_at,
        updated_at=assignment.updated_at,
    )
