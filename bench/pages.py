"""A page of the list of figures, and of search, at 100,000 figures, through the real server on loopback.

Goal: p95 <= 25 ms. The peer is an empty FastAPI route on uvicorn in a process of its own. One client asks, one request
after the other; every request asks for another page.
"""

import asyncio
import http.client
import itertools
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from bench import measure
from bench.measure import Measurement, Report, alternated, percentile
from bench.server import Server
from mitagger.serve import MODELS
from services.ingest.model import Figure
from shared.access import DEFAULT_PROJECT
from shared.clock import new_id
from shared.engine import Engine, opened
from shared.events.image import Article, Picture, Rendition
from shared.search.port import FigureEntry, TagEntry
from shared.settings import Settings
from tests.support.ports import reserved

FIGURES: Final = 100_000
ROUNDS: Final = 5
REQUESTS: Final = 100  # a round and way
GOAL: Final = 25.0
PEER: Final = "empty route"
PARTS: Final = ("retina", "femur", "hippocampus", "liver", "kidney", "cortex", "aorta", "spleen", "cornea", "pancreas")
FINDINGS: Final = ("fibrosis", "glioma", "oedema", "stenosis", "necrosis", "carcinoma", "infarct")


def figure(number: int) -> Figure:
    """With a picture, so that its page carries signed addresses."""
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    file = f"{number:064x}"
    rendition = Rendition(blob=file, media_type="image/jpeg", width=1024, height=1024, bytes=200_000)
    return Figure(
        id=new_id(),
        project=DEFAULT_PROJECT,
        key=f"bench|{number}",
        article=Article(id=f"article-{number // 5}", doi=f"10.1234/bench.{number // 5}", title="Bench", year=2020),
        label=f"Figure {number % 5 + 1}",
        legend=f"{PARTS[number % 10].title()} with {FINDINGS[number % 7]} in patient {number:06}. "
        + "Sections were stained and imaged at two magnifications. " * 14,
        language="en",
        picture=Picture(
            file="a.png", sha256=file, format="png", width=1024, height=1024, display=rendition, thumbnail=rendition
        ),
        actor="bench",
        created_at=at,
        updated_at=at,
    )


async def fill(engine: Engine, count: int) -> None:
    """Figures and their search entries, every third one tagged; without events, so that nobody works on them."""
    await engine.search.prepare()
    collection = engine.documents.collection(Figure)
    for start in range(0, count, 1000):
        figures = [figure(number) for number in range(start, min(start + 1000, count))]
        await collection.insert_many(figures)
        await engine.search.put([entry(one, start + place) for place, one in enumerate(figures)])


def entry(figure: Figure, number: int) -> FigureEntry:
    part = TagEntry(axis="anatomy", label=PARTS[number % 10], curie=f"UBERON:{number % 10:07}")
    return FigureEntry(
        id=figure.id,
        version=1,
        project=figure.project,
        article=figure.article.id,
        doi=figure.article.doi,
        collection=None,
        title=figure.article.title,
        label=figure.label,
        legend=figure.legend,
        status="approved" if number % 3 == 0 else "new",
        language="en",
        tags=(part,) if number % 3 == 0 else (),
        provisional=(),
    )


class Browser:
    """Keeps a connection open, as browsers do; closed, the next request opens another."""

    def __init__(self, url: str, key: str = "") -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def get(self, path: str) -> tuple[float, Any]:
        """Milliseconds until the whole answer is there, and the answer."""
        start = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        response = self._connection.getresponse()
        content = response.read()
        milliseconds = (time.perf_counter() - start) * 1000
        assert response.status == 200, content
        return milliseconds, json.loads(content)

    def close(self) -> None:
        self._connection.close()


@asynccontextmanager
async def empty_route() -> AsyncIterator[str]:
    """The peer's address."""
    (port,) = reserved(1)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "bench.empty:app", "--port", str(port), "--log-level", "error"),
        *("--no-access-log",),
    )
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


class Asking:
    """The requests of a round; each goes on where the last one was."""

    def __init__(self, ours: Browser, peer: Browser, *, requests: int) -> None:
        self._ours = ours
        self._peer = peer
        self._requests = requests
        self._cursor: str | None = None

    async def figures(self) -> list[float]:
        return await self._round(self._ours, self._next_page)

    async def search(self, queries: Iterator[str]) -> list[float]:
        return await self._round(self._ours, lambda: self._ours.get(f"/api/v1/search?{next(queries)}")[0])

    async def nothing(self) -> list[float]:
        return await self._round(self._peer, lambda: self._peer.get("/")[0])

    async def _round(self, browser: Browser, ask: Callable[[], float]) -> list[float]:
        """On a connection of its own: servers close what is idle while others are asked."""
        with closing(browser):
            return await asyncio.to_thread(lambda: [ask() for _ in range(self._requests)])

    def _next_page(self) -> float:
        cursor = f"&cursor={quote(self._cursor)}" if self._cursor else ""
        milliseconds, page = self._ours.get(f"/api/v1/figures?limit=50{cursor}")
        assert page["items"]
        self._cursor = page["next"]
        return milliseconds


def searches(figures: int) -> dict[str, Iterator[str]]:
    """Queries that all differ, by what they ask for."""
    return {
        "search, two words (every 70th figure)": (
            f"q={PARTS[n % 10]}+{FINDINGS[n % 7]}&offset={n % 50}" for n in itertools.count()
        ),
        "search, a word (every 7th) and a tag (every 30th)": (
            f"q={FINDINGS[n % 7]}&tag={PARTS[n % 10]}&offset={n % 50}" for n in itertools.count()
        ),
        "search, a word of one figure": (f"q={n * 7919 % figures:06}" for n in itertools.count()),
    }


async def bench(quick: bool) -> Report:
    count, rounds, requests = (500, 1, 5) if quick else (FIGURES, ROUNDS, REQUESTS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with opened(Settings(data=folder / "data", cache=folder / "cache"), MODELS) as engine:
            await fill(engine, count)
        async with Server(folder) as server, empty_route() as url:
            asking = Asking(Browser(server.url, server.key), Browser(url), requests=requests)
            by_kind = {kind: partial(asking.search, queries) for kind, queries in searches(count).items()}
            ways: dict[str, Callable[[], Awaitable[list[float]]]]
            ways = {"figures": asking.figures, **by_kind, PEER: asking.nothing}
            found = await alternated(rounds, ways)

    def line(name: str, percent: int, goal: float | None = None) -> Measurement:
        mine, theirs = ([percentile(one, percent) for one in found[way]] for way in (name, PEER))
        return Measurement(f"{name}, p{percent}", "ms", mine, PEER, theirs, most=goal)

    return Report(
        title="List page and search page",
        how=f"`GET /api/v1/figures?limit=50` by cursor and `GET /api/v1/search` (20 hits, with facets) at {count:,}"
        f" figures with pictures, over HTTP on loopback: one client, {requests} different pages of each kind a round,"
        f" {rounds} rounds in turn with the peer.",
        measurements=[measured for name in ways if name != PEER for measured in (line(name, 50), line(name, 95, GOAL))],
        limits="A page of 50 figures carries 100 signed addresses and 50 legends: signing, validating and writing them"
        " as JSON is most of its time, reading them from the index a millisecond. A search counts, ranks and gathers"
        " facets over all figures found, in three queries that each look up every one of them in the table that also"
        " holds the legends: its time grows with how many are found.",
    )


if __name__ == "__main__":
    measure.main(bench)
