"""What a site imports, asked for as the gateway asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import httpx

from shared.access import Caller, Role
from shared.engine import Engine
from shared.http import Hop
from shared.service import Service

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]]) -> T:
    """What is there, when it is."""
    async with asyncio.timeout(40):
        while (found := await look()) is None:
            await asyncio.sleep(0.02)
    return found


class Site:
    """Services by name, of which the recommender keeps what is imported."""

    def __init__(self, engine: Engine, services: Mapping[str, Service]) -> None:
        self.engine = engine
        self._hops = {name: Hop(name, app=one.app) for name, one in services.items()}

    async def ask(
        self, method: str, path: str, service: str = "recommender", role: Role = "administrator", **more: Any
    ) -> httpx.Response:
        token = self.engine.signer.token(Caller("ada", {"default": frozenset({role})}), service)
        return await self._hops[service].request(method, f"/api/v1{path}", token=token, **more)

    async def sent(self, content: str | bytes, path: str, **body: Any) -> dict[str, Any]:
        """The version when it is read."""
        data = content.encode() if isinstance(content, str) else content
        return await self.begun(path, {"upload": (await self.engine.blobs.put_bytes(data)).sha256, **body})

    async def begun(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What was begun, when it ended."""
        answer = await self.ask("POST", path, json=body)
        assert answer.status_code == 202, answer.text
        return await self.ended(answer.headers["Location"])

    async def ended(self, location: str) -> dict[str, Any]:
        async def state() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.ask("GET", location.removeprefix("/api/v1"))).json()
            return found if found["state"] in ("ready", "failed") else None

        return await until(state)
