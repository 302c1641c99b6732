"""What every HTTP door shares: who asks, problems (RFC 9457), bodies of bounded size, pages, versions as ETags."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final, Generic, TypeVar

import httpx
import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel, BeforeValidator, Field, ValidationError, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics, tracing
from shared.access import Caller
from shared.errors import (
    Conflict,
    DeadlineExceeded,
    Duplicate,
    Erased,
    Forbidden,
    Invalid,
    MitaggerError,
    NoRoom,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from shared.grants import Signer

MAX_JSON_BYTES: Final = 4_000_000
HOP_SECONDS: Final = 30.0

# FastAPI's own spans and logs carry queries and messages of errors, that is legends and grants.
NO_TELEMETRY: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES: Final = frozenset({"/healthz", "/readyz"})

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger()

STATUS: Final[tuple[tuple[type[MitaggerError], int], ...]] = (
    (TooLarge, 413),
    (Unsupported, 415),
    (Invalid, 422),
    (Erased, 410),
    (NotFound, 404),
    (Duplicate, 409),
    (Conflict, 409),
    (Unauthenticated, 401),
    (Forbidden, 403),
    (NoRoom, 507),
    (Unavailable, 503),
    (DeadlineExceeded, 504),
)


class Problem(BaseModel):
    """RFC 9457 problem details. `difference` stands on conflicts: field → yours, theirs."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    remedy: str = ""
    field: str = ""
    difference: dict[str, Any] = {}
    errors: list[dict[str, Any]] = []


class PageOf(BaseModel, Generic[T]):
    """A page of a list. `next` goes into `?cursor=`; null on the last page."""

    items: list[T]
    next: str | None = None


def status_of(error: MitaggerError) -> int:
    """The HTTP status of an error; 500 for one that no client can mend."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def problem(error: MitaggerError) -> JSONResponse:
    """The error as application/problem+json."""
    status = status_of(error)
    body = Problem(
        type=f"https://mitagger.org/problems/{_slug(type(error).__name__)}",
        title=_words(type(error).__name__),
        status=status,
        detail=error.message,
        remedy=error.remedy,
        field=getattr(error, "field", ""),
        difference=getattr(error, "difference", {}),
    )
    headers = {"Retry-After": "5"} if isinstance(error, Unavailable) else {}
    return _problem_response(body, headers)


def etag(version: int) -> str:
    return f'"{version}"'


def if_match(header: str | None) -> int | None:
    """The version that the caller saw, from If-Match; null where the header is missing or "*"."""
    if header is None or header.strip() == "*":
        return None
    text = header.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise Invalid(
            "If-Match must hold the ETag that you got.", field="If-Match", remedy='Send it as it came, like "3".'
        )
    return int(text)


async def current_caller(request: Request) -> Caller:
    """Who asks, from the signed token of the internal hop."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Nobody is signed in.", remedy="Sign in, or send an API key.")
    signer: Signer = request.app.state.signer
    return signer.caller(token, request.app.state.audience)


