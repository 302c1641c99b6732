"""How work is done in a project: its rules and guidelines."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.annotation.api.bodies import IdPath, Request
from services.annotation.api.views import RulesView, rules_view
from services.annotation.model import Guidelines, Rules
from services.annotation.projects import Projects
from shared.events.recommendation import Axis
from shared.http import CallerDep, IfMatch


class RulesBody(Request):
    """What the project allows and asks of tags. No `axes`: all six are in use. Each `required` axis needs a tag or,
    where `no_tag_allowed`, that none applies. `preferred`: ontologies by axis whose concepts are shown first."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "axes": ["anatomy", "disease", "imaging"],
                    "required": ["anatomy"],
                    "max_tags": 20,
                    "preferred": {"disease": ["MONDO"]},
                }
            ]
        },
    )

    axes: Annotated[list[Axis], Field(max_length=6)] = []
    required: Annotated[list[Axis], Field(max_length=6)] = []
    no_tag_allowed: bool = True
    free_text: bool = True
    max_tags: Annotated[int, Field(ge=1, le=500)] | None = None
    preferred: dict[
        Axis, Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=20)]
    ] = {}
    pace: Annotated[bool, Field(description="Whether managers see measures person by person")] = True


class ProjectRules(RulesView):
    """With the version, for If-Match; 0 while nothing is set."""

    version: int


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


def _rules(found: Rules) -> ProjectRules:
    return ProjectRules(**rules_view(found).model_dump(), version=found.version)


def _guidelines(found: Guidelines | None) -> GuidelinesView:
    if found is None:
        return GuidelinesView(number=0, text="", author=None, at=None)
    return GuidelinesView(number=found.number, text=found.text, author=found.author, at=found.at)


def router(kept: Projects) -> APIRouter:
    """What is set of a project."""
    routes = APIRouter()

    @routes.get("/api/v1/projects/{id}/rules", tags=["projects"], summary="Show the rules of a project")
    async def rules(caller: CallerDep, id: IdPath) -> ProjectRules:
        """Axes in use and required, free text, the most tags, preferred ontologies."""
        return _rules(await kept.read_rules(caller, id))

    @routes.put("/api/v1/projects/{id}/rules", tags=["projects"], summary="Set the rules of a project")
    async def set_rules(caller: CallerDep, id: IdPath, body: RulesBody, version: IfMatch = None) -> ProjectRules:
        """All of them. They hold for what is decided and submitted from now on; what stands already stays. Managers
        only. With If-Match, a change of an older version is refused."""
        wanted = Rules(
            id=id,
            axes=tuple(dict.fromkeys(body.axes)),
            required=tuple(dict.fromkeys(body.required)),
            no_tag_allowed=body.no_tag_allowed,
            free_text=body.free_text,
            max_tags=body.max_tags,
            preferred={axis: tuple(dict.fromkeys(names)) for axis, names in body.preferred.items() if names},
            pace=body.pace,
        )
        return _rules(await kept.write_rules(caller, wanted, version=version))

    @routes.get("/api/v1/projects/{id}/guidelines", tags=["projects"], summary="Show the guidelines")
    async def guidelines(
        caller: CallerDep,
        id: IdPath,
        number: Annotated[int | None, Query(ge=1, le=10**9, description="A version; the newest without it")] = None,
    ) -> GuidelinesView:
        """In Markdown. History entries name the version that was in force."""
        return _guidelines(await kept.guidelines(caller, id, number))

    @routes.put("/api/v1/projects/{id}/guidelines", tags=["projects"], summary="Write new guidelines")
    async def write(caller: CallerDep, id: IdPath, body: GuidelinesBody) -> GuidelinesView:
        """A new version; older ones stay. Administrators only."""
        return _guidelines(await kept.write_guidelines(caller, id, body.text, version=body.number))

    return routes
