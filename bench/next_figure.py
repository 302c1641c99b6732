"""The next figure of a pool, at a million figures: the service's HTTP door over the embedded engine on disk.

Members pull one figure after the other; between two pulls each hands over what it has, which is not measured. A pull
looks for what was returned or begun, takes the first place of the pool's index, makes the assignment, closes the claim,
and answers with the whole figure: two durable updates and a durable insert. Goal: p95 <= 30 ms.

The peer, in alternating rounds of the same run: one connection to a SQLite file with as many places and the same index,
that takes the first one, and commits the same bytes in as many transactions.
"""

import asyncio
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import apsw

from bench import measure
from bench.decisions import post
from bench.measure import Measurement, Report, alternated, percentile
from services.annotation.assigning import drawn
from services.annotation.model import MODELS, Assignment, Figure, Waiting
from services.annotation.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.documents.port import Documents
from shared.engine import opened
from shared.events.image import Article
from shared.process import loaded
from shared.settings import Settings

FIGURES: Final = 1_000_000
QUICK: Final = 200
MEMBERS: Final = 20
PULLS: Final = 10  # of a member and round
ROUNDS: Final = 5
GOAL_MS: Final = 30.0
AT_ONCE: Final = 5_000
PEER: Final = "SQLite: first of the index, the same commits"


def figure(number: int) -> Figure:
    return Figure(
        id=f"figure-{number:07}",
        project=DEFAULT_PROJECT,
        revision=1,
        article=Article(id=f"article-{number // 4:06}", doi=f"10.1234/bench.{number // 4}"),
        label=f"Figure {number % 4 + 1}",
        legend=f"Legend {number}. " + "Sections of the retina were stained and imaged at two magnifications. " * 4,
        legend_kind="legend",
        language="en",
        picture=None,
        external_id=None,
    )


def place(of: Figure) -> Waiting:
    return Waiting(
        id=of.id,
        project=of.project,
        article=of.article.id,
        priority=int(drawn("priority", of.id) * 3),
        uncertainty=drawn("uncertainty", of.id),
        wanted=1,
        hidden=False,
    )


async def fill(documents: Documents, count: int) -> None:
    """A pool."""
    figures, waiting = documents.collection(Figure), documents.collection(Waiting)
    for start in range(0, count, AT_ONCE):
        some = [figure(number) for number in range(start, min(count, start + AT_ONCE))]
        await figures.insert_many(some)
        await waiting.insert_many([place(one) for one in some])


def fill_peer(path: Path, count: int) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode=wal")
        connection.execute("CREATE TABLE waiting (id TEXT PRIMARY KEY, open INT, priority INT, unsure REAL, body TEXT)")
        connection.execute("CREATE TABLE assignments (id TEXT PRIMARY KEY, body TEXT)")
        places = (place(figure(number)) for number in range(count))
        rows = ((one.id, 1, one.priority, one.uncertainty, one.model_dump_json()) for one in places)
        connection.executemany("INSERT INTO waiting VALUES (?, ?, ?, ?, ?)", rows)
        connection.execute("CREATE INDEX next ON waiting (open, priority DESC, unsure DESC)")


def take(path: Path, bodies: list[str]) -> list[float]:
    """The peer: milliseconds of each pull."""
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "full")
    milliseconds = []
    for number, body in enumerate(bodies):
        start = time.perf_counter()
        first = "SELECT id, body FROM waiting WHERE open = 1 ORDER BY priority DESC, unsure DESC LIMIT 1"
        ((id, waiting),) = connection.execute(first)
        connection.execute("UPDATE waiting SET open = 0, body = ? WHERE id = ?", (waiting, id))
        connection.execute("INSERT INTO assignments VALUES (?, ?)", (f"{id}-{number}", body))
        connection.execute("UPDATE waiting SET body = ? WHERE id = ?", (waiting, id))
        milliseconds.append((time.perf_counter() - start) * 1000)
    connection.close()
    return milliseconds


async def bench(quick: bool) -> Report:
    rounds, count = (1, QUICK) if quick else (ROUNDS, FIGURES)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with opened(Settings(data=folder / "data", cache=folder / "cache"), MODELS) as engine:
            service = build(engine)
            assert service.app is not None
            app, assignments = service.app, engine.documents.collection(Assignment)
            began = datetime.now(UTC)
            await fill(engine.documents, count)
            await asyncio.to_thread(fill_peer, folder / "peer.sqlite", count)
            filled = (datetime.now(UTC) - began).total_seconds()
            loaded()
            bodies: list[str] = []

            async def pull(person: str, milliseconds: list[float]) -> None:
                member = Caller(
                    person,
                    {DEFAULT_PROJECT: frozenset({"annotator"})},
                    reviewers={DEFAULT_PROJECT: "reviewer"},
                )
                token = engine.signer.token(member, "annotation")
                for _ in range(PULLS):
                    start = time.perf_counter()
                    sheet = json.loads(await post(app, "/api/v1/assignments/next", token, {}))
                    milliseconds.append((time.perf_counter() - start) * 1000)
                    bodies.append((await assignments.get(sheet["id"])).model_dump_json())
                    await post(app, f"/api/v1/assignments/{sheet['id']}/submit", token, {"no_tag_applies": True})

            async def ours() -> list[float]:
                milliseconds: list[float] = []
                bodies.clear()
                for member in range(MEMBERS):
                    await pull(f"annotator-{member}", milliseconds)
                return milliseconds

            async def peer() -> list[float]:
                return await asyncio.to_thread(take, folder / "peer.sqlite", bodies)

            found = await alternated(rounds, {"ours": ours, PEER: peer})

    def line(what: str, value: Callable[[list[float]], float], goal: float | None = None) -> Measurement:
        return Measurement(what, "ms", [*map(value, found["ours"])], PEER, [*map(value, found[PEER])], most=goal)

    return Report(
        title="The next figure",
        how=f"`POST /api/v1/assignments/next` with {count:,} figures in the pool (filled in {filled:,.0f} s, the peer's"
        f" too), {MEMBERS} members in turn, {rounds} rounds of {MEMBERS * PULLS} pulls. Each is durable when its"
        " answer, the whole figure, arrives. The service's door is called as an ASGI application. The peer takes the"
        " first place of the same index in SQLite and commits the same bytes in three transactions.",
        measurements=[
            line("next figure, p50", lambda each: percentile(each, 50)),
            line("next figure, p95", lambda each: percentile(each, 95), GOAL_MS),
        ],
        limits="Eight reads (what was returned, what is begun, the project, leases, open claims, the pool, the figure,"
        " its recommendations) and three commits, one after the other, each checked and made a document. None of it"
        " grows with the pool.",
    )


if __name__ == "__main__":
    measure.main(bench)
