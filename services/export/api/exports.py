"""The HTTP door: exports, search, and the schema of the XML."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict, Field

from services.export.entries import KEPT_BACK, status_shown, statuses_to_find
from services.export.jobs import FORMATS, Exports
from services.export.mapping_use import MappingUse
from services.export.model import ExportJob, Format, JobState, MappingsInUse, Status
from services.export.model import Rebuild as RebuildRecord
from services.export.rebuilding import Rebuilds, goes_on
from shared import clock
from shared.access import DEFAULT_PROJECT
from shared.errors import Invalid
from shared.events.recommendation import Axis
from shared.grants import Grant, Signer
from shared.http import CallerDep, Limit, PageOf, ProjectQuery
from shared.search import port

SCHEMA: Final = Path(__file__).parents[1] / "figures.xsd"
MAX_OFFSET: Final = 10_000
MAX_FIGURES: Final = 1_000  # of one query (shared/documents/port.py: In)
MAX_ASKED: Final = 200  # of one search: a page
MAX_TAGS: Final = 1_001  # a concept and its descendants (services/recommender/api/concepts.py)

Values = Annotated[list[Annotated[str, Field(max_length=500)]], Field(max_length=50)]


class SearchQuery(BaseModel):
    """One value of each list must hold; lists are given by repeating the parameter."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[
        str, Field(max_length=500, description="All words must occur, the last as a prefix", examples=["mouse retina"])
    ] = ""
    axis: Annotated[list[Axis], Field(max_length=6)] = []
    tag: Annotated[
        list[Annotated[str, Field(max_length=500)]], Field(max_length=MAX_TAGS, description="CURIE or label")
    ] = []
    doi: Values = []
    collection: Values = []
    article: Annotated[Values, Field(description="Its id")] = []
    figure: Annotated[
        list[Annotated[str, Field(max_length=64)]], Field(max_length=MAX_ASKED, description="These only, by their ids")
    ] = []
    person: Annotated[Values, Field(description="Who gave one of its tags; for who may read everybody's work")] = []
    since: Annotated[datetime | None, Field(description="Brought in since; UTC where it has no time zone")] = None
    until: Annotated[datetime | None, Field(description="Brought in before")] = None
    status: Annotated[list[Status], Field(max_length=4)] = []
    project: ProjectQuery = DEFAULT_PROJECT
    order: Annotated[Literal["best", "newest"], Field(description="The best match or the newest figure first")] = "best"
    before: Annotated[
        str,
        Field(max_length=64, description="Of the newest first, those that come after this one: the last of a page"),
    ] = ""
    facets: Annotated[bool, Field(description="False: without them, which is faster")] = True
    offset: Annotated[int, Field(ge=0, le=MAX_OFFSET, description="Of more, the newest first have no end")] = 0
    limit: Limit = 20


