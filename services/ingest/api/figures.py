"""The HTTP door: figures, articles, imports."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.allowed import allowed
from services.ingest.figures import Figures, Outcome
from services.ingest.imports import Imports
from services.ingest.model import Figure, ImportState, QuarantineState, Severity
from services.ingest.republishing import republish
from services.ingest.submission import Correction, submitted
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Erased
from shared.events.image import Article, Picture
from shared.events.legend import LegendKind
from shared.grants import Grant, Signer
from shared.http import CallerDep, IfMatch, Limit, PageOf, ProjectQuery, etag

MAX_ROWS = 500


class FigureView(BaseModel):
    """A figure as ingest owns it. The addresses of its renditions hold for about an hour."""

    id: str
    version: int
    revision: int
    article: Article
    label: str
    legend: str
    legend_kind: LegendKind
    language: str | None
    picture: Picture | None
    quarantine: Annotated[
        QuarantineState | None, Field(description="Of the picture; there is none while it waits or when it was refused")
    ]
    technical: dict[str, str]
    external_id: str | None
    patient_group: str | None
    study_group: str | None
    display_url: str | None
    thumbnail_url: str | None
    created_at: datetime
    updated_at: datetime


class ProblemView(BaseModel):
    field: str
    detail: str
    remedy: str


class RowView(BaseModel):
    """What became of a row. `problem` says why it was rejected; with another status, what its sender should know."""

    row: int
    figure: str | None
    status: str
    problem: ProblemView | None = None


class Rows(BaseModel):
    """At most 500 rows. Each is checked on its own: a bad one keeps only itself out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"rows": [{"row": 1, "collection": "Atlas", "label": "Figure 1", "legend": "Femur, lateral view."}]}
            ]
        }
    )

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_ROWS)]


class RowsDone(BaseModel):
    items: list[RowView]


class NewImport(BaseModel):
    """A job that rows are sent to. `total`, where known, shows how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "atlas-2026", "total": 24}]})

    name: Annotated[str, Field(min_length=1, max_length=200)]
    total: Annotated[int, Field(ge=0)] | None = None


class NewArchive(BaseModel):
    """A zip that was uploaded, to be unpacked here."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    upload: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class ImportView(BaseModel):
    """How far an import is. Rows below `next_row` are done."""

    id: str
    name: str
    state: ImportState
    total: int | None
    next_row: int
    created: int
    existing: int
    rejected: int
    problem: str
    created_at: datetime


class RejectView(BaseModel):
    """Row 0: about no row. A warning is about a row that went in, or about the manifest."""

    row: int
    file: str
    field: str
    problem: str
    remedy: str
    severity: Severity


class ArticleView(BaseModel):
    id: str
    doi: str | None
    collection: str | None
    title: str
    journal: str
    year: int | None


class Topics(BaseModel):
    topics: list[str]


class Republished(BaseModel):
    republished: int


