"""The gateway, wired: the only public door."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from starlette.types import ASGIApp

from services.gateway.api import openapi, public_door
from services.gateway.api.system import VERSION, Observer
from services.gateway.identity import Identity, SignIn
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.http import Hop
from shared.service import Service


class Gateway:
    """See `shared.service.Service`. After the first start ever, `first_sign_in` holds the administrator's generated
    password, to be printed once by whoever started it."""

    name = "gateway"
    subscriptions: Sequence[Subscription] = ()

    def __init__(self, app: ASGIApp, identity: Identity, hops: Sequence[Hop]) -> None:
        self.app: ASGIApp | None = app
        self.first_sign_in: SignIn | None = None
        self._identity = identity
        self._hops = hops

    async def start(self) -> None:
        await self._identity.sweep()
        self.first_sign_in = await self._identity.first_sign_in()

    async def stop(self) -> None:
        for hop in self._hops:
            await hop.close()


def build(engine: Engine, services: Sequence[Service], *, upload_bytes: int, local_key: str = "") -> Gateway:
    """In front of these services, which run in the same process. `upload_bytes`: the largest file taken; `local_key`:
    see Identity."""
    hops = {service.name: Hop(service.name, app=service.app) for service in services if service.app is not None}
    identity = Identity(engine.documents, local_key=local_key)
    observer = Observer(engine.bus, hops, engine.signer, ["gateway", *(service.name for service in services)])

    @cache
    def document() -> Mapping[str, Any]:
        return openapi.document([app, *(service.app for service in services)], VERSION)

    app = public_door(engine, identity, hops, observer, upload_bytes=upload_bytes, document=document)
    return Gateway(app, identity, list(hops.values()))
