"""The HTTP door for clients of BioPortal, behind the gateway, which takes their key and their ways of sending
parameters (`services/gateway/api/bioportal.py`)."""

import threading
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.recommender.literal import LiteralNames
from services.recommender.portal import RECOGNIZERS, annotate, search
from shared.http import CallerDep
from shared.vocabulary.artefact import Vocabularies


class Asked(BaseModel):
    """A request as BioPortal takes it."""

    base: Annotated[str, Field(description="The address that the client asked, for links")]
    parameters: dict[str, str]


class Literally:
    """The names of the vocabularies in use, made when the first client asks: nobody else needs them."""

    def __init__(self) -> None:
        self._made: tuple[str, LiteralNames] | None = None
        self._one_at_a_time = threading.Lock()

    def over(self, vocabularies: Vocabularies) -> LiteralNames:
        with self._one_at_a_time:
            if self._made is None or self._made[0] != vocabularies.identity:
                self._made = (vocabularies.identity, LiteralNames(vocabularies))
            return self._made[1]


def router(vocabularies: Callable[[], Vocabularies]) -> APIRouter:
    """`vocabularies` raises Unavailable while they are being loaded."""
    routes = APIRouter(include_in_schema=False)
    names = Literally()

    @routes.post("/annotator")
    def annotator(caller: CallerDep, asked: Asked) -> JSONResponse:
        caller.require_somewhere("vocabulary.read")
        used = vocabularies()
        return JSONResponse(annotate(used, names.over(used), asked.parameters, asked.base))

    @routes.post("/annotator/recognizers")
    async def recognizers(caller: CallerDep) -> list[str]:
        caller.require_somewhere("vocabulary.read")
        return list(RECOGNIZERS)

    @routes.post("/search")
    def find(caller: CallerDep, asked: Asked) -> dict[str, Any]:
        caller.require_somewhere("vocabulary.read")
        return search(vocabularies(), asked.parameters, asked.base)

    return routes