class NewExport(BaseModel):
    """What to export. An approved figure comes with its final tags, any other with the provisional ones."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"format": "csv"},
                {"format": "xml", "map_to": "SNOMEDCT"},
                {"format": "csv", "figures": ["0190d5f0c0a87000b000a1b2c3d4e5f6"], "statuses": ["returned"]},
            ]
        },
    )

    format: Format = "csv"
    statuses: Annotated[list[Status], Field(min_length=1, max_length=4)] = ["approved"]
    figures: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=64)]] | None,
        Field(min_length=1, max_length=MAX_FIGURES, description="These only, of those in one of the `statuses`"),
    ] = None
    map_to: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z][A-Za-z0-9_.-]{0,63})?$",
            description="A vocabulary whose concepts stand beside the tags', by the mappings in use",
        ),
    ] = ""


class MappingsUsedView(BaseModel):
    """Mappings between vocabularies: the set, the content hash of what it compiles to, and its versions by name."""

    set: str
    artefact: str
    versions: dict[str, str]


class Export(BaseModel):
    """An export. `url` stands when it is done, and is good for an hour; ask again for a fresh one. `mappings`: by which
    the concepts of `map_to` were found, when it was asked for."""

    id: str
    format: Format
    statuses: list[Status]
    figures: Annotated[int | None, Field(description="How many were named; null: all of the project")]
    map_to: str
    mappings: MappingsUsedView | None
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
    """Best match first, or newest. `total`: how many match, of those before `before`. `facets`: axis, tag label, number
    of figures found that carry it, at most 20 an axis."""

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


def router(exports: Exports, use: MappingUse, rebuilds: Rebuilds, search: port.Search, signer: Signer) -> APIRouter:
    routes = APIRouter(tags=["export"])

    @routes.post("/api/v1/exports", status_code=202, summary="Export figures and tags as CSV or XML")
    async def create_export(
        body: NewExport, caller: CallerDep, response: Response, project: ProjectQuery = DEFAULT_PROJECT
    ) -> Export:
        caller.require("export.run", project=project)
        mapping = await use.leading_to(body.map_to) if body.map_to else None
        job = await exports.ask(
            project,
            caller.person,
            body.format,
            body.statuses,
            figures=body.figures,
            map_to=body.map_to,
            mapping=mapping,
        )
        response.headers["Location"] = f"/api/v1/exports/{job.id}"
        return _export(job, signer)

    @routes.get("/api/v1/exports", summary="Exports of a project")
    async def list_exports(
        caller: CallerDep,
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> PageOf[Export]:
        """The newest first, whoever asked for them."""
        caller.require("export.run", project=project)
        page = await exports.page(project, cursor, limit)
        return PageOf(items=[_export(job, signer) for job in page.items], next=page.next)

    @routes.get("/api/v1/exports/{id}", summary="How far an export is, and where its file is")
    async def read_export(id: str, caller: CallerDep) -> Export:
        caller.require_somewhere("export.run")
        job = await exports.get(id)
        caller.require("export.run", project=job.project)
        return _export(job, signer)

    @routes.get("/api/v1/schemas/figures.xsd", summary="The XML Schema of the XML export", response_class=FileResponse)
    async def read_schema() -> FileResponse:
        return FileResponse(SCHEMA, media_type="application/xml")

    @routes.get("/api/v1/search", summary="Find figures by words of legend, tags and DOI, with facets by axis")
    async def search_figures(asked: Annotated[SearchQuery, Query()], caller: CallerDep) -> Found:
        caller.require("search.read", project=asked.project)
        if asked.person:
            caller.require("assignment.read", project=asked.project)
        # Nobody learns from a search what a colleague has tagged before a reviewer approved it, except who may read
        # everybody's assignments. One's own work is found.
        everything = caller.may("assignment.read", project=asked.project)
        if asked.before and asked.order != "newest":
            raise Invalid("Only of the newest first is there a `before`.", field="before", remedy="Add order=newest.")
        until = clock.first_id(asked.until) if asked.until else ""
        filters: dict[port.Filter, list[str]] = {
            "axis": [*asked.axis],
            "tag": asked.tag,
            "doi": asked.doi,
            "collection": asked.collection,
            "article": asked.article,
            "figure": asked.figure,
            "person": asked.person,
            "status": statuses_to_find(asked.status, everything=everything) if asked.status else [],
        }
        given = {name: values for name, values in filters.items() if values}
        results = await search.search(
            port.Query(
                words=asked.q,
                filters={**given, "project": [asked.project]},
                provisional=port.EVERYBODY if everything else caller.person,
                since=clock.first_id(asked.since) if asked.since else "",
                until=min(filter(None, (until, asked.before)), default=""),
                newest=asked.order == "newest",
                facets=asked.facets,
                offset=asked.offset,
                limit=asked.limit,
            )
        )
        return Found.model_validate(
            {
                "total": results.total,
                "offset": asked.offset,
                "items": [_found(hit, everything=everything) for hit in results.hits],
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
        figures=None if job.figures is None else len(job.figures),
        map_to=job.map_to,
        mappings=mappings_view(job.mapping),
        state=job.state,
        rows=job.rows,
        bytes=job.bytes,
        file_name=name,
        url=None if grant is None else f"/api/v1/files/{signer.grant(grant)}",
        problem=job.problem,
        created_at=job.created_at,
    )


def mappings_view(using: MappingsInUse | None) -> MappingsUsedView | None:
    if using is None:
        return None
    versions = {one.name: one.version for one in using.members}
    return MappingsUsedView(set=using.set, artefact=using.artefact, versions=versions)


def _found(hit: port.Hit, *, everything: bool) -> FoundFigure:
    entry = hit.entry
    # Once, whoever gave it. What is nobody's of an approved figure that is kept back is final.
    kept_back = [tag for tag in entry.provisional if entry.status == KEPT_BACK and tag.by is None]
    final = (*entry.tags, *kept_back)
    shown = dict.fromkeys(tag.model_copy(update={"by": None}) for tag in entry.provisional)
    tags = [(tag, False) for tag in final] + [(tag, True) for tag in shown if tag not in final]
    return FoundFigure.model_validate(
        {
            "figure": entry.id,
            **entry.model_dump(include={"article", "doi", "collection", "title", "label", "language"}),
            "status": status_shown(entry.status, everything=everything),
            "snippet": hit.snippet,
            "tags": [{**tag.model_dump(exclude={"by"}), "provisional": provisional} for tag, provisional in tags],
        }
    )