def router(figures: Figures, imports: Imports, engine: Engine) -> APIRouter:
    routes = APIRouter()
    signer = engine.signer

    @routes.get("/api/v1/figures", summary="Figures, the newest first")
    async def list_figures(
        caller: CallerDep,
        *,
        id: Annotated[list[str], Query(max_length=200, description="These alone, in one page")] = [],  # noqa: B006
        article: Annotated[str | None, Query(max_length=100)] = None,
        since: Annotated[datetime | None, Query(description="Brought in since; UTC without a time zone")] = None,
        until: Annotated[datetime | None, Query(description="Brought in before")] = None,
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> PageOf[FigureView]:
        caller.require("figure.read", project=project)
        if id:
            return PageOf(items=[view(figure, signer) for figure in await figures.these(id, project=project)])
        page = await figures.page(project=project, article=article, since=since, until=until, after=cursor, limit=limit)
        return PageOf(items=[view(figure, signer) for figure in page.items], next=page.next)

    @routes.get("/api/v1/figures/{id}", summary="A figure")
    async def get_figure(caller: CallerDep, id: str, response: Response) -> FigureView:
        figure = await allowed(caller, "figure.read", figures.get, id)
        response.headers["ETag"] = etag(figure.version)
        return view(figure, signer)

    @routes.patch("/api/v1/figures/{id}", summary="Correct a figure's legend or metadata")
    async def correct_figure(
        caller: CallerDep, id: str, body: Correction, response: Response, version: IfMatch = None
    ) -> FigureView:
        await allowed(caller, "figure.write", figures.get, id)
        figure = await figures.correct(id, body, version=version, actor=caller.person)
        response.headers["ETag"] = etag(figure.version)
        return view(figure, signer)

    @routes.delete("/api/v1/figures/{id}", status_code=204, summary="Erase a figure and all that was made of it")
    async def erase_figure(caller: CallerDep, id: str) -> None:
        with suppress(Erased):  # twice is once
            await allowed(caller, "figure.erase", figures.get, id)
        await figures.erase(id, actor=caller.person)

    @routes.get("/api/v1/articles", summary="Articles and collections")
    async def list_articles(
        caller: CallerDep,
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> PageOf[ArticleView]:
        caller.require("figure.read", project=project)
        page = await figures.articles(project=project, after=cursor, limit=limit)
        return PageOf(items=[ArticleView(**article.reference().model_dump()) for article in page.items], next=page.next)

    @routes.post("/internal/figures", status_code=201)
    async def add_figure(
        caller: CallerDep,
        body: Annotated[dict[str, Any], Body()],
        response: Response,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> FigureView:
        """One figure; its problem, if it has one, is the answer."""
        caller.require("figure.write", project=project)
        (outcome,) = await figures.add([submitted(body, 1)], project=project, actor=caller.person)
        if outcome.figure is None:
            assert outcome.problem is not None  # noqa: S101 - the contract of Outcome
            raise outcome.problem
        if not outcome.created:
            response.status_code = 200
        response.headers["ETag"] = etag(outcome.figure.version)
        response.headers["Location"] = f"/api/v1/figures/{outcome.figure.id}"
        return view(outcome.figure, signer)

    _of_imports(routes, imports)

    @routes.post("/internal/republish")
    async def republish_figures(caller: CallerDep, body: Topics) -> Republished:
        caller.require("system.write")
        return Republished(republished=await republish(engine.documents, engine.bus, body.topics))

    return routes


def _of_imports(routes: APIRouter, imports: Imports) -> None:
    @routes.post("/api/v1/imports", status_code=201, summary="Begin an import")
    async def begin_import(caller: CallerDep, body: NewImport, project: ProjectQuery = DEFAULT_PROJECT) -> ImportView:
        caller.require("import.run", project=project)
        job = await imports.begin(body.name, project=project, actor=caller.person, total=body.total)
        return ImportView.model_validate(job, from_attributes=True)

    @routes.post("/internal/imports", status_code=202)
    async def begin_archive(caller: CallerDep, body: NewArchive, project: ProjectQuery = DEFAULT_PROJECT) -> ImportView:
        caller.require("import.run", project=project)
        job = await imports.begin(body.name, project=project, actor=caller.person, archive=body.upload)
        return ImportView.model_validate(job, from_attributes=True)

    @routes.post("/api/v1/imports/{id}/rows", summary="Send rows of an import, in order")
    async def add_rows(caller: CallerDep, id: str, body: Rows) -> RowsDone:
        """Sending the same rows again changes nothing: after a broken connection, send them again."""
        await allowed(caller, "import.run", imports.get, id)
        results = await imports.rows(id, body.rows, actor=caller.person)
        return RowsDone(items=[row_view(row, outcome) for row, outcome in results])

    @routes.post("/api/v1/imports/preview", summary="Show what would become of rows, and store nothing")
    async def preview_rows(caller: CallerDep, body: Rows, project: ProjectQuery = DEFAULT_PROJECT) -> RowsDone:
        """`upload` is the SHA-256 of the image, which need not be uploaded: whether it can be read is not looked at.
        "created" is what would be."""
        caller.require("import.run", project=project)
        results = await imports.preview(body.rows, project=project)
        return RowsDone(
            items=[
                RowView(row=row, figure=None, status="created") if outcome is None else row_view(row, outcome)
                for row, outcome in results
            ]
        )

    @routes.get("/api/v1/imports", summary="Imports, the newest first")
    async def list_imports(
        caller: CallerDep,
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> PageOf[ImportView]:
        caller.require("import.run", project=project)
        page = await imports.page(project=project, after=cursor, limit=limit)
        return PageOf(
            items=[ImportView.model_validate(job, from_attributes=True) for job in page.items], next=page.next
        )

    @routes.get("/api/v1/imports/{id}", summary="How far an import is")
    async def get_import(caller: CallerDep, id: str) -> ImportView:
        return ImportView.model_validate(await allowed(caller, "import.run", imports.get, id), from_attributes=True)

    @routes.get("/api/v1/imports/{id}/rejects", summary="Rows that did not go in, and why")
    async def list_rejects(
        caller: CallerDep, id: str, cursor: str | None = None, limit: Annotated[Limit, Query()] = 100
    ) -> PageOf[RejectView]:
        await allowed(caller, "import.run", imports.get, id)
        page = await imports.rejects(id, after=cursor, limit=limit)
        return PageOf(
            items=[RejectView.model_validate(row, from_attributes=True) for row in page.items], next=page.next
        )


def view(figure: Figure, signer: Signer) -> FigureView:
    """The figure with signed addresses of its renditions."""
    picture = figure.picture
    return FigureView.model_validate(
        {
            **{name: getattr(figure, name) for name in FigureView.model_fields if hasattr(figure, name)},
            "revision": figure.version,
            "quarantine": figure.quarantine and figure.quarantine.state,
            "display_url": picture and _url(signer, picture.display.blob, picture.display.media_type),
            "thumbnail_url": picture and _url(signer, picture.thumbnail.blob, picture.thumbnail.media_type),
        }
    )


def row_view(row: int, outcome: Outcome) -> RowView:
    problem = outcome.problem
    status = "rejected" if outcome.figure is None else "created" if outcome.created else "existing"
    return RowView(
        row=row,
        figure=outcome.figure and outcome.figure.id,
        status=status,
        problem=problem and ProblemView(field=problem.field, detail=problem.message, remedy=problem.remedy),
    )


def _url(signer: Signer, blob: str, media_type: str) -> str:
    return f"/api/v1/files/{signer.grant(Grant(blob, media_type))}"
