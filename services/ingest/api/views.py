"""The HTTP door of figures looked at in depth: tiles, renders, and what can be asked of a page.

Whoever may read figures asks by the figure's id; whoever was given a signed address (annotators and reviewers, with
their assignment) asks by that, and needs nothing else, as pictures in a page do.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Response
from pydantic import BaseModel

from services.ingest.pyramid_model import Look, Prepared
from services.ingest.tonemap import Curve
from services.ingest.views import LARGEST_ANSWER, Region, Source, Views, tag_of
from shared.engine import Engine
from shared.errors import Invalid
from shared.http import CallerDep
from shared.zoom import TileSource, max_level, source

JPEG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "Unchanged"},
}
# No address is for ever: the picture behind it may be blacked out or erased.
_CACHE: Final = "private, max-age=1800"
_OWN_CACHE: Final = "private, no-cache"  # by id: the leave to read it is asked for again


Number = Annotated[int, Query(ge=0, le=100_000, description="From 0")]
Size = Annotated[int, Query(ge=1, le=LARGEST_ANSWER, description="Longest side of the answer in pixels")]
RegionQuery = Annotated[
    str | None, Query(max_length=60, description="x,y,width,height in pixels of the page; default: all of it")
]
Known = Annotated[str | None, Header(alias="If-None-Match")]


class PageView(BaseModel):
    """A page or frame. `low`, `high`: the ends of its values in the file's units (`unit`, where known), 0 to 255 where
    the picture was made for a screen. `window` and `level`: those that the display has; null where no window says it
    (`curve`). Asking with them, or without, shows the same."""

    page: int
    frame: int
    low: float
    high: float
    unit: str
    window: float | None
    level: float | None
    curve: Curve
    tiles: TileSource


def look_of(
    window: Annotated[
        float | None, Query(gt=0, le=1e300, allow_inf_nan=False, description="Width, in the file's units")
    ] = None,
    level: Annotated[
        float | None, Query(ge=-1e300, le=1e300, allow_inf_nan=False, description="Centre, in the file's units")
    ] = None,
    invert: Annotated[bool, Query(description="Light for dark")] = False,
) -> Look:
    """Raises Invalid."""
    if (window is None) != (level is None):
        raise Invalid(
            "A window needs its level, and a level its window.",
            field="window" if window is None else "level",
            remedy="Send both, in the file's units, or none of them; `about` says which the display has.",
        )
    return Look(window=window, level=level, invert=invert)


LookDep = Annotated[Look, Depends(look_of)]


@dataclass(frozen=True, slots=True)
class Asked:
    """A part and how to show it; `known`: the ETag of what the asker has."""

    look: Look
    region: Region | None
    size: int
    known: str | None


def asked_of(look: LookDep, region: RegionQuery = None, size: Size = 2048, known: Known = None) -> Asked:
    """Raises Invalid."""
    return Asked(look, _region(region), size, known)


def router(views: Views, engine: Engine) -> APIRouter:
    """The routes of views."""
    routes = APIRouter(tags=["figures"])
    signer = engine.signer

    async def by_id(caller: CallerDep, id: str, page: Number = 0, frame: Number = 0) -> Source:
        caller.require_somewhere("figure.read")
        found = await views.source(id, page=page, frame=frame)
        caller.require("figure.read", project=found.figure.project)
        return found

    async def by_grant(grant: str, page: Number = 0, frame: Number = 0) -> Source:
        return await views.source(signer.viewed(grant), page=page, frame=frame)

    async def about(found: Source) -> PageView:
        return _view(found, await views.about(found), engine)

    async def render(found: Source, asked: Asked, cache: str) -> Response:
        tag = tag_of(found, f"{asked.look} {asked.region} {asked.size}")
        if asked.known == tag:
            return Response(status_code=304, headers=_headers(tag, cache))
        return _jpeg(await views.render(found, asked.look, region=asked.region, size=asked.size), tag, cache)

    @routes.get("/api/v1/figures/{id}/view", summary="What can be looked at in a figure's picture")
    async def view_figure(found: Annotated[Source, Depends(by_id)]) -> PageView:
        """The first time a page is asked for, it is prepared, which takes a second or two for 20 megapixels."""
        return await about(found)

    @routes.get("/api/v1/figures/{id}/render", summary="Render a part of a figure's picture",
                response_class=Response, responses=JPEG)  # fmt: skip
    async def render_figure(
        found: Annotated[Source, Depends(by_id)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        """A JPEG from the stored pixels. For administrators and services; others find a signed address in their
        assignment."""
        return await render(found, asked, _OWN_CACHE)

    @routes.get("/api/v1/views/{grant}", summary="What can be looked at in a granted picture")
    async def view_granted(found: Annotated[Source, Depends(by_grant)]) -> PageView:
        """The address holds the leave for about an hour; nothing else is needed."""
        return await about(found)

    @routes.get("/api/v1/views/{grant}/render", summary="Render a part of a granted picture",
                response_class=Response, responses=JPEG)  # fmt: skip
    async def render_granted(
        found: Annotated[Source, Depends(by_grant)],
        asked: Annotated[Asked, Depends(asked_of)],
    ) -> Response:
        """A JPEG from the stored pixels."""
        return await render(found, asked, _CACHE)

    @routes.get("/api/v1/views/{grant}/tiles/{zoom}/{tile}", summary="A deep-zoom tile of a granted picture",
                response_class=Response, responses=JPEG)  # fmt: skip
    async def tile_granted(
        found: Annotated[Source, Depends(by_grant)],
        look: LookDep,
        zoom: Annotated[int, Path(ge=0, le=64, description="Deep-zoom level; the highest is the picture itself")],
        tile: Annotated[str, Path(pattern=r"^[0-9]{1,6}_[0-9]{1,6}\.jpg$", description="column_row.jpg, from 0")],
        known: Known = None,
    ) -> Response:
        """In the layout of Deep Zoom Images, as OpenSeadragon asks for it."""
        tag = tag_of(found, f"{look} {zoom} {tile}")
        if known == tag:
            return Response(status_code=304, headers=_headers(tag, _CACHE))
        column, row = map(int, tile.removesuffix(".jpg").split("_"))
        return _jpeg(await views.tile(found, look, zoom=zoom, column=column, row=row), tag, _CACHE)

    return routes


def _region(text: str | None) -> Region | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in parts):
        raise Invalid(
            "The region is not four whole numbers.", field="region", remedy="Send x,y,width,height, as 0,0,512,512."
        )
    x, y, width, height = map(int, parts)
    return x, y, width, height


def _view(found: Source, page: Prepared, engine: Engine) -> PageView:
    picture = found.figure.picture
    assert picture is not None  # noqa: S101 - else there is no source
    tiles = source(found.figure.id, picture, engine.signer)
    many, tone = picture.frames > 1, page.tone
    windowed = tone.curve in ("even", "LINEAR", "LINEAR_EXACT", "SIGMOID")
    return PageView(
        page=0 if many else found.number,
        frame=found.number if many else 0,
        low=page.low,
        high=page.high,
        unit=page.unit,
        window=tone.high - tone.low if windowed else None,
        level=(tone.low + tone.high) / 2 if windowed else None,
        curve=tone.curve,
        tiles=tiles.model_copy(
            update={"width": page.width, "height": page.height, "max_level": max_level(page.width, page.height)}
        ),
    )


def _jpeg(content: bytes, tag: str, cache: str) -> Response:
    return Response(content, media_type="image/jpeg", headers=_headers(tag, cache))


def _headers(tag: str, cache: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": cache, "X-Content-Type-Options": "nosniff"}
