"""What the HTTP doors of vocabularies and of mappings have in common, for administrators: versions that were imported,
and the sets of them that are used together."""

from datetime import datetime
from typing import Annotated, Self, TypeVar

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.recommender.model import CurrentlyUsed, ImportedVersion, UsedTogether, VersionState
from services.recommender.together import Together
from shared.http import CallerDep, Limit, PageOf

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$", examples=["SNOMEDCT"])]
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]


class SkippedRowView(BaseModel):
    """A row that was not read, and why."""

    file: str
    line: int
    problem: str


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


V = TypeVar("V", bound=ImportedVersion)
S = TypeVar("S", bound=UsedTogether)
C = TypeVar("C", bound=CurrentlyUsed)
VV = TypeVar("VV", bound=BaseModel)
SV = TypeVar("SV", bound=SetView)


def add_routes(routes: APIRouter, site: Together[V, S, C], of: str, view: type[VV], unset: SV, *, effect: str) -> None:
    """`of`: what they are of, in the plural; `view`: of a version; `unset`: where no set is in use; `effect`: of a
    change of what is."""
    root = f"/api/v1/{of}"
    in_use = type(unset)

    @routes.get(
        f"{root}/versions", summary=f"Imported versions of {of}, the newest first", response_model=_page_of(view)
    )
    async def list_versions(
        caller: CallerDep,
        name: Annotated[str, Query(max_length=64)] = "",
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
    ) -> PageOf[VV]:
        caller.require("vocabulary.write")
        page = await site.versions(name=name, after=cursor, limit=limit)
        active = await site.active()
        return PageOf(items=[version_view(view, one, active=one.id in active) for one in page.items], next=page.next)

    @routes.get(
        f"{root}/versions/{{id}}", summary=f"How far an import of {of} is, and what it brought", response_model=view
    )
    async def read_version(caller: CallerDep, id: str) -> VV:
        caller.require("vocabulary.write")
        return version_view(view, await site.version(id), active=id in await site.active())

    @routes.delete(f"{root}/versions/{{id}}", status_code=204, summary=f"Delete a version of {of} that is not in use")
    async def delete_version(caller: CallerDep, id: str) -> None:
        caller.require("vocabulary.write")
        await site.delete(id)

    @routes.post(
        f"{root}/sets",
        status_code=202,
        summary=f"Activate or deactivate imported {of}",
        description=effect,
        response_model=in_use,
    )
    async def change_set(caller: CallerDep, body: Change, response: Response) -> SV:
        caller.require("vocabulary.write")
        if body.deactivate is not None:
            one = await site.deactivate(body.deactivate, person=caller.person)
        else:
            one = await site.activate(body.activate, person=caller.person)
        response.headers["Location"] = f"{root}/sets/{one.id}"
        return set_view(in_use, one, active=False)

    @routes.get(
        f"{root}/sets", summary=f"Which {of} were used together, the newest first", response_model=_page_of(in_use)
    )
    async def list_sets(
        caller: CallerDep, cursor: str | None = None, limit: Annotated[Limit, Query()] = 50
    ) -> PageOf[SV]:
        caller.require("vocabulary.write")
        page = await site.sets(after=cursor, limit=limit)
        current = await site.current()
        return PageOf(items=[set_view(in_use, one, active=one.id == current) for one in page.items], next=page.next)

    @routes.get(f"{root}/sets/{{id}}", summary=f"How far an activation of {of} is", response_model=in_use)
    async def read_set(caller: CallerDep, id: str) -> SV:
        caller.require("vocabulary.write")
        return set_view(in_use, await site.get_set(id), active=id == await site.current())

    @routes.post(f"{root}/rollback", summary=f"Go back to the {of} that were in use before", response_model=in_use)
    async def roll_back(caller: CallerDep) -> SV:
        """The set that is in use now; with an empty id none of the site's own."""
        caller.require("vocabulary.write")
        one = await site.roll_back(person=caller.person)
        return set_view(in_use, one, active=True) if one else unset


def version_view(view: type[VV], version: ImportedVersion, *, active: bool) -> VV:
    return view.model_validate({**version.model_dump(), "version": version.release, "active": active})


def set_view(view: type[SV], one: UsedTogether, *, active: bool) -> SV:
    return view.model_validate({**one.model_dump(), "active": active})


def _page_of(view: type[VV]) -> type[PageOf[VV]]:
    return PageOf[view]  # type: ignore[valid-type] # it is a class, at run time