CallerDep = Annotated[Caller, Depends(current_caller)]
# Not a dependency: FastAPI resolves each of them as it does a whole route.
IfMatch = Annotated[
    int | None,
    Header(alias="If-Match"),
    BeforeValidator(if_match),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}]}),
]
Limit = Annotated[int, Field(ge=1, le=200)]
# Of whatever is made or listed; what has an id says its project itself. The gateway has checked that it is there.
ProjectQuery = Annotated[str, Query(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$", description="Id of the project")]


def door(service: str, router: APIRouter, *, signer: Signer, description: str = "") -> FastAPI:
    """The HTTP door of a service: its router, problems instead of stack traces, bounded JSON bodies."""
    app = FastAPI(
        title=f"MITagger {service}",
        description=description,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.state.signer = signer
    app.state.audience = service
    add_routes(app, router)
    answer_with_problems(app)
    app.add_middleware(BoundedBody)
    app.add_middleware(Unfailing)
    app.add_middleware(Observed, service=service)
    return app


def add_routes(to: FastAPI | APIRouter, *routers: APIRouter) -> None:
    """Adds the routes of these routers, flat. FastAPI's `include_router` keeps a router as it is, and every request
    looks through it again at each depth: a twelfth of what a decision cost."""
    for router in routers:
        to.routes.extend(router.routes)


_REMEDIES: Final = {
    # The one 400 there is: FastAPI's, for a body that its parser gave up on.
    400: "Send valid JSON, not nested by the hundred.",
    404: "The server's page /docs shows which addresses there are.",
    405: "The server's page /docs shows which methods an address takes.",
}


def answer_with_problems(app: FastAPI) -> None:
    """Turns every error of the tree, of validation and of routing into a problem."""

    @app.exception_handler(MitaggerError)
    async def _mitagger(_request: Request, error: MitaggerError) -> Response:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> Response:
        errors = [{"field": ".".join(map(str, item["loc"])), "message": item["msg"]} for item in error.errors()[:50]]
        return _problem_response(
            Problem(
                type="https://mitagger.org/problems/invalid",
                title="Invalid",
                status=422,
                detail=f"{errors[0]['field']}: {errors[0]['message']}" if errors else "The request is not valid.",
                remedy="See `errors`, correct the request and send it again.",
                errors=errors,
            )
        )

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        remedy = _REMEDIES.get(error.status_code, "")
        body = Problem(title=str(error.detail), status=error.status_code, detail=str(error.detail), remedy=remedy)
        return _problem_response(body, dict(error.headers or {}))


class BoundedBody:
    """ASGI middleware: reads the body before the door does, at most `limit` bytes, and answers 413 above. What is
    posted to paths in `streaming` is left to doors that have bounds of their own."""

    def __init__(self, app: ASGIApp, limit: int = MAX_JSON_BYTES, streaming: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._limit = limit
        self._streaming = streaming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] == "POST" and scope["path"] in self._streaming):
            await self._app(scope, receive, send)
            return
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._limit:
                refusal = TooLarge(f"The request has more than {self._limit:,} bytes.", remedy="Send less at once.")
                await problem(refusal)(scope, receive, send)
                return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def replayed() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replayed, send)


class Unfailing:
    """ASGI middleware: an error that nobody expected is logged, without its message, and answered as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticed(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticed)
        except Exception:
            log.exception(
                "unexpected error", method=scope.get("method", ""), route=getattr(scope.get("route"), "path", "")
            )
            if started or scope["type"] != "http":
                raise
            body = Problem(
                type="https://mitagger.org/problems/unexpected",
                title="Unexpected error",
                status=500,
                detail="Something went wrong here that should not have.",
                remedy="The server's log says where. Please report it.",
            )
            await _problem_response(body)(scope, receive, send)


@dataclass(slots=True)
class _Answer:
    """What is known of an answer so far: its status ("none" before it began) and how long it took to begin."""

    status: str = "none"
    seconds: float | None = None


class Observed:
    """ASGI middleware: requests as metrics and spans, by the template of their route. Outermost, so that refusals and
    unexpected errors count as they were answered."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer, begun = _Answer(), time.perf_counter()

        async def noticed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.seconds = str(message["status"]), time.perf_counter() - begun
            await send(message)

        try:
            cause = _cause(scope)
            if scope["path"] in PROBES or not (cause or tracing.on()):
                await self._app(scope, receive, noticed)
            else:
                await self._traced(scope, receive, noticed, answer, cause)
        finally:
            method, route = _method(scope), _template(scope)
            metrics.HTTP_REQUESTS.labels(self._service, route, method, answer.status).inc()
            if answer.seconds is not None:
                metrics.HTTP_SECONDS.labels(self._service, route, method).observe(answer.seconds)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, answer: _Answer, cause: str | None) -> None:
        method = _method(scope)
        attributes = {"http.request.method": method, "mitagger.service": self._service}
        span = tracing.begun(f"{method} {self._service}", SpanKind.SERVER, attributes, cause=cause)
        with tracing.current(span):
            try:
                await self._app(scope, receive, send)
            finally:
                if route := _template(scope):
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)
                if answer.seconds is not None:
                    span.set_attribute("http.response.status_code", int(answer.status))
                if answer.status.startswith("5"):
                    span.set_status(StatusCode.ERROR)


