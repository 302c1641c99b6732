"""Servers that suites share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def mongodb() -> Iterator[str]:
    """The URL of a server that speaks MongoDB's protocol, one for the whole run."""
    from tests.support.servers import mongo  # only where it is asked for: its driver is an extra

    with mongo.server() as url:
        yield url
