"""What was done: entry by entry, as it stood after one of them, and back to it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.annotation.api.bodies import IdPath, Request
from services.annotation.api.views import SHEET, DecisionView, answer, decision_view
from services.annotation.history import Stood
from services.annotation.model import Action, Entry, State
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.tag import Tag
from shared.http import CallerDep, IfMatch, Limit, PageOf


class ConsultedView(BaseModel):
    """The recommendations that were shown: of which revision of the figure, of which generation of vocabularies and
    rules, and by which annotator (its name and version)."""

    revision: int
    generation: int
    annotator: str


class StepView(BaseModel):
    """What one write was. `number` is the assignment's version that it made."""

    number: int
    at: datetime
    actor: str
    action: Action
    state: State
    no_tag_applies: bool


class HistoryView(StepView):
    """What one write did. `number` is the assignment's version that it made."""

    comment: str
    guidelines: Annotated[int | None, Field(description="The version in force, of a decision")]
    consulted: Annotated[ConsultedView | None, Field(description="Of an answer to a recommendation")]
    to: Annotated[int | None, Field(description="The number that it went back to")]
    decisions: list[DecisionView]


class StoodView(StepView):
    """An assignment as it stood after the write with `number`: every decision until then, and the tags that stood."""

    decisions: list[DecisionView]
    tags: list[Tag]


class Reverting(Request):
    """The number, in the history, of the version to go back to."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"number": 3}]})

    number: Annotated[int, Field(ge=1, le=10**9)]


def router(workbench: Workbench, sheets: Sheets, engine: Engine) -> APIRouter:
    """History."""
    routes = APIRouter()

    @routes.get("/api/v1/assignments/{id}/history", tags=["assignments"], summary="Show what was done, in order")
    async def history(
        caller: CallerDep,
        id: IdPath,
        cursor: Annotated[str | None, Query(pattern=r"^[0-9]{1,9}$")] = None,
        limit: Limit = 50,
    ) -> PageOf[HistoryView]:
        """Who did what when, oldest first."""
        entries = await sheets.history(caller, id, start=int(cursor or 1), limit=limit + 1)
        following = str(entries[limit].number) if len(entries) > limit else None
        return PageOf(items=[_history(entry) for entry in entries[:limit]], next=following)

    @routes.get("/api/v1/assignments/{id}/as-it-stood", tags=["assignments"], summary="Show an assignment as it stood")
    async def as_it_stood(
        caller: CallerDep,
        id: IdPath,
        number: Annotated[int | None, Query(ge=1, le=10**9, description="Of an entry of the history")] = None,
        at: Annotated[AwareDatetime | None, Query(description="A time, with its zone")] = None,
    ) -> StoodView:
        """After an entry of its history, or at a time; as it stands, without both."""
        if number is not None and at is not None:
            raise Invalid("A number is a time.", field="at", remedy="Send `number` or `at`, not both.")
        return _stood(await sheets.stood(caller, id, number=number, at=at))

    @routes.post("/api/v1/assignments/{id}/revert", summary="Go back to an earlier version", **SHEET)
    async def revert(caller: CallerDep, id: IdPath, body: Reverting, version: IfMatch = None) -> Response:
        """Its decisions as they stood then, whoever made them, as one step that can be undone. The annotator's, while
        it is open or returned."""
        done = await workbench.revert(caller, id, body.number, version=version)
        return answer(await sheets.of(done), engine.signer)

    return routes


def _history(entry: Entry) -> HistoryView:
    decisions = [decision_view(decided) for decided in entry.decisions]
    return HistoryView.model_validate({**entry.model_dump(exclude={"decisions"}), "decisions": decisions})


def _stood(past: Stood) -> StoodView:
    decisions = [decision_view(decided) for decided in past.decisions]
    return StoodView.model_validate(
        {**past.entry.model_dump(exclude={"decisions"}), "decisions": decisions, "tags": past.tags}
    )
