"""The shape of a service, whichever process it runs in."""

from collections.abc import Sequence
from typing import Protocol

from starlette.types import ASGIApp

from shared.bus.port import Subscription


class Service(Protocol):
    """`app` is its HTTP door (null: it has none); `subscriptions` its event door."""

    @property
    def name(self) -> str: ...

    @property
    def app(self) -> ASGIApp | None: ...

    @property
    def subscriptions(self) -> Sequence[Subscription]: ...

    async def start(self) -> None:
        """After the engine started, before events and requests arrive."""

    async def stop(self) -> None:
        """Background work ends; called before the engine stops."""
