"""What suites share."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import hypothesis
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from services.gateway import passwords

if TYPE_CHECKING:
    from tests.support.servers.meilisearch import Place

# How long an example takes is no test's business (bench/ measures), and differs with whatever else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """A fifth of the time of a run was looking for garbage among modules and tests, which stay, and routes, which go by
    the thousand with each installation that a test builds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def slow_hasher() -> Iterator[PasswordHash]:
    """Passwords cost nothing to check: as people's do, each account made and each signing in would take a core a tenth
    of a second. Yields what they cost in earnest."""
    in_earnest = passwords.HASHER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)]))
        yield in_earnest


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
