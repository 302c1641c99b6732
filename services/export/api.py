"""The HTTP door: exports, search, and the schema of the XML."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from services.export.jobs import FORMATS, Exports
from services.export.model import ExportJob, Format, JobState, Status
from services.export.model import Rebuild as RebuildRecord
from services.export.rebuilding import Rebuilds, goes_on
from shared import clock
from shared.access import DEFAULT_PROJECT
from shared.events.recommendation import Axis
from shared.grants import Grant, Signer
from shared.http import CallerDep, Limit
from shared.search import port

SCHEMA: Final = Path(__file__).with_name("figures.xsd")
MAX_OFFSET: Final = 10_000

Values = Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=50)]


class SearchQuery(BaseModel):
    """One value of each list must hold; lists are given by repeating the parameter."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str, Field(max_length=500, description="All words must occur, the last as a prefix", examples=["mouse retina"])
    ] = ""
    axis: Annotated[list[Axis], Field(max_length=6)] = []
    tag: Annotated[Values, Field(description="CURIE or label")] = []
    doi: Values = []
    collection: Values = []
    status: Annotated[list[Status], Field(max_length=4)] = []
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET)] = 0
    limit: Limit = 20


class NewExport(BaseModel):
    """What to export. An approved figure comes with its final tags, any other with the provisional ones."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"format": "csv"}, {"format": "xml", "statuses": ["approved"]}]}
    )

    format: Format = "csv"
    statuses: Annotated[list[Status], Field(min_length=1, max_length=4)] = ["approved"]


class Export(BaseModel):
    """An export. `url` stands when it is done, and is good for an hour; ask again for a fresh one."""

    id: str
    format: Format
    statuses: list[Status]
    state: JobState
    rows: Annotated[int, Field(description="Of figures and tags; 0 until it is done")]
    bytes: int
    file_name: str
    url: str | None
    problem: str
    created_at: datetime


class FoundTag(BaseModel):
    axis: Axis
    label: str
    curie: str | None
    provisional: Annotated[bool, Field(description="True: nobody has approved it")]


class FoundFigure(BaseModel):
    """A figure that matches; `snippet` is plain text around the match."""

    figure: str
    article: str
    doi: str | None
    collection: str | None
    title: str
    label: str
    status: Status
    language: str | None
    snippet: str
    tags: list[FoundTag]


class Found(BaseModel):
    """Best match first. `facets`: axis, tag label, number of figures found that carry it, at most 20 an axis."""

    total: int
    offset: int
    items: list[FoundFigure]
    facets: dict[Axis, dict[str, int]]


class Rebuild(BaseModel):
    """A rebuild of the search index; "interrupted": the process that did it has ended, and nobody has taken it up."""

    state: Literal["running", "interrupted", "done", "failed"]
    figures: Annotated[int, Field(description="Indexed so far")]
    started_at: datetime
    problem: str


def router(exports: Exports, rebuilds: Rebuilds, search: port.Search, signer: Signer) -> APIRouter:
    routes = APIRouter(tags=["export"])

    @routes.post("/api/v1/exports", status_code=202, summary="Export figures and tags as CSV or XML")
    async def create_export(body: NewExport, caller: CallerDep, response: Response) -> Export:
        caller.require("export.run")
        job = await exports.ask(DEFAULT_PROJECT, caller.person, body.format, body.statuses)
        response.headers["Location"] = f"/api/v1/exports/{job.id}"
        return _export(job, signer)

    @routes.get("/api/v1/exports/{id}", summary="How far an export is, and where its file is")
    async def read_export(id: str, caller: CallerDep) -> Export:
        caller.require("export.run")
        return _export(await exports.get(id), signer)

    @routes.get("/api/v1/schemas/figures.xsd", summary="The XML Schema of the XML export", response_class=FileResponse)
    async def read_schema() -> FileResponse:
        return FileResponse(SCHEMA, media_type="application/xml")

    @routes.get("/api/v1/search", summary="Find figures by words of legend, tags and DOI, with facets by axis")
    async def search_figures(asked: Annotated[SearchQuery, Query()], caller: CallerDep) -> Found:
        caller.require("search.read")
        filters: dict[port.Filter, list[str]] = {
            "axis": [*asked.axis],
            "tag": asked.tag,
            "doi": asked.doi,
            "collection": asked.collection,
            "status": [*asked.status],
        }
        given = {name: values for name, values in filters.items() if values}
        results = await search.search(
            port.Query(
                words=asked.q,
                filters={**given, "project": [DEFAULT_PROJECT]},
                # Nobody learns from a search what a colleague has tagged before a reviewer approved it, except who may
                # read everybody's assignments.
                provisional=caller.may("assignment.read"),
                offset=asked.offset,
                limit=asked.limit,
            )
        )
        return Found.model_validate(
            {
                "total": results.total,
                "offset": asked.offset,
                "items": [_found(hit) for hit in results.hits],
                "facets": results.facets,
            }
        )

    @routes.post(
        "/api/v1/search/rebuild", status_code=202, summary="Fill a new search index from the records, then switch to it"
    )
    async def start_rebuild(caller: CallerDep) -> Rebuild:
        caller.require("system.write")
        return _rebuild(await rebuilds.ask())

    @routes.get("/api/v1/search/rebuild", summary="How far the last rebuild is")
    async def read_rebuild(caller: CallerDep) -> Rebuild:
        caller.require("system.read")
        return _rebuild(await rebuilds.get())

    return routes


def _rebuild(record: RebuildRecord) -> Rebuild:
    interrupted = record.state == "running" and not goes_on(record, clock.now())
    return Rebuild.model_validate(
        {
            **record.model_dump(include={"figures", "started_at", "problem"}),
            "state": "interrupted" if interrupted else record.state,
        }
    )


def _export(job: ExportJob, signer: Signer) -> Export:
    name = f"mitagger-{job.created_at:%Y-%m-%d}.{job.format}"
    grant = None if job.blob is None else Grant(job.blob, FORMATS[job.format].media_type, name)
    return Export(
        id=job.id,
        format=job.format,
        statuses=list(job.statuses),
        state=job.state,
        rows=job.rows,
        bytes=job.bytes,
        file_name=name,
        url=None if grant is None else f"/api/v1/files/{signer.grant(grant)}",
        problem=job.problem,
        created_at=job.created_at,
    )


def _found(hit: port.Hit) -> FoundFigure:
    entry = hit.entry
    tags = [(tag, False) for tag in entry.tags] + [(tag, True) for tag in entry.provisional]
    return FoundFigure.model_validate(
        {
            "figure": entry.id,
            **entry.model_dump(include={"article", "doi", "collection", "title", "label", "status", "language"}),
            "snippet": hit.snippet,
            "tags": [{**tag.model_dump(), "provisional": provisional} for tag, provisional in tags],
        }
    )
