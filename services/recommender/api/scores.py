"""The HTTP door of what reviews taught of scores, for administrators."""

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from services.recommender.learning import Learning
from services.recommender.recalibration import Evidence, brier, fitted
from shared.events.recommendation import Axis
from shared.http import CallerDep, PageOf

ProjectId = Annotated[str, Path(max_length=100)]


class ScoresView(BaseModel):
    """What decided recommendations of a project say of scores. `state`: `used`, `waiting` (too few were decided, or by
    too few people) or `disabled`. The log odds of a score are multiplied by `slope` and raised by `offset` and that of
    the axis; null unless used. Errors are the mean squared ones of scores on these decisions (Brier), without and with
    that."""

    project: str
    state: Literal["used", "waiting", "disabled"]
    version: Annotated[str | None, Field(description="As recommendations name it in their `annotator`")]
    accepted: int
    rejected: int
    figures: int
    articles: int
    people: int
    slope: float | None
    offset: float | None
    axes: dict[Axis, float]
    error_without: float
    error_with: float | None


def router(learning: Learning, changed: Callable[[], None]) -> APIRouter:
    """`changed`: called when something was switched."""
    routes = APIRouter()

    @routes.get("/api/v1/learned/scores", summary="What reviews taught of scores, by project")
    async def list_scores(caller: CallerDep) -> PageOf[ScoresView]:
        caller.require("vocabulary.write")
        off = await learning.switched_off()
        evidence = await learning.evidence()
        return PageOf(items=[_view(project, said, learning, off) for project, said in evidence.items()])

    @routes.post("/api/v1/learned/scores/{project}/disable", summary="Leave a project's scores as the model gives them")
    async def disable(caller: CallerDep, project: ProjectId) -> ScoresView:
        """Figures get new recommendations within seconds."""
        caller.require("vocabulary.write")
        return await switched(project, caller.person)

    @routes.post("/api/v1/learned/scores/{project}/enable", summary="Let reviews teach of a project's scores again")
    async def enable(caller: CallerDep, project: ProjectId) -> ScoresView:
        caller.require("vocabulary.write")
        return await switched(project, "")

    async def switched(project: str, off_by: str) -> ScoresView:
        await learning.switch_scores(project, off_by=off_by)
        changed()
        said = (await learning.evidence()).get(project, Evidence({}, 0, 0, 0))
        return _view(project, said, learning, await learning.switched_off())

    return routes


def _view(project: str, said: Evidence, learning: Learning, off: dict[str, str]) -> ScoresView:
    used = fitted(said) if project not in off and learning.speaks(said) else None
    return ScoresView(
        project=project,
        state="disabled" if project in off else "used" if used else "waiting",
        version=used.version if used else None,
        accepted=said.accepted,
        rejected=said.rejected,
        figures=said.figures,
        articles=said.articles,
        people=said.people,
        slope=used.slope if used else None,
        offset=used.offset if used else None,
        axes=dict(used.axes) if used else {},
        error_without=round(brier(said, None), 4),
        error_with=round(brier(said, used), 4) if used else None,
    )
