"""The door to propose an erasure: what would go, from every service."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, Field

from services.gateway.api.asking import PersonDep, ProjectDep
from services.gateway.api.passing import passed_back
from services.gateway.audit import Audit
from services.gateway.erasing import Tracer


class ProposedErasure(BaseModel):
    """What would go. Nothing has: confirm it with the number of `figures`, within an hour."""

    id: str
    selection: dict[str, Any]
    state: str
    figures: int
    left: int
    created_at: datetime
    updated_at: datetime
    goes: Annotated[dict[str, int], Field(description="Beside the figures: how many of each kind go, or are withdrawn")]
    complete: Annotated[bool, Field(description="False: `goes` counts the first 20,000 figures only")]


_SELECTIONS: Final[dict[str, Any]] = {
    "figures": {"summary": "Some figures", "value": {"figures": ["5f0c6a9be1d24c0c8a3f7be0d2c4e611"]}},
    "article": {"summary": "An article", "value": {"article": "0d9c0b6d1f8e4a1bb1c2a3f4e5d6c7b8"}},
    "before": {"summary": "What came in before a time", "value": {"before": "2021-01-01T00:00:00Z"}},
    "everything": {"summary": "The whole project", "value": {"everything": True}},
}


def router(tracer: Tracer, audit: Audit) -> APIRouter:
    routes = APIRouter()

    @routes.post(
        "/api/v1/erasures",
        status_code=201,
        tags=["figures"],
        summary="Propose an erasure, and show what would go",
        response_model=ProposedErasure,
    )
    async def propose(
        person: PersonDep,
        body: Annotated[dict[str, Any], Body(openapi_examples=_SELECTIONS)],
        project: ProjectDep,
    ) -> Response:
        """One of `figures` (ids, at most 1,000), `article` (its id), `before` (an ISO time: what came in earlier) and
        `everything`. Nothing is erased before it is confirmed."""
        person.caller.require("figure.erase", project=project)
        async with audit.recorded(person.caller.person, "POST /api/v1/erasures", project=project) as act:
            answer = await tracer.propose(person.caller, project, body)
            if answer.status_code != 201:
                act.outcome = "refused"
                return passed_back(answer)
            erasure = answer.json()
            act.target = erasure["id"]
            found = await tracer.traced(person.caller, erasure["id"])
        proposed = ProposedErasure(**erasure, goes=found.counts, complete=found.complete)
        return Response(proposed.model_dump_json(), status_code=201, media_type="application/json")

    return routes
