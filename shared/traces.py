"""What a service has of figures: counted, by name, for whoever is about to erase them (`services.gateway.erasing`)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shared.http import CallerDep

PATH: Final = "/internal/traces"
MOST: Final = 1000  # figures of one question: what `shared.documents.port.In` takes


class Asked(BaseModel):
    """Figures, by id."""

    figures: Annotated[list[str], Field(max_length=MOST)]


class Traces(BaseModel):
    """How many of each kind go when these figures are erased; `anyway`: when any figure is."""

    counts: dict[str, int] = {}
    anyway: dict[str, int] = {}


def router(count: Callable[[Sequence[str]], Awaitable[Traces]]) -> APIRouter:
    """The door to it, the same in every service that keeps something of figures."""
    routes = APIRouter()

    @routes.post(PATH, include_in_schema=False)
    async def traces(caller: CallerDep, body: Asked) -> Traces:
        caller.require_somewhere("figure.erase", frozenset({"any"}))
        return await count(body.figures)

    return routes
