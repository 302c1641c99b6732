"""Our own server as BioPortal's clients see it: the gateway, and the recommender behind it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from anyio.from_thread import start_blocking_portal

from mitagger.serve import MODELS
from shared.process import answering, listening
from tests.support.embedded import embedded
from tests.support.people import until
from tests.support.system import KEY, composed


@asynccontextmanager
async def portal_serving(folder: Path) -> AsyncIterator[str]:
    """Its address on a real socket; the key is `system.KEY`, the vocabularies are loaded."""
    async with embedded(folder, MODELS) as engine:
        services = composed(engine)
        recommender = next(one for one in services if one.name == "recommender")
        app = services[-1].app
        assert app is not None
        await recommender.start()
        with listening("127.0.0.1", 0) as socket:
            async with answering(app, socket) as url, httpx.AsyncClient(base_url=url, trust_env=False) as http:

                async def loaded() -> bool:
                    return (await http.get("/search", params={"q": "femur", "apikey": KEY})).status_code == 200

                await until(loaded, what="the vocabularies are loaded", seconds=30)
                yield url
        await recommender.stop()


@contextmanager
def portal_beside(folder: Path) -> Iterator[str]:
    """As `portal_serving`, on a loop of its own: for all tests of a module."""
    with start_blocking_portal() as loop, loop.wrap_async_context_manager(portal_serving(folder)) as url:
        yield url