class Hop:
    """An HTTP client of another service: in one process over ASGI, else by URL, with a deadline either way.

    (httpx's ASGITransport ignores time-outs, so the deadline is enforced here.)
    """

    def __init__(self, service: str, *, app: ASGIApp | None = None, url: str = "http://service") -> None:
        self.service = service
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False) if app is not None else None
        self._client = httpx.AsyncClient(transport=transport, base_url=url, timeout=HOP_SECONDS, trust_env=False)

    async def request(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        params: Any = None,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        seconds: float = HOP_SECONDS,
    ) -> httpx.Response:
        """`token`: who asks; "" for what anybody may ask. Raises DeadlineExceeded, Unavailable. Any answer of the
        service is returned, whatever its status. It belongs to the trace of what asks."""
        begun, outcome = time.perf_counter(), "unreachable"
        attributes = {"http.request.method": method, "mitagger.service": self.service}
        try:
            with tracing.current(tracing.begun(f"{method} to {self.service}", SpanKind.CLIENT, attributes)):
                # As bytes, for HTTP takes more signs than the ASCII that httpx expects of text.
                sent = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {}), **_trace()}
                async with asyncio.timeout(seconds):
                    answer = await self._client.request(
                        method,
                        path,
                        params=params,
                        headers={name.encode(): value.encode("latin-1") for name, value in sent.items()},
                        content=content,
                        json=json,
                    )
            outcome = f"{answer.status_code // 100}xx"
            return answer
        except TimeoutError as error:
            outcome = "deadline"
            raise DeadlineExceeded(
                f"{self.service} did not answer within {seconds:.0f} s.", remedy="Try again."
            ) from error
        except httpx.HTTPError as error:
            raise Unavailable(self.service, remedy="Try again in a moment.") from error
        finally:
            metrics.HOP_REQUESTS.labels(self.service, outcome).inc()
            metrics.HOP_SECONDS.labels(self.service).observe(time.perf_counter() - begun)

    async def told(
        self, answer: type[M], method: str, path: str, *, otherwise: str, remedy: str = "", **sent: Any
    ) -> M:
        """What the service says, as `answer`; `sent` as to `request`. Raises Unavailable with `otherwise` where it says
        anything else, as an older version may that does not know the question; DeadlineExceeded."""
        found = await self.request(method, path, **sent)
        with suppress(ValidationError):
            if found.status_code == 200:
                return answer.model_validate_json(found.content)
        raise Unavailable(self.service, f"{otherwise} ({found.status_code}).", remedy=remedy)

    async def close(self) -> None:
        await self._client.aclose()


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in METHODS else "other"


def _template(scope: Scope) -> str:
    """The path of the route that took the request, with its parameters' names in place of values; "" for none."""
    return str(getattr(scope.get("route"), "path", ""))


def _cause(scope: Scope) -> str | None:
    """The request's `traceparent`, whatever it says."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)


def _trace() -> dict[str, str]:
    here = tracing.here()
    return {tracing.HEADER: here} if here else {}


def _problem_response(body: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    content = {key: value for key, value in body.model_dump(mode="json").items() if value not in ("", {}, [])}
    return JSONResponse(content, status_code=body.status, headers=headers, media_type="application/problem+json")


def _words(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() and i else c for i, c in enumerate(name))


def _slug(name: str) -> str:
    return _words(name).lower().replace(" ", "-")
