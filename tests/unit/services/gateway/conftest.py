"""The gateway on real embedded engines, in front of small doors that say what reached them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp

from services.gateway.model import MODELS
from services.gateway.service import Gateway, build
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.errors import Conflict
from shared.http import CallerDep, Hop, IfMatch, door
from tests.support.embedded import embedded

UPLOAD_BYTES = 100_000


@dataclass
class Echo:
    """A service whose door answers with what it got."""

    name: str
    app: ASGIApp | None
    subscriptions: Sequence[Subscription] = ()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def echo(name: str, engine: Engine) -> Echo:
    routes = APIRouter()

    @routes.api_route("/api/v1/figures/stale", methods=["PATCH"])
    async def stale(_caller: CallerDep, _version: IfMatch = None) -> None:
        raise Conflict("Changed meanwhile.", difference={"version": {"yours": 1, "theirs": 2}})

    @routes.get("/api/v1/search")
    async def search(caller: CallerDep) -> dict[str, Any]:
        caller.require("search.read")
        return {"total": 3}

    @routes.get("/api/v1/quarantine")
    async def quarantine(caller: CallerDep) -> dict[str, Any]:
        caller.require("quarantine.read")
        return {"waiting": 2}

    @routes.post("/internal/republish")
    async def republish(caller: CallerDep, body: dict[str, list[str]]) -> dict[str, int]:
        caller.require("system.write")
        return {"republished": len(body["topics"])}

    @routes.get("/api/v1/views/{path:path}")
    async def granted(request: Request, response: Response) -> dict[str, Any]:
        response.headers["Cache-Control"] = "private"
        return {"service": name, "path": request.url.path, "token": request.headers.get("authorization")}

    @routes.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def anything(
        request: Request, caller: CallerDep, response: Response, version: IfMatch = None
    ) -> dict[str, Any]:
        response.headers["ETag"] = '"7"'
        response.headers["Set-Cookie"] = "leak=1"
        return {
            "service": name,
            "method": request.method,
            "path": request.url.path,
            "query": request.query_params.multi_items(),
            "body": (await request.body()).decode(),
            "version": version,
            "person": caller.person,
            "roles": {project: sorted(roles) for project, roles in caller.roles.items()},
        }

    return Echo(name, door(name, routes, signer=engine.signer))


@dataclass
class Installation:
    """A running gateway, its engine, and the administrator's password."""

    gateway: Gateway
    engine: Engine
    password: str

    def browser(self, **headers: str) -> httpx.AsyncClient:
        assert self.gateway.app is not None
        transport = httpx.ASGITransport(app=self.gateway.app)
        return httpx.AsyncClient(transport=transport, base_url="http://mitagger.test", headers=headers)

    @asynccontextmanager
    async def signed_in(self, name: str = "administrator", password: str = "") -> AsyncIterator[httpx.AsyncClient]:
        async with self.browser() as browser:
            answer = await browser.post("/api/v1/session", json={"name": name, "password": password or self.password})
            assert answer.status_code == 201, answer.text
            yield browser


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    async with installed(tmp_path) as found:
        yield found


@asynccontextmanager
async def installed(folder: Path) -> AsyncIterator[Installation]:
    async with embedded(folder, MODELS) as engine:
        names = ("ingest", "recommender", "annotation", "export")
        hops = {name: Hop(name, app=echo(name, engine).app) for name in names}
        gateway = build(engine, hops, upload_bytes=UPLOAD_BYTES, local_key="local")
        await gateway.start()
        assert gateway.first_sign_in is not None
        yield Installation(gateway, engine, gateway.first_sign_in.password)
        await gateway.stop()
