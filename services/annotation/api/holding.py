"""Recommendations that stay as an assignment was opened with them, until newer ones are taken."""

from fastapi import APIRouter, Response

from services.annotation.api.bodies import IdPath
from services.annotation.api.views import SHEET, answer
from services.annotation.workbench import Workbench
from shared.engine import Engine
from shared.http import CallerDep, IfMatch


def router(workbench: Workbench, engine: Engine) -> APIRouter:
    """Opening an assignment, and taking newer recommendations."""
    routes = APIRouter()
    signer = engine.signer

    @routes.post(
        "/api/v1/assignments/{id}/open", summary="Say that its annotator has an assignment before them", **SHEET
    )
    async def open_assignment(caller: CallerDep, id: IdPath) -> Response:
        """From now on its recommendations stay as they are shown, and newer ones are offered (`newer`). A first
        decision does the same. Until recommendations are there it does nothing; any number of times is once."""
        return answer(await workbench.open(caller, id), signer)

    @routes.post("/api/v1/assignments/{id}/recommendations/refresh", summary="Take newer recommendations", **SHEET)
    async def refresh(caller: CallerDep, id: IdPath, version: IfMatch = None) -> Response:
        """Every decision stays, those on what is recommended no longer too. Where nothing newer is there, nothing
        changes."""
        return answer(await workbench.refresh(caller, id, version=version), signer)

    return routes
