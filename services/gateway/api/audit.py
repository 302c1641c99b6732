"""The door of the record of administration."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.gateway.accounts import Accounts
from services.gateway.api.asking import PersonDep
from services.gateway.api.bodies import Cursor
from services.gateway.audit import Audit
from services.gateway.model import Outcome
from shared.http import Limit, PageOf

Time = Annotated[datetime | None, Query(description="With its time zone; UTC where it has none")]


class AuditView(BaseModel):
    """An act of administration. Names are looked up as they are now, and empty where the account is deleted."""

    id: str
    at: datetime
    actor: str
    actor_name: str
    action: Annotated[str, Field(description="Such as account.invite; of other services, method and route")]
    target: Annotated[str, Field(description="Pseudonym or id of what it was done to")]
    target_name: str
    project: Annotated[str, Field(description="In which it was done; empty: in none, or only the target says which")]
    detail: dict[str, str]
    outcome: Annotated[Outcome, Field(description="`begun`: the process died before it was known")]


def router(audit: Audit, accounts: Accounts) -> APIRouter:
    """The route of the record. There is none that changes it."""
    routes = APIRouter(tags=["identity"])

    @routes.get("/api/v1/audit", summary="Read the record of administration")
    async def read_audit(
        person: PersonDep, since: Time = None, until: Time = None, cursor: Cursor = None, limit: Limit = 100
    ) -> PageOf[AuditView]:
        """Newest first; `since` <= time < `until`. Nothing in it can be changed or removed."""
        person.caller.require("audit.read")
        page = await audit.page(cursor, limit, since=_utc(since), until=_utc(until))
        names = await accounts.names([id for entry in page.items for id in (entry.actor, entry.target) if id])
        return PageOf(
            items=[
                AuditView(
                    **entry.model_dump(exclude={"version"}),
                    actor_name=names.get(entry.actor, ""),
                    target_name=names.get(entry.target, ""),
                )
                for entry in page.items
            ],
            next=page.next,
        )

    return routes


def _utc(time: datetime | None) -> str | None:
    if time is None:
        return None
    return (time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)).isoformat()
