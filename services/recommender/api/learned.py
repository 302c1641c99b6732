"""The HTTP door of what reviews taught, for administrators."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.recommender.following import concepts, consequence, known
from services.recommender.learned import enough
from services.recommender.learning import Learning
from services.recommender.model import LearnedName
from shared.events.recommendation import Axis
from shared.http import CallerDep, Limit, PageOf
from shared.vocabulary.artefact import Vocabularies

Scope = Literal["project", "site"]
State = Literal["synonym", "suppressed", "known", "candidate", "waiting", "disabled"]


class LearnedView(BaseModel):
    """A name that reviews of a project spoke of. `scope`: where it applies, in that project or on the whole site.
    `state`: `synonym` (found as a name), `suppressed` (no longer found for this concept, but in one text of twenty),
    `known` (a vocabulary has it), `candidate` (free text that recurs: a new name or concept), `waiting` (too few
    figures, articles or people, or they disagree), `disabled`."""

    id: str
    project: str
    scope: Scope
    name: str
    axis: Axis
    curie: str | None
    label: str
    state: State
    accepted: Annotated[int, Field(description="Figures whose approved tags say so")]
    rejected: Annotated[int, Field(description="Figures where it was rejected for its wrong meaning")]
    articles: int
    people: int


def router(learning: Learning, vocabularies: Callable[[], Vocabularies], changed: Callable[[], None]) -> APIRouter:
    """`changed`: called when something was switched."""
    routes = APIRouter()

    @routes.get("/api/v1/learned", summary="What reviews taught")
    async def list_learned(
        caller: CallerDep,
        project: Annotated[str | None, Query(max_length=100, description="Of this project only")] = None,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
        limit: Limit = 50,
    ) -> PageOf[LearnedView]:
        """Those that most figures speak of first."""
        caller.require("vocabulary.write")
        page = await learning.names(cursor, limit, project=project)
        loaded = vocabularies()
        return PageOf(items=[_view(one, learning, loaded) for one in page.items], next=page.next)

    def switched(one: LearnedName) -> LearnedView:
        changed()
        return _view(one, learning, vocabularies())

    @routes.post("/api/v1/learned/{id}/disable", summary="Undo what was learned")
    async def disable(caller: CallerDep, id: str) -> LearnedView:
        """It comes out of use within seconds, and figures get new recommendations."""
        caller.require("vocabulary.write")
        return switched(await learning.switch(id, off_by=caller.person))

    @routes.post("/api/v1/learned/{id}/enable", summary="Let it be learned again")
    async def enable(caller: CallerDep, id: str) -> LearnedView:
        caller.require("vocabulary.write")
        return switched(await learning.switch(id, off_by=""))

    @routes.post("/api/v1/learned/{id}/widen", summary="Let what a project taught apply to the whole site")
    async def widen(caller: CallerDep, id: str) -> LearnedView:
        """Projects whose own reviews accept a name keep it, whatever another's reject."""
        caller.require("vocabulary.write")
        return switched(await learning.scope(id, widened_by=caller.person))

    @routes.post("/api/v1/learned/{id}/narrow", summary="Let what a project taught apply to that project only")
    async def narrow(caller: CallerDep, id: str) -> LearnedView:
        caller.require("vocabulary.write")
        return switched(await learning.scope(id, widened_by=""))

    return routes


def _view(one: LearnedName, learning: Learning, loaded: Vocabularies) -> LearnedView:
    said = one.evidence.values()
    return LearnedView(
        id=one.id,
        project=one.project,
        scope="site" if one.widened_by or learning.least.everywhere else "project",
        name=one.said,
        axis=one.meant.axis,
        curie=one.meant.curie,
        label=_label(one, loaded),
        state=_state(one, learning, loaded),
        accepted=one.accepted,
        rejected=one.rejected,
        articles=len({evidence.article for evidence in said}),
        people=len({evidence.person for evidence in said}),
    )


def _label(one: LearnedName, loaded: Vocabularies) -> str:
    numbers = concepts(one, loaded)
    return loaded.concept(numbers[0]).label if numbers else ""


def _state(one: LearnedName, learning: Learning, loaded: Vocabularies) -> State:
    if one.disabled_by:
        return "disabled"
    if one.meant.curie is None:
        return "candidate" if enough(one, "accepted", learning.least) else "waiting"
    return consequence(one, loaded, learning.least) or ("known" if known(one, loaded) else "waiting")
