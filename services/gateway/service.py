"""The gateway, wired: the only public door."""

from collections.abc import Callable, Mapping, Sequence

from starlette.types import ASGIApp

from services.gateway.api import public_door
from services.gateway.api.system import Observer
from services.gateway.changes import Changes
from services.gateway.collecting import Collector
from services.gateway.identity import Identity, SignIn
from services.gateway.oidc import OpenIdConnect, Terms
from services.gateway.routes import ROUTES, SERVICES
from shared.bus.port import Subscription
from shared.engine import Engine
from shared.errors import Invalid
from shared.http import Hop


class Gateway:
    """See `shared.service.Service`. After the first start ever, `first_sign_in` holds the administrator's generated
    password, to be printed once by whoever started it."""

    name = "gateway"
    subscriptions: Sequence[Subscription] = ()

    def __init__(
        self,
        app: ASGIApp,
        identity: Identity,
        collector: Collector,
        hops: Sequence[Hop],
        welcome: Callable[[SignIn], None],
        *,
        changes: Changes,
    ) -> None:
        self.app: ASGIApp = app
        self.first_sign_in: SignIn | None = None
        self.identity = identity
        self._collector = collector
        self._changes = changes
        self._hops = hops
        self._welcome = welcome

    async def start(self) -> None:
        await self.identity.sweep()
        await self.identity.accounts.prepare()
        self.first_sign_in = await self.identity.first_sign_in()
        if self.first_sign_in is not None:
            self._welcome(self.first_sign_in)
        await self._collector.start()

    async def stop(self) -> None:
        await self._changes.stop()
        await self._collector.stop()
        for hop in self._hops:
            await hop.close()


def build(
    engine: Engine,
    hops: Mapping[str, Hop],
    *,
    upload_bytes: int,
    local_key: str = "",
    welcome: Callable[[SignIn], None] = lambda first: None,
    apart: Sequence[Hop] = (),
    trusted_proxies: Sequence[str] = (),
    oidc: Terms | None = None,
) -> Gateway:
    """In front of the services that these hops lead to, by name. `upload_bytes`: the largest file taken; `local_key`:
    see Identity; `welcome`: is told the first administrator's password; `apart`: see Observer;
    `trusted_proxies`: addresses or networks whose X-Forwarded-For and -Proto are believed; `oidc`: the OpenID Connect
    provider to sign in by. Raises Invalid where Authlib is needed for it and missing."""
    identity = Identity(engine.documents, local_key=local_key)
    observer = Observer(engine, hops, SERVICES, apart)
    keepers = {route.service: hops[route.service] for route in ROUTES if route.service in hops}
    collector = Collector(engine.documents, engine.blobs, engine.signer, keepers)
    changes = Changes(engine.bus)
    app = public_door(
        engine,
        identity,
        hops,
        observer,
        collector,
        following=changes,
        upload_bytes=upload_bytes,
        trusted_proxies=trusted_proxies,
        oidc=None if oidc is None else _federated(engine, identity, oidc),
    )
    return Gateway(app, identity, collector, list(hops.values()), welcome, changes=changes)


def _federated(engine: Engine, identity: Identity, terms: Terms) -> OpenIdConnect:
    try:
        from services.gateway.provider import HttpProvider  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Invalid(
            "Signing in by OpenID Connect needs Authlib.", field="oidc", remedy="Install mitagger[oidc]."
        ) from error
    return OpenIdConnect(engine.documents, identity, engine.signer, provider=HttpProvider(terms), terms=terms)
