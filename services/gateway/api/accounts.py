"""Doors of administration: people and their accounts."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.gateway.accounts import LINK_DAYS, Accounts
from services.gateway.api.asking import PersonDep
from services.gateway.api.bodies import Body, Cursor, Name, Password, Roles
from services.gateway.audit import Audit
from services.gateway.model import Account, AccountState
from services.gateway.projects import ProjectsOfTheSite
from shared.access import DEFAULT_PROJECT, Role
from shared.errors import Invalid
from shared.http import Limit, PageOf

JOIN = "/join#"
Days = Annotated[int, Field(ge=1, le=30, description="Days until the link expires")]


ProjectId = Annotated[str, Field(max_length=40, description="Where the roles hold; an administrator's everywhere")]


class NewAccount(Body):
    """A person who may sign in, with a password that you choose. Better invite people: then nobody knows theirs."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Ada", "password": "four unrelated words", "roles": ["annotator"]}]}
    )

    name: Name
    password: Password
    roles: Roles
    project: ProjectId = DEFAULT_PROJECT


class Invitation(Body):
    """A person who is to set a password of their own, by the link of the answer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada", "roles": ["annotator"]}]})

    name: Name
    roles: Roles
    project: ProjectId = DEFAULT_PROJECT
    days: Days = LINK_DAYS


class NewLink(Body):
    """How long a link to set a new password holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"days": 2}]})

    days: Days = LINK_DAYS


class AccountChange(Body):
    """What is to change; what is missing stays."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"roles": ["annotator", "reviewer"]}, {"disabled": True}]}
    )

    roles: Roles | None = None
    disabled: bool | None = None
    subject: Annotated[
        str | None,
        Field(max_length=255, description="What the OpenID Connect provider calls the person (`sub`); empty: nobody"),
    ] = None


class AccountView(BaseModel):
    """A person: `person` is the pseudonym that assignments, tags and events use."""

    person: str
    name: str
    roles: Annotated[list[Role], Field(description="In the default project")]
    projects: Annotated[dict[str, list[Role]], Field(description="Roles by project")]
    created_at: datetime
    state: AccountState
    subject: Annotated[str | None, Field(description="What the OpenID Connect provider calls them, where it does")]
    link_expires_at: Annotated[datetime | None, Field(description="Of a link that nobody has used yet")]


class AccountLink(AccountView):
    """With the link, which is shown here and never again: `path` after the address of this server. Hand it to the
    person on a way that you trust; it works once."""

    link: str
    path: str


def router(accounts: Accounts, projects: ProjectsOfTheSite, audit: Audit, issuer: str) -> APIRouter:
    """The routes of accounts. `issuer`: of the OpenID Connect provider; empty: there is none."""
    routes = APIRouter(tags=["identity"])

    @routes.get("/api/v1/accounts", summary="List accounts")
    async def list_accounts(person: PersonDep, cursor: Cursor = None, limit: Limit = 50) -> PageOf[AccountView]:
        """By name. Administrators only: names stand nowhere else."""
        person.caller.require("account.write")
        page = await accounts.page(cursor, limit)
        return PageOf(items=[AccountView(**_account(account)) for account in page.items], next=page.next)

    @routes.post("/api/v1/accounts", status_code=201, summary="Create an account")
    async def create_account(person: PersonDep, body: NewAccount) -> AccountView:
        person.caller.require("account.write")
        await _placed(projects, body.roles, body.project)
        detail = _roles(body.roles)
        async with audit.recorded(person.caller.person, "account.create", detail=detail, project=body.project) as act:
            account = await accounts.create(body.name, body.password, body.roles, body.project)
            act.target = account.id
        return AccountView(**_account(account))

    @routes.post("/api/v1/invitations", status_code=201, summary="Invite a person by link")
    async def invite(person: PersonDep, body: Invitation) -> AccountLink:
        """The name is taken at once; the account opens when the link is used."""
        person.caller.require("account.write")
        await _placed(projects, body.roles, body.project)
        detail = _roles(body.roles)
        async with audit.recorded(person.caller.person, "account.invite", detail=detail, project=body.project) as act:
            account, link = await accounts.invite(body.name, body.roles, body.days, body.project)
            act.target = account.id
        return _linked(account, link)

    @routes.post("/api/v1/accounts/{id}/link", status_code=201, summary="Make a link that sets a new password")
    async def new_link(person: PersonDep, id: str, body: NewLink) -> AccountLink:
        """For who lost the password, or the invitation. Earlier links are void; the old password holds until the link
        is used."""
        person.caller.require("account.write")
        async with audit.recorded(person.caller.person, "account.link", id):
            account, link = await accounts.new_link(id, body.days)
        return _linked(account, link)

    @routes.patch("/api/v1/accounts/{id}", summary="Change roles, disable, enable, or connect")
    async def change_account(person: PersonDep, id: str, body: AccountChange) -> AccountView:
        """A disabled person is signed out at once, and their keys stop. The last administrator stays one. Roles of who
        signs in by OpenID Connect are set anew by the provider's groups at each sign-in."""
        person.caller.require("account.write")
        if body.roles is None and body.disabled is None and body.subject is None:
            raise Invalid("Nothing is to change.", remedy="Give roles, disabled, or subject.")
        if body.subject and not issuer:
            raise Invalid("There is no OpenID Connect provider.", field="subject", remedy="Set MITAGGER_OIDC first.")
        said = {} if body.disabled is None else {"disabled": str(body.disabled).lower()}
        if body.subject is not None:
            said["connected"] = str(bool(body.subject)).lower()
        detail = {**(_roles(body.roles) if body.roles is not None else {}), **said}
        async with audit.recorded(person.caller.person, "account.change", id, detail):
            account = await accounts.change(
                id,
                roles=body.roles,
                disabled=body.disabled,
                known_as=None if body.subject is None else (issuer, body.subject),
            )
        return AccountView(**_account(account))

    @routes.delete("/api/v1/accounts/{id}", status_code=204, summary="Delete an account")
    async def delete_account(person: PersonDep, id: str) -> None:
        """Name, password, sessions and keys are gone; what the person did stays, under the pseudonym."""
        person.caller.require("account.write")
        async with audit.recorded(person.caller.person, "account.delete", id):
            await accounts.delete(id)

    @routes.delete("/api/v1/accounts/{id}/sessions", status_code=204, summary="Sign a person out everywhere")
    async def end_sessions(person: PersonDep, id: str) -> None:
        person.caller.require("account.write")
        async with audit.recorded(person.caller.person, "account.sign_out", id):
            await accounts.end_sessions(id)

    return routes


async def _placed(projects: ProjectsOfTheSite, roles: list[Role], project: str) -> None:
    """Raises NotFound, Invalid."""
    await projects.require([project])
    if "administrator" in roles and project != DEFAULT_PROJECT:
        raise Invalid(
            "An administrator is one of the whole site.",
            field="roles",
            remedy="Leave out the project, or take the role manager.",
        )


def _roles(roles: list[Role]) -> dict[str, str]:
    return {"roles": ",".join(sorted(set(roles)))}


def _account(account: Account) -> dict[str, object]:
    return {
        "person": account.id,
        "name": account.name,
        "roles": list(account.roles.get(DEFAULT_PROJECT, ())),
        "projects": {project: list(roles) for project, roles in account.roles.items() if roles},
        "created_at": account.created_at,
        "state": account.state,
        "subject": account.subject,
        "link_expires_at": account.link.expires_at if account.link else None,
    }


def _linked(account: Account, link: str) -> AccountLink:
    return AccountLink(**_account(account), link=link, path=f"{JOIN}{link}")
