"""The HTTP door: requests become commands of the use cases, documents become answers."""

from fastapi import APIRouter

from services.annotation.api import (
    assignments,
    comments,
    distributing,
    exits,
    history,
    holding,
    leaving,
    measures,
    projects,
    quality,
    republishing,
    reviewing,
)
from services.annotation.commenting import Commenting
from services.annotation.distribution import Distribution
from services.annotation.giving import Giving
from services.annotation.handouts import Handouts
from services.annotation.leaving import Leaving
from services.annotation.measures import Measures
from services.annotation.moving import Moving
from services.annotation.projects import Projects
from services.annotation.pulling import Pulling
from services.annotation.quality import Quality
from services.annotation.sheets import Sheets
from services.annotation.workbench import Workbench
from shared.engine import Engine
from shared.http import add_routes


def router(
    distribution: Distribution,
    handouts: Handouts,
    quality_of_work: Quality,
    projected: Measures,
    *,
    engine: Engine,
) -> APIRouter:
    """The routes of annotation."""
    routes = APIRouter()
    documents = engine.documents
    giving, workbench, sheets = Giving(documents), Workbench(documents), Sheets(documents)
    moving = Moving(documents, distribution)
    # `assignments/plan` and `assignments/next` stand before `assignments/{id}`.
    add_routes(
        routes,
        distributing.router(distribution, Pulling(documents), handouts, moving, engine),
        assignments.router(giving, workbench, sheets, engine),
        holding.router(workbench, engine),
        history.router(workbench, sheets, engine),
        exits.router(workbench, sheets, engine),
        reviewing.router(workbench, sheets, engine),
        comments.router(Commenting(documents)),
        projects.router(Projects(documents)),
        leaving.router(Leaving(documents, moving)),
        quality.router(quality_of_work),
        measures.router(projected, sheets),
        republishing.router(engine),
    )
    return routes
