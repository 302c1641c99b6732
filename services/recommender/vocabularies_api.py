"""The HTTP door of the site's vocabularies, for administrators."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.recommender.importing import EXAMPLES
from services.recommender.model import VersionState, VocabularySet, VocabularyVersion
from services.recommender.vocabularies import SiteVocabularies
from shared.events.recommendation import Axis
from shared.http import CallerDep, Limit, PageOf
from shared.vocabulary.formats.reading import Format

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$", examples=["SNOMEDCT"])]
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


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


class SkippedRowView(BaseModel):
    """A row that was not read, and why."""

    file: str
    line: int
    problem: str


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


class Change(BaseModel):
    """Versions to use, by id, each in place of what has its name; or the name of one to do without."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"activate": ["0197a0f0c3d2" + "0" * 20]}, {"deactivate": "MAXO"}]},
    )

    activate: Annotated[list[Id], Field(max_length=50)] = []
    deactivate: Name | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.activate) == bool(self.deactivate):
            raise ValueError("give either activate or deactivate")
        return self


class SetView(BaseModel):
    """Imported vocabularies used together: waiting for what is before it, being compiled (`running`), ready or failed.
    `members`: name to version's id."""

    id: str
    state: VersionState
    problem: str
    active: bool
    reason: str
    members: dict[str, str]
    created_at: datetime | None


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
        return _version(version, active=False)

    @routes.get("/api/v1/vocabularies/versions", summary="Imported versions of vocabularies, the newest first")
    async def list_versions(
        caller: CallerDep,
        name: Annotated[str, Query(max_length=64)] = "",
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
    ) -> PageOf[VersionView]:
        caller.require("vocabulary.write")
        page = await site.versions(name=name, after=cursor, limit=limit)
        active = await site.active()
        return PageOf(items=[_version(one, active=one.id in active) for one in page.items], next=page.next)

    @routes.get("/api/v1/vocabularies/versions/{id}", summary="How far an import is, and what it brought")
    async def read_version(caller: CallerDep, id: str) -> VersionView:
        caller.require("vocabulary.write")
        return _version(await site.version(id), active=id in await site.active())

    @routes.delete("/api/v1/vocabularies/versions/{id}", status_code=204, summary="Delete a version that is not in use")
    async def delete_version(caller: CallerDep, id: str) -> None:
        caller.require("vocabulary.write")
        await site.delete(id)

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

    @routes.post("/api/v1/vocabularies/sets", status_code=202, summary="Activate or deactivate imported vocabularies")
    async def change_set(caller: CallerDep, body: Change, response: Response) -> SetView:
        """The vocabularies are compiled together (seconds to minutes; ask for the answer's id), then come into use
        everywhere, and figures get new recommendations. Until then, and if it fails, the ones before stay in use."""
        caller.require("vocabulary.write")
        if body.deactivate is not None:
            one = await site.deactivate(body.deactivate, person=caller.person)
        else:
            one = await site.activate(body.activate, person=caller.person)
        response.headers["Location"] = f"/api/v1/vocabularies/sets/{one.id}"
        return set_view(one, active=False)

    @routes.get("/api/v1/vocabularies/sets", summary="Which vocabularies were used together, the newest first")
    async def list_sets(
        caller: CallerDep, cursor: str | None = None, limit: Annotated[Limit, Query()] = 50
    ) -> PageOf[SetView]:
        caller.require("vocabulary.write")
        page = await site.sets(after=cursor, limit=limit)
        current = await site.current()
        return PageOf(items=[set_view(one, active=one.id == current) for one in page.items], next=page.next)

    @routes.get("/api/v1/vocabularies/sets/{id}", summary="How far an activation is")
    async def read_set(caller: CallerDep, id: str) -> SetView:
        caller.require("vocabulary.write")
        return set_view(await site.get_set(id), active=id == await site.current())

    @routes.post("/api/v1/vocabularies/rollback", summary="Go back to the vocabularies that were in use before")
    async def roll_back(caller: CallerDep) -> SetView:
        """The set that is in use now; with an empty id the defaults."""
        caller.require("vocabulary.write")
        one = await site.roll_back(person=caller.person)
        return set_view(one, active=True) if one else DEFAULTS

    return routes


def _version(version: VocabularyVersion, *, active: bool) -> VersionView:
    return VersionView.model_validate(
        {
            **version.model_dump(include=set(VersionView.model_fields)),
            "version": version.release,
            "active": active,
        }
    )


def set_view(one: VocabularySet, *, active: bool) -> SetView:
    return SetView.model_validate({**one.model_dump(include=set(SetView.model_fields)), "active": active})
