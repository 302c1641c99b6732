"""The HTTP door of the site's vocabularies, for administrators."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from services.recommender.api.together import Id, Name, SetView, SkippedRowView, add_routes, version_view
from services.recommender.importing import EXAMPLES
from services.recommender.model import VersionState
from services.recommender.vocabularies import SiteVocabularies
from shared.events.recommendation import Axis
from shared.http import CallerDep
from shared.vocabulary.formats.reading import Format


class NewVersion(BaseModel):
    """A vocabulary file that was uploaded (`POST /api/v1/uploads`): SNOMED CT RF2, RxNorm RRF, NCIt flat file, OBO,
    FHIR CodeSystem or ValueSet, CSV, TSV. `axis`: that of all its concepts; without it the axis table decides."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "name": "SNOMEDCT",
                    "upload": "0" * 64,
                    "file": "SnomedCT_International_20260101.zip",
                    "activate": True,
                }
            ]
        },
    )

    name: Name
    upload: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    file: Annotated[str, Field(min_length=1, max_length=255, description="Its name, whose ending tells the format")]
    version: Annotated[str, Field(max_length=100, description="Default: what the file says, else its hash")] = ""
    axis: Axis | None = None
    activate: Annotated[bool, Field(description="Use it as soon as it is imported")] = False


class VersionView(BaseModel):
    """A version of a vocabulary: on its way in (`rows` so far), ready, or failed, which `problem` explains."""

    id: str
    name: str
    version: str
    axis: Axis | None
    file: str
    format: Format | None
    state: VersionState
    problem: str
    active: bool
    rows: int
    concepts: int
    names: int
    skipped: int
    skipped_rows: Annotated[list[SkippedRowView], Field(description="The first 100")]
    created_at: datetime


class Renamed(BaseModel):
    curie: str
    before: str
    after: str


class DifferenceView(BaseModel):
    """How many concepts are added, removed, renamed, and the first 1,000 of each."""

    added: int
    removed: int
    renamed: int
    added_concepts: dict[str, str]
    removed_concepts: dict[str, str]
    renamed_concepts: list[Renamed]


SHOWN = 10 * EXAMPLES
DEFAULTS = SetView(id="", state="ready", problem="", active=True, reason="the defaults", members={}, created_at=None)


def router(site: SiteVocabularies) -> APIRouter:
    routes = APIRouter(tags=["vocabularies"])

    @routes.post("/api/v1/vocabularies/versions", status_code=202, summary="Import a vocabulary")
    async def import_vocabulary(caller: CallerDep, body: NewVersion, response: Response) -> VersionView:
        """Reading takes seconds to minutes: ask for the answer's id until its state is ready or failed."""
        caller.require("vocabulary.write")
        version = await site.bring(
            name=body.name,
            upload=body.upload,
            file=body.file,
            release=body.version,
            axis=body.axis,
            activate=body.activate,
            person=caller.person,
        )
        response.headers["Location"] = f"/api/v1/vocabularies/versions/{version.id}"
        return version_view(VersionView, version, active=False)

    add_routes(
        routes,
        site,
        "vocabularies",
        VersionView,
        DEFAULTS,
        effect="The vocabularies are compiled together (seconds to minutes; ask for the answer's id), then come into "
        "use everywhere, and figures get new recommendations. Until then, and if it fails, those before stay in use.",
    )

    @routes.get("/api/v1/vocabularies/versions/{id}/difference", summary="What a version adds, removes and renames")
    async def compare_versions(caller: CallerDep, id: str, against: Id | None = None) -> DifferenceView:
        """Against another version, by default what is in use under its name."""
        caller.require("vocabulary.write")
        found = await site.compare(id, against=against or "")
        return DifferenceView(
            added=len(found.added),
            removed=len(found.removed),
            renamed=len(found.renamed),
            added_concepts=dict(list(found.added.items())[:SHOWN]),
            removed_concepts=dict(list(found.removed.items())[:SHOWN]),
            renamed_concepts=[
                Renamed(curie=curie, before=before, after=after)
                for curie, (before, after) in list(found.renamed.items())[:SHOWN]
            ],
        )

    return routes
