"""Meilisearch: how we talk to it, and what its errors and tasks mean to us.

The official client is not used: its calls block, open a connection each, and share one dictionary of headers that they
change per call, so that two threads may send each other's content type (docs/decisions/0011-meilisearch.md).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple, Self
from urllib.parse import urlsplit

import httpx

from shared.errors import Invalid, Unavailable

DEPENDENCY: Final = "search"
PREFIX: Final = "mitagger"  # where the URL names none
CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
TASK_SECONDS: Final = 300.0  # until work that was accepted must be done: settings index everything again
POLL_SECONDS: Final = (0.005, 0.1)  # from, to

_PREFIX_CHARACTERS: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_REMEDY: Final = "Write http://host:7700/prefix, the prefix of letters, digits, - and _."


class Address(NamedTuple):
    """A server, and what the names of our indexes begin with there."""

    url: str
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Of `http://host:7700/prefix`. Raises Invalid; the URL is not repeated, for it may hold a password."""
        parts = urlsplit(url)
        path, _, prefix = parts.path.rstrip("/").rpartition("/")
        prefix = prefix or PREFIX
        if parts.scheme not in ("http", "https") or not parts.hostname or not _PREFIX_CHARACTERS.issuperset(prefix):
            raise Invalid("MITAGGER_SEARCH is not an address of Meilisearch.", field="search", remedy=_REMEDY)
        return cls(f"{parts.scheme}://{parts.netloc}{path}", prefix)


class Missing(Unavailable):
    """There is no such index."""

    def __init__(self) -> None:
        super().__init__(DEPENDENCY, "Meilisearch has lost our index.", remedy="mitagger indexes apply; search rebuild")


class Server:
    """A Meilisearch server. Every method raises Unavailable when it does not answer or refuses the key."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ask(self, method: str, path: str, body: Any = None, *, lines: bytes | None = None) -> dict[str, Any]:
        """The answer to a request whose body is JSON, or NDJSON (`lines`). Raises Missing where there is no such
        index; Invalid with the server's code when it refuses the request."""
        sent: dict[str, Any] = {} if body is None else {"json": body}
        if lines is not None:
            sent = {"content": lines, "headers": {"Content-Type": "application/x-ndjson"}}
        try:
            answer = await self._http.request(method, path, **sent)
            said = answer.json()
        except (httpx.TransportError, ValueError) as error:
            raise Unavailable(DEPENDENCY, f"Meilisearch does not answer ({type(error).__name__}).") from error
        if answer.is_success and isinstance(said, dict):
            return said
        code = str(said.get("code", "")) if isinstance(said, dict) else ""
        if answer.status_code in (401, 403):
            remedy = "Give MITAGGER_SEARCH_KEY or MITAGGER_SEARCH_KEY_FILE the server's master key or an admin's."
            raise Unavailable(DEPENDENCY, "Meilisearch refuses this key.", remedy=remedy)
        raise _error(code, answer.status_code)

    async def begun(self, method: str, path: str, body: Any = None, *, lines: bytes | None = None) -> int:
        """The number of the task that a request enqueues. Tasks that name an index are done in this order."""
        return int((await self.ask(method, path, body, lines=lines))["taskUid"])

    async def done(self, task: int) -> None:
        """Waits until it is. Raises Missing, Invalid, Unavailable as `ask` does, also when it takes too long: then it
        may still be done later."""
        pause, longest = POLL_SECONDS
        try:
            async with asyncio.timeout(TASK_SECONDS):
                while (said := await self.ask("GET", f"/tasks/{task}"))["status"] in ("enqueued", "processing"):
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, longest)
        except TimeoutError:
            message = f"Meilisearch has not done a task within {TASK_SECONDS:.0f} s."
            raise Unavailable(
                DEPENDENCY, message, remedy="Look at its load, its disk and its queue (/tasks)."
            ) from None
        if said["status"] != "succeeded":
            problem: Mapping[str, Any] = said.get("error") or {}
            system = problem.get("type") in ("system", "internal") or said["status"] == "canceled"
            raise _error(str(problem.get("code", said["status"])), 500 if system else 400)

    async def do(self, method: str, path: str, body: Any = None, *, lines: bytes | None = None) -> None:
        await self.done(await self.begun(method, path, body, lines=lines))


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Server]:
    """Connects with the first request. `key`: empty for a server without one."""
    limits = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    # Compressed answers come in pieces, of which the last waits 40 ms for an acknowledgement (Nagle's algorithm).
    headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {key}"} if key else {})
    async with httpx.AsyncClient(base_url=url, timeout=limits, headers=headers, trust_env=False) as http:
        yield Server(http)


def _error(code: str, status: int) -> Exception:
    """The message says what the server's code is, and nothing of what was sent."""
    if code == "index_not_found":
        return Missing()
    if status in (408, 429) or status >= 500:
        return Unavailable(DEPENDENCY, f"Meilisearch cannot do this now ({code or status}).")
    return Invalid(f"Meilisearch refuses this ({code or status}).")
