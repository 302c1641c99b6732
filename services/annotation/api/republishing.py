"""Sending current state again, for those who lost theirs."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.annotation.api.bodies import Request
from services.annotation.republishing import TOPICS, republish
from services.annotation.tagging import Plain
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.http import CallerDep


class Republish(Request):
    """Topics whose current state is to be sent again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"topics": list(TOPICS)}]})

    topics: Annotated[list[Plain], Field(min_length=1, max_length=20)]


class Republished(BaseModel):
    """How many events were sent."""

    republished: int


def router(engine: Engine) -> APIRouter:
    """Not public."""
    routes = APIRouter()

    @routes.post("/internal/republish", include_in_schema=False, summary="Send current state again")
    async def again(caller: CallerDep, body: Republish) -> Republished:
        caller.require("system.write", frozenset({"any"}), DEFAULT_PROJECT)
        return Republished(republished=await republish(engine.documents, engine.bus, body.topics))

    return routes
