"""A Meilisearch server for all tests of a run; an index prefix each.

No package carries the server, so there are two ways: the one that MITAGGER_TEST_MEILISEARCH names (http://host:7700,
its key in MITAGGER_TEST_MEILISEARCH_KEY), or a container, where Docker answers and testcontainers is installed.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, NamedTuple

from shared.clock import new_id
from shared.meilisearch import connected
from shared.search.meilisearch import MeilisearchSearch

ADDRESS: Final = "MITAGGER_TEST_MEILISEARCH"
KEY: Final = f"{ADDRESS}_KEY"
IMAGE: Final = "getmeili/meilisearch:v1.50"
PORT: Final = 7700


class NoServer(Exception):
    """None of the ways leads to a server here; says why."""


class Place(NamedTuple):
    """Where the server is, and its key."""

    url: str
    key: str


@contextmanager
def server() -> Iterator[Place]:
    """A server, which ends with the context if it was started for it. Raises NoServer."""
    if ADDRESS in os.environ:
        yield Place(os.environ[ADDRESS].rstrip("/"), os.environ.get(KEY, ""))
        return
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True, check=False).returncode:
        raise NoServer(f"No Meilisearch: {ADDRESS} is not set, Docker does not answer.")
    try:
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.waiting_utils import wait_for_logs
    except ImportError as error:
        raise NoServer(f"No Meilisearch: {ADDRESS} is not set, testcontainers is not installed.") from error
    key = secrets.token_hex(16)
    container = DockerContainer(IMAGE).with_exposed_ports(PORT).with_env("MEILI_MASTER_KEY", key)
    with container.with_env("MEILI_NO_ANALYTICS", "true") as running:
        wait_for_logs(running, "starting service")
        yield Place(f"http://{running.get_container_host_ip()}:{running.get_exposed_port(PORT)}", key)


def settings() -> dict[str, str]:
    """For a process that is to use the server which the environment names, with an index of its own; {} without one."""
    if ADDRESS not in os.environ:
        return {}
    url = f"{os.environ[ADDRESS].rstrip('/')}/test-{new_id()}"
    return {"MITAGGER_SEARCH": url, "MITAGGER_SEARCH_KEY": os.environ.get(KEY, "")}


@asynccontextmanager
async def index(place: Place) -> AsyncIterator[MeilisearchSearch]:
    """An index of its own there, prepared; dropped at the end."""
    async with connected(place.url, place.key) as there:
        mine = MeilisearchSearch(there, prefix=f"test-{new_id()}")
        await mine.prepare()
        try:
            yield mine
        finally:
            for name in (mine.serving, mine.next):
                await there.begun("DELETE", f"/indexes/{name}")
