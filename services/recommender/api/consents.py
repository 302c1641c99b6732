"""The HTTP door of consents to ask BioPortal."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from services.recommender.consents import Consents
from services.recommender.model import Consent
from shared.clock import now
from shared.errors import Invalid
from shared.http import CallerDep

ProjectId = Annotated[str, Path(max_length=100)]


class ConsentBody(BaseModel):
    """What of a project may be sent to BioPortal. Texts leave the site; reports need a consent of their own."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"legends": True, "reports": False}, {"legends": False}]}
    )

    legends: bool
    reports: bool = False


class ConsentView(BaseModel):
    """What of a project may be sent, who said so and when. `server`: where to; null: the operator named none, so that
    nothing is sent whatever is allowed."""

    project: str
    server: Annotated[str | None, Field(description="Address of BioPortal, as the settings name it")]
    legends: bool
    legends_by: str | None
    legends_at: datetime | None
    reports: bool
    reports_by: str | None
    reports_at: datetime | None


def router(consents: Consents, server: str, changed: Callable[[], None]) -> APIRouter:
    """`server`: the address of BioPortal, "" where there is none; `changed`: called when something was said."""
    routes = APIRouter(tags=["projects"])

    @routes.get("/api/v1/projects/{id}/bioportal", summary="Whether texts of a project are sent to BioPortal")
    async def show(caller: CallerDep, id: ProjectId) -> ConsentView:
        caller.require("project.read", project=id)
        return view(await consents.of(id))

    @routes.put("/api/v1/projects/{id}/bioportal", summary="Allow or forbid sending texts of a project to BioPortal")
    async def say(caller: CallerDep, id: ProjectId, body: ConsentBody) -> ConsentView:
        """Allowed, all figures of the project get new recommendations; forbidden, nothing is sent from this moment on,
        and those that BioPortal made are made again without it."""
        caller.require("project.write", project=id)
        if body.legends and not server:
            raise Invalid(
                "This installation asks no BioPortal.",
                field="legends",
                remedy="Its operator has to set MITAGGER_BIOPORTAL and MITAGGER_BIOPORTAL_KEY first.",
            )
        said = await consents.say(id, legends=body.legends, reports=body.reports, by=caller.person, at=now())
        changed()
        return view(said)

    def view(one: Consent) -> ConsentView:
        return ConsentView(
            project=one.id,
            server=server or None,
            legends=bool(one.legends_by),
            legends_by=one.legends_by or None,
            legends_at=one.legends_at,
            reports=bool(one.reports_by),
            reports_by=one.reports_by or None,
            reports_at=one.reports_at,
        )

    return routes
