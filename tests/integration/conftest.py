"""What several of these tests ask."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.server import Server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One for all tests, because a start takes seconds; none of them minds what the others left."""
    running = Server(tmp_path_factory.mktemp("server"))
    await running.start()
    yield running
    await running.stop()
