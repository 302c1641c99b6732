"""Servers that suites share."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.servers.meilisearch import Place


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The URL of a server that speaks MongoDB's protocol, one for the whole run."""
    from tests.support.servers import mongo  # only where it is asked for: its driver is an extra

    with mongo.server() as url:
        yield url


@pytest.fixture(scope="session")
def meilisearch() -> Iterator["Place"]:
    """A Meilisearch server, one for the whole run. Skips where there is none: the one engine that no package brings."""
    from tests.support.servers.meilisearch import NoServer, server

    with ExitStack() as stack:
        try:
            place = stack.enter_context(server())
        except NoServer as reason:
            pytest.skip(str(reason))
        yield place
