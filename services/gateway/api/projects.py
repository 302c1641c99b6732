"""Doors of projects: which there are, and who is in them as what."""

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api.asking import PersonDep
from services.gateway.api.bodies import Body, Name
from services.gateway.audit import Audit
from services.gateway.leaving import Leaving, Left
from services.gateway.model import Account, AccountState, Project
from services.gateway.names import LONGEST_NAME
from services.gateway.projects import LEAST_LETTERS, ProjectsOfTheSite, require_known, visible
from services.gateway.throttle import Throttled
from shared.access import Caller, MemberRole, Role
from shared.errors import Invalid

PersonId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


class NewProject(Body):
    """A project to be. Its `id`, which stands in addresses, is made of the name where none is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Atlas of the eye", "id": "eye-atlas"}]})

    name: Name
    id: Annotated[str, Field(max_length=40)] = ""


class ProjectChange(Body):
    """What is to change; what is missing stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Atlas of the eye"}, {"archived": True}]})

    name: Name | None = None
    archived: bool | None = None


class ProjectView(BaseModel):
    """A project. `roles` are yours there; one that is `archived` is closed for work."""

    id: str
    name: str
    archived: bool
    roles: list[Role]
    created_at: datetime | None


class ProjectList(BaseModel):
    """`default` first, then in the order in which they were created."""

    items: list[ProjectView]


class MemberBody(Body):
    """Who (`person`, or the `name` of the account), as what, and who reviews their work."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Ada", "roles": ["annotator"], "reviewer": "0d9c0b6d1f8e4a1bb1c2a3f4e5d6c7b8"},
                {"person": "0d9c0b6d1f8e4a1bb1c2a3f4e5d6c7b8", "roles": ["reviewer", "observer"]},
            ]
        }
    )

    person: PersonId | None = None
    name: Name | None = None
    roles: Annotated[list[MemberRole], Field(min_length=1, max_length=4)]
    reviewer: PersonId | None = None


class MemberView(BaseModel):
    """A member of a project: `reviewer` is who reviews their work there."""

    person: str
    name: str
    roles: list[Role]
    reviewer: str | None
    state: AccountState


class MemberList(BaseModel):
    """By name."""

    items: list[MemberView]


class Candidates(BaseModel):
    """Names of accounts."""

    names: list[str]


def router(projects: ProjectsOfTheSite, leaving: Leaving, audit: Audit) -> APIRouter:
    """The routes of projects."""
    routes = APIRouter(tags=["projects"])

    @routes.get("/api/v1/projects", summary="List your projects")
    async def listing(person: PersonDep) -> ProjectList:
        """Those in which you have a role; administrators see all."""
        found = visible(person.caller, await projects.all())
        return ProjectList(items=[_project(id, project, person.caller) for id, project in found.items()])

    @routes.post("/api/v1/projects", status_code=201, summary="Create a project")
    async def create(person: PersonDep, body: NewProject) -> ProjectView:
        person.caller.require("project.create")
        async with audit.recorded(person.caller.person, "project.create") as act:
            id, project = await projects.create(body.name, body.id)
            act.target = id
        return _project(id, project, person.caller)

    @routes.get("/api/v1/projects/{id}", summary="Show a project")
    async def show(person: PersonDep, id: str) -> ProjectView:
        require_known(person.caller, id, known := await projects.all())
        person.caller.require("project.read", project=id)
        return _project(id, known[id], person.caller)

    @routes.patch("/api/v1/projects/{id}", summary="Rename, archive or open a project")
    async def change(person: PersonDep, id: str, body: ProjectChange) -> ProjectView:
        """One that is archived is closed for work: it is read, searched and exported as before, and nothing of it is
        lost. Open it again by `archived: false`."""
        person.caller.require("project.write", project=id)
        if body.name is None and body.archived is None:
            raise Invalid("Nothing is to change.", remedy="Give name, or archived.")
        detail = {} if body.archived is None else {"archived": str(body.archived).lower()}
        async with audit.recorded(person.caller.person, "project.change", id, detail, project=id):
            project = await projects.change(id, name=body.name, archived=body.archived)
        return _project(id, project, person.caller)

    @routes.get("/api/v1/projects/{id}/members", summary="List the members of a project")
    async def members(person: PersonDep, id: str) -> MemberList:
        person.caller.require("member.read", project=id)
        await projects.get(id)
        return MemberList(items=[_member(account, id) for account in await projects.members(id)])

    @routes.get("/api/v1/projects/{id}/candidates", summary="Find people by name whom a project could take in")
    async def candidates(
        person: PersonDep, id: str, name: Annotated[str, Query(min_length=LEAST_LETTERS, max_length=LONGEST_NAME)]
    ) -> Candidates:
        """Who is not disabled and no member yet, and whose name begins with `name`: the first ten by name. For who may
        take somebody in; whoever asks 200 times without a rest has to wait in between (429)."""
        person.caller.require("member.write", project=id)
        await projects.get(id)
        try:
            return Candidates(names=await projects.candidates(id, name, asker=person.caller.person))
        except Throttled as wait:
            seconds = math.ceil(wait.seconds)
            raise HTTPException(
                429, f"Too many names were looked up. Try again in {seconds} s.", {"Retry-After": str(seconds)}
            ) from wait

    @routes.put("/api/v1/projects/{id}/members", summary="Take somebody in, or change what they are")
    async def take_in(person: PersonDep, id: str, body: MemberBody) -> MemberView:
        """Sets all their roles and their reviewer. Nobody reviews their own work, nor do people in a circle."""
        person.caller.require("member.write", project=id)
        await projects.get(id)
        if (body.person is None) == (body.name is None):
            raise Invalid("Say who.", field="person", remedy="Send `person` or `name`, one of them.")
        who = body.person or await projects.named(body.name or "")
        detail = {"roles": ",".join(sorted(set(body.roles)))}
        async with audit.recorded(person.caller.person, "member.write", who, detail, project=id):
            account = await projects.set_member(id, who, body.roles, body.reviewer)
        return _member(account, id)

    @routes.delete("/api/v1/projects/{id}/members/{person_id}", summary="Remove somebody from a project")
    async def remove(
        person: PersonDep,
        id: str,
        person_id: PersonId,
        *,
        to: Annotated[
            PersonId | None, Query(description="An annotator who gets their open figures; none: released")
        ] = None,
        reviewer: Annotated[PersonId | None, Query(description="Who reviews instead of them from now on")] = None,
    ) -> Left:
        """Their open figures go back, and what they submitted stays in review; tags stay under the pseudonym. Any
        number of times is once, so one that was broken off is sent again."""
        person.caller.require("member.write", project=id)
        await projects.get(id)
        async with audit.recorded(person.caller.person, "member.remove", person_id, project=id):
            return await leaving.leave(person.caller, id, person_id, to=to, reviewer=reviewer)

    return routes


def _project(id: str, project: Project, caller: Caller) -> ProjectView:
    return ProjectView(
        id=id,
        name=project.name,
        archived=project.archived,
        roles=sorted(caller.roles_in(id)),
        created_at=project.created_at,
    )


def _member(account: Account, project: str) -> MemberView:
    return MemberView(
        person=account.id,
        name=account.name,
        roles=list(account.roles.get(project, ())),
        reviewer=account.reviewers.get(project),
        state=account.state,
    )
