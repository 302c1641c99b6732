"""Reviews: verdicts, and ways back from them."""

from typing import Annotated

from fastapi import APIRouter, Body, Response
from pydantic import ConfigDict, Field, StringConstraints

from services.annotation import tagging
from services.annotation.api.bodies import EXAMPLES, IdPath, Request
from services.annotation.api.views import SHEET, answer
from services.annotation.model import Reason
from services.annotation.reviewing import MAX_COMMENT, MAX_REASONS
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from shared.engine import Engine
from shared.events.review import Verdict
from shared.http import CallerDep, IfMatch


class ReasonBody(Request):
    """What has to change of one tag, by its key: it becomes a comment there."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=700)]
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]


class VerdictBody(Request):
    """A returned assignment needs a comment, or reasons by tag, that say what to change."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"verdict": "approved", "comment": ""},
                {"verdict": "returned", "comment": "Panel B shows the retina; please tag it."},
                {
                    "verdict": "returned",
                    "reasons": [{"key": "UBERON:0000966|present", "text": "This is the choroid."}],
                },
            ]
        },
    )

    verdict: Verdict
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_COMMENT)] = ""
    reasons: Annotated[list[ReasonBody], Field(max_length=MAX_REASONS)] = []


class Reopening(Request):
    """Why the figure has to be tagged again."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "Panel C was overlooked; please tag it."}]}
    )

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_COMMENT)]


def router(workbench: Workbench, sheets: Sheets, engine: Engine) -> APIRouter:
    """What reviewers do."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post("/api/v1/assignments/{id}/review/begin", summary="Begin a review", **SHEET)
    async def begin_review(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """From now on the annotator cannot recall it."""
        done = await workbench.begin_review(caller, id, version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/review", summary="Approve or return an assignment", **SHEET)
    async def review(caller: CallerDep, id: IdPath, body: VerdictBody, version: IfMatch = None) -> Response:
        """Approving makes its tags final. A returned one goes back to the annotator, who may submit it again."""
        reasons = [Reason(key=reason.key, text=reason.text) for reason in body.reasons]
        done = await workbench.review(caller, id, body.verdict, body.comment, reasons=reasons, version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/review/decisions", summary="Change what is being reviewed", **SHEET)
    async def correct(
        caller: CallerDep,
        id: IdPath,
        command: Annotated[tagging.DecisionCommand, Body(openapi_examples=EXAMPLES)],
        version: IfMatch = None,
    ) -> Response:
        """As `decisions`, by the reviewer, while it is submitted. What is added is the reviewer's tag; the annotator
        sees what was changed."""
        return answer(await workbench.correct(caller, id, command, version=version), signer)

    @routes.post("/api/v1/assignments/{id}/reopen", summary="Give an approved assignment back", **SHEET)
    async def reopen(caller: CallerDep, id: IdPath, body: Reopening, version: IfMatch = None) -> Response:
        """Its tags are final no longer; the annotator sees the reason. Its reviewer or an administrator."""
        done = await workbench.reopen(caller, id, body.reason, version=version)
        return answer(await sheets.of(done), signer)

    return routes
