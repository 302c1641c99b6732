"""This service in a process of its own, on the distributed engines: python -m services.gateway"""

from services.gateway.identity import SignIn
from services.gateway.model import MODELS
from services.gateway.oidc import Terms
from services.gateway.routes import ROUTES
from services.gateway.service import Gateway, build
from shared.engine import Engine
from shared.errors import Invalid
from shared.http import Hop
from shared.process import main, serve
from shared.settings import Settings


def _say(first: SignIn) -> None:
    print(first.said(), flush=True)  # noqa: T201 - what the person who started it waits for


def run(settings: Settings) -> None:
    """Raises Invalid when the address of a service behind it is not set."""
    hops = {name: Hop(name, url=url) for name, url in settings.addresses.items() if name != "gateway"}
    for name in sorted({route.service for route in ROUTES} - set(hops)):
        raise Invalid(
            f"The gateway does not know where {name} is.",
            remedy=f"Set MITAGGER_ADDRESSES__{name.upper()}=http://host:port.",
        )

    def wired(engine: Engine) -> Gateway:
        return build(
            engine,
            hops,
            upload_bytes=settings.upload_bytes,
            welcome=_say,
            apart=list(hops.values()),
            trusted_proxies=settings.trusted_proxies,
            oidc=Terms.of(settings),
        )

    serve(settings, MODELS, wired)


if __name__ == "__main__":
    main(run)
