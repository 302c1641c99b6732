"""Ways out of daily work: putting aside, telling, taking back."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import ConfigDict, StringConstraints

from services.annotation.api.bodies import IdPath, Request
from services.annotation.api.views import SHEET, answer
from services.annotation.model import (
    ConcernReason,
)
from services.annotation.reviewing import MAX_COMMENT
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from shared.engine import Engine
from shared.http import CallerDep, IfMatch


class ConcernBody(Request):
    """Why an annotator cannot, or should not, tag the figure as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "wrong_legend", "comment": "The legend is that of figure 3."}]},
    )

    reason: ConcernReason
    comment: Annotated[str, StringConstraints(strip_whitespace=True, max_length=MAX_COMMENT)] = ""


def router(workbench: Workbench, sheets: Sheets, engine: Engine) -> APIRouter:
    """What annotators do with a figure that they cannot tag, or tagged too soon."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post("/api/v1/assignments/{id}/skip", summary="Put a figure aside, with a reason", **SHEET)
    async def skip(caller: CallerDep, id: IdPath, body: ConcernBody, version: IfMatch = None) -> Response:
        """It leaves the annotator's work until they recall it or an administrator settles the concern."""
        done = await workbench.skip(caller, id, body.reason, body.comment, version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/flag", summary="Tell an administrator of a concern", **SHEET)
    async def flag(caller: CallerDep, id: IdPath, body: ConcernBody, version: IfMatch = None) -> Response:
        """The work goes on; list those with `flagged=true`."""
        done = await workbench.flag(caller, id, body.reason, body.comment, version=version)
        return answer(await sheets.of(done), signer)

    @routes.delete("/api/v1/assignments/{id}/flag", summary="Settle a concern", **SHEET)
    async def unflag(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Administrators only. A figure that was skipped is its annotator's to tag again."""
        done = await workbench.unflag(caller, id, version=version)
        return answer(await sheets.of(done), signer)

    @routes.post("/api/v1/assignments/{id}/recall", summary="Take back what was submitted or skipped", **SHEET)
    async def recall(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Possible until its review has begun."""
        done = await workbench.recall(caller, id, version=version)
        return answer(await sheets.of(done), signer)

    return routes
