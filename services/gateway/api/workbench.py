"""Doors of the workbench in the browser: its page at every address that it knows, its files, and the API as a page.

It is built by `make` into `web/dist` and carried by the wheel. A name in its files' addresses changes with their
content, so browsers keep them.
"""

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUILT: Final = Path(__file__).parent.parent / "web" / "dist"
# The first part of every address that web/src/App.svelte knows.
PAGES: Final = (
    "join",
    "work",
    "review",
    "figure",
    "adjudication",
    "find",
    "collection",
    "import",
    "quarantine",
    "export",
    "people",
    "progress",
    "project",
    "projects",
    "vocabularies",
    "system",
    "account",
    "audit",
)
# No inline script or style, no foreign host, nobody's frame.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The style sheet of Swagger UI brings its arrows as data.
DOCS_POLICY: Final = POLICY.replace("img-src 'self'", "img-src 'self' data:")
_MISSING: Final = (
    "<!doctype html><html lang=en><head><meta charset=utf-8><title>MITagger</title></head><body>"
    "<h1>MITagger runs</h1><p>Its workbench is not built in this checkout. Run <code>make web</code>, then reload.</p>"
    "</body></html>"
)


def router(built: Path) -> APIRouter:
    """The page. `built`: the folder that Vite wrote."""
    routes = APIRouter(include_in_schema=False)

    async def show() -> Response:
        return _page(built, 200)

    async def show_docs() -> Response:
        return _page(built, 200, "docs.html", DOCS_POLICY)

    routes.add_api_route("/", show)
    routes.add_api_route("/docs", show_docs)
    for name in PAGES:
        routes.add_api_route(f"/{name}", show)
        routes.add_api_route(f"/{name}/{{rest:path}}", show)
    return routes


def _page(built: Path, status: int, name: str = "index.html", policy: str = POLICY) -> Response:
    headers = {"Content-Security-Policy": policy, "Cache-Control": "no-cache"}
    page = built / name
    if not page.exists():
        return HTMLResponse(_MISSING, 503, headers)
    return FileResponse(page, status, media_type="text/html", headers=headers)


class Elsewhere:
    """ASGI application at addresses that nothing has: who looks with a browser sees the page, which says so and where
    to go (404 all the same); programs, and what looks for the API or a file, get what `otherwise` says."""

    def __init__(self, built: Path, otherwise: ASGIApp) -> None:
        self._built = built
        self._otherwise = otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and _for_people(scope):
            await _page(self._built, 404)(scope, receive, send)
        else:
            await self._otherwise(scope, receive, send)


def _for_people(scope: Scope) -> bool:
    first = scope["path"].split("/")[1]
    return first not in ("api", "assets") and "text/html" in Headers(scope=scope).get("accept", "")


def assets(built: Path) -> ASGIApp:
    """The page's files."""
    return Kept(GZipMiddleware(StaticFiles(directory=built / "assets", check_dir=False), minimum_size=1000))


class Kept:
    """ASGI middleware: what is found may be kept for a year."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 206, 304):
                MutableHeaders(scope=message)["Cache-Control"] = "public, max-age=31536000, immutable"
            await send(message)

        await self._app(scope, receive, kept)
