"""The HTTP door of quarantine: pictures that wait for an administrator's look, and what is decided of them."""

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from services.ingest.allowed import allowed
from services.ingest.api.views import JPEG, Number
from services.ingest.inspection import MOST_RECTANGLES, Inspection
from services.ingest.model import Figure, QuarantineState, Rectangle, Refusal
from services.ingest.pyramid_model import Look
from services.ingest.quarantine import Reason
from services.ingest.views import LARGEST_ANSWER, Views
from shared.access import DEFAULT_PROJECT
from shared.events.image import Article, Rendition
from shared.grants import Grant, Signer
from shared.http import CallerDep, IfMatch, Limit, PageOf, ProjectQuery, etag

UNKEPT: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class QuarantinedView(BaseModel):
    """A figure whose picture waits, or what was decided of it. The addresses hold for about an hour; without a picture
    (it was refused) there are none."""

    id: str
    version: int
    article: Article
    label: str
    state: QuarantineState
    reasons: Annotated[list[Reason], Field(description="Why it waits")]
    technical: dict[str, str]
    width: Annotated[int | None, Field(description="Pixels")]
    height: Annotated[int | None, Field(description="Pixels")]
    pages: Annotated[int | None, Field(description="Pages that can be looked at")]
    frames: Annotated[int | None, Field(description="Frames that can be looked at")]
    blacked: list[Rectangle]
    refusal: Refusal | None
    display_url: str | None
    thumbnail_url: str | None
    decided_by: str
    decided_at: datetime | None
    created_at: datetime


class QuarantinePage(PageOf[QuarantinedView]):
    """`waiting`: how many pictures wait, on all pages."""

    waiting: int


class BlackOut(BaseModel):
    """What is to become black, in pixels of the picture as sent, upright, from its upper left corner."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"rectangles": [{"left": 0, "top": 0, "width": 640, "height": 48}]}]},
    )

    rectangles: Annotated[list[Rectangle], Field(min_length=1, max_length=MOST_RECTANGLES)]


class Refuse(BaseModel):
    """Why, by one of a few words: free text would be a place for the name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "names_patient"}]})

    reason: Refusal


def router(inspection: Inspection, views: Views, signer: Signer) -> APIRouter:
    """The routes of quarantine."""
    routes = APIRouter()

    @routes.get("/api/v1/quarantine", summary="Pictures that wait for an administrator's look, the oldest first")
    async def list_quarantine(
        caller: CallerDep,
        cursor: str | None = None,
        limit: Annotated[Limit, Query()] = 50,
        project: ProjectQuery = DEFAULT_PROJECT,
    ) -> QuarantinePage:
        caller.require("quarantine.read", project=project)
        page = await inspection.page(project=project, after=cursor, limit=limit)
        waiting = await inspection.waiting(project=project)
        return QuarantinePage(
            items=[quarantined(figure, signer) for figure in page.items], next=page.next, waiting=waiting
        )

    @routes.get("/api/v1/quarantine/{id}", summary="A picture in quarantine, to look at")
    async def get_quarantined(caller: CallerDep, id: str, response: Response) -> QuarantinedView:
        """`id` is the figure's. Also what was decided of it."""
        await allowed(caller, "quarantine.read", inspection.figure, id)
        return _decided(await inspection.get(id), response)

    @routes.get(
        "/api/v1/quarantine/{id}/render",
        summary="Render a page or frame of a picture in quarantine",
        response_class=Response,
        responses=JPEG,
    )
    async def render(
        caller: CallerDep,
        id: str,
        page: Number = 0,
        frame: Number = 0,
        size: Annotated[int, Query(ge=1, le=LARGEST_ANSWER, description="Longest side of the answer in pixels")] = 2048,
    ) -> Response:
        """A JPEG. A name may stand in one frame of many."""
        await allowed(caller, "quarantine.read", inspection.figure, id)
        source = await views.source(id, page=page, frame=frame, waiting=True)
        content = await views.render(source, Look(), region=None, size=size)
        return Response(content, media_type="image/jpeg", headers=UNKEPT)

    @routes.post("/api/v1/quarantine/{id}/confirm", summary="Let everybody see a picture as it is")
    async def confirm(caller: CallerDep, id: str, response: Response, version: IfMatch = None) -> QuarantinedView:
        """Confirming twice is confirming once. With If-Match, a figure that somebody changed is a conflict."""
        await allowed(caller, "quarantine.write", inspection.figure, id)
        return _decided(await inspection.confirm(id, version=version, actor=caller.person), response)

    @routes.post("/api/v1/quarantine/{id}/black-out", summary="Black out parts of a picture and let everybody see it")
    async def black_out(
        caller: CallerDep, id: str, body: BlackOut, response: Response, version: IfMatch = None
    ) -> QuarantinedView:
        """On every page and frame, in all that is stored of the picture; what was there is erased. Also of a figure
        whose picture is not in quarantine. The same again changes nothing."""
        await allowed(caller, "quarantine.write", inspection.figure, id)
        figure = await inspection.black_out(id, body.rectangles, version=version, actor=caller.person)
        return _decided(figure, response)

    @routes.post("/api/v1/quarantine/{id}/refuse", summary="Erase a picture")
    async def refuse(
        caller: CallerDep, id: str, body: Refuse, response: Response, version: IfMatch = None
    ) -> QuarantinedView:
        """The figure keeps its legend; the same file, sent again, is not taken. Also of a figure whose picture is not
        in quarantine. Refusing twice is refusing once."""
        await allowed(caller, "quarantine.write", inspection.figure, id)
        figure = await inspection.refuse(id, body.reason, version=version, actor=caller.person)
        return _decided(figure, response)

    def _decided(figure: Figure, response: Response) -> QuarantinedView:
        response.headers["ETag"] = etag(figure.version)
        return quarantined(figure, signer)

    return routes


def quarantined(figure: Figure, signer: Signer) -> QuarantinedView:
    """The figure's picture as an administrator sees it, with signed addresses."""
    picture, known = figure.held, figure.quarantine
    assert known is not None  # noqa: S101 - the contract of Inspection
    return QuarantinedView(
        id=figure.id,
        version=figure.version,
        article=figure.article,
        label=figure.label,
        state=known.state,
        reasons=list(known.reasons),
        technical=figure.technical,
        width=picture and picture.width,
        height=picture and picture.height,
        pages=picture and picture.pages,
        frames=picture and picture.frames,
        blacked=list(known.blacked),
        refusal=known.refusal,
        display_url=picture and _address(signer, picture.display),
        thumbnail_url=picture and _address(signer, picture.thumbnail),
        decided_by=known.decided_by,
        decided_at=known.decided_at,
        created_at=figure.created_at,
    )


def _address(signer: Signer, rendition: Rendition) -> str:
    return f"/api/v1/files/{signer.grant(Grant(rendition.blob, rendition.media_type))}"
