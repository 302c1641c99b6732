"""The HTTP door of the site's mappings between vocabularies, for administrators."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.recommender.api.together import Id, Name, SetView, SkippedRowView, add_routes, version_view
from services.recommender.model import VersionState
from services.recommender.republishing import republish
from services.recommender.site_mappings import SiteMappings
from shared.bus.port import Bus
from shared.http import CallerDep
from shared.vocabulary.formats.mapped import MappingFormat


class NewMappings(BaseModel):
    """Mappings to import: a file that was uploaded (`POST /api/v1/uploads`: SSSOM as TSV, a zip of such, or OBO for its
    xrefs), or what an imported vocabulary (`vocabulary`, the id of its version) says of others."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "mondo-snomed", "upload": "0" * 64, "file": "mondo.sssom.tsv", "activate": True},
                {"name": "mondo-xrefs", "vocabulary": "0197a0f0c3d2" + "0" * 20},
            ]
        },
    )

    name: Name
    upload: Annotated[str | None, Field(pattern="^[0-9a-f]{64}$")] = None
    file: Annotated[str, Field(max_length=255, description="Its name, whose ending tells the format")] = ""
    vocabulary: Id | None = None
    version: Annotated[str, Field(max_length=100, description="Default: what the file says, else its hash")] = ""
    least_confidence: Annotated[
        float, Field(ge=0, le=1, description="Rows that state a lower confidence are left out")
    ] = 0.0
    activate: Annotated[bool, Field(description="Use them as soon as they are imported")] = False

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.upload) == bool(self.vocabulary):
            raise ValueError("give either upload or vocabulary")
        if self.upload and not self.file:
            raise ValueError("give the file's name")
        return self


class MappingVersionView(BaseModel):
    """A version of mappings: on its way in (`rows` so far), ready, or failed, which `problem` explains. `left_out`:
    rows of less confidence than wanted, or of predicates that do not say whether two concepts mean the same."""

    id: str
    name: str
    version: str
    file: str
    vocabulary: Annotated[str, Field(description='Id of the version that they were taken from; "": from a file')]
    least_confidence: Annotated[float, Field(validation_alias="least")]
    format: MappingFormat | None
    state: VersionState
    problem: str
    active: bool
    rows: int
    mappings: int
    left_out: int
    skipped: int
    skipped_rows: Annotated[list[SkippedRowView], Field(description="The first 100")]
    created_at: datetime


class MappingSetView(SetView):
    """Mappings used together: waiting for what is before it, being compiled (`running`), ready or failed. `members`:
    name to version's id; `pairs`: between how many pairs of concepts there is something."""

    pairs: int


NONE = MappingSetView(
    id="", state="ready", problem="", active=True, reason="no mappings", members={}, created_at=None, pairs=0
)


class Topics(BaseModel):
    topics: list[str]


class Republished(BaseModel):
    republished: int


def router(site: SiteMappings, bus: Bus) -> APIRouter:
    routes = APIRouter(tags=["mappings"])

    @routes.post("/api/v1/mappings/versions", status_code=202, summary="Import mappings between vocabularies")
    async def import_mappings(caller: CallerDep, body: NewMappings, response: Response) -> MappingVersionView:
        """Reading takes seconds: ask for the answer's id until its state is ready or failed."""
        caller.require("vocabulary.write")
        if body.vocabulary:
            version = await site.take(
                name=body.name,
                vocabulary=body.vocabulary,
                release=body.version,
                activate=body.activate,
                person=caller.person,
            )
        else:
            version = await site.bring(
                name=body.name,
                upload=body.upload or "",
                file=body.file,
                release=body.version,
                least=body.least_confidence,
                activate=body.activate,
                person=caller.person,
            )
        response.headers["Location"] = f"/api/v1/mappings/versions/{version.id}"
        return version_view(MappingVersionView, version, active=False)

    add_routes(
        routes,
        site,
        "mappings",
        MappingVersionView,
        NONE,
        effect="The mappings are compiled together, then come into use for new exports. Until then, and if it fails, "
        "those before stay in use. Tags that people made are never touched.",
    )

    @routes.post("/internal/republish", include_in_schema=False)
    async def republish_mappings(caller: CallerDep, body: Topics) -> Republished:
        caller.require("system.write")
        return Republished(republished=await republish(site, bus, body.topics))

    return routes
