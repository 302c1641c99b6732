"""The measures of a project with a million approved figures: the service's HTTP door over the embedded engine on disk.

A year of 20 people: the sums of 365 days and their months, each with what every person approved on six axes and in five
bands of score. Goal: p95 <= 100 ms. How long the sums of a day take to be made anew is measured beside it, for they are
made in the background while people work.

The peer, in alternating rounds of the same run: one connection to a SQLite file that reads the same bytes.
"""

import asyncio
import random
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx

from bench import measure
from bench.measure import Measurement, Report, alternated, percentile
from services.annotation.counting import cells_of, people_of, states_by_person
from services.annotation.measured import BANDS, Count, DayTotals, Measured, MonthTotals, ProjectTotals
from services.annotation.model import MODELS
from services.annotation.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.engine import opened
from shared.events.recommendation import Axis
from shared.process import loaded
from shared.settings import Settings

FIGURES: Final = 1_000_000
QUICK: Final = 200
PEOPLE: Final = 20
DAYS: Final = 365
REQUESTS: Final = 40  # of a round
ROUNDS: Final = 5
GOAL_MS: Final = 100.0
PEER: Final = "SQLite: the same bytes"
AXES: Final[tuple[Axis, ...]] = ("anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical")


def rows_of(day: str, count: int, draw: random.Random) -> list[Measured]:
    """What was approved on a day."""
    rows = []
    for number in range(count):
        axes = {
            axis: Count(shown=draw.randrange(8), accepted=draw.randrange(4), added=draw.randrange(2)) for axis in AXES
        }
        rows.append(
            Measured(
                id=f"{day}-{number}",
                project=DEFAULT_PROJECT,
                figure=f"{day}-{number}",
                annotator=f"annotator-{number % PEOPLE:02}",
                state="approved",
                hidden=draw.random() < 0.05,
                seen=9,
                day=day,
                axes=axes,
                bands=tuple(Count(shown=draw.randrange(9), accepted=draw.randrange(5)) for _ in range(BANDS)),
                tags=draw.randrange(12),
                seconds=draw.random() * 90,
            )
        )
    return rows


def read(path: Path, requests: int) -> list[float]:
    """The peer: milliseconds of each request."""
    connection = sqlite3.connect(path)
    milliseconds = []
    for _ in range(requests):
        start = time.perf_counter()
        connection.execute("SELECT body FROM days ORDER BY day").fetchall()
        milliseconds.append((time.perf_counter() - start) * 1000)
    connection.close()
    return milliseconds


async def bench(quick: bool) -> Report:
    rounds, figures = (1, QUICK) if quick else (ROUNDS, FIGURES)
    today, draw = datetime.now(UTC).date(), random.Random(7)
    days = [(today - timedelta(days=back)).isoformat() for back in range(DAYS)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with opened(Settings(data=folder / "data", cache=folder / "cache"), MODELS) as engine:
            service = build(engine)
            assert service.app is not None
            totals, bodies, summing = engine.documents.collection(DayTotals), [], []
            made_of: dict[str, list[DayTotals]] = defaultdict(list)
            for day in days:
                rows = rows_of(day, max(1, figures // DAYS), draw)
                start = time.perf_counter()
                cells = cells_of(rows)
                summing.append((time.perf_counter() - start) * 1000)
                made = DayTotals(id=f"{DEFAULT_PROJECT}.{day}", project=DEFAULT_PROJECT, day=day, cells=cells)
                await totals.insert(made)
                made_of[day[:7]].append(made)
            for month, of in made_of.items():
                cells = people_of(cell for day in of for cell in day.cells)
                states = {day.day: states_by_person(day.cells) for day in of}
                whole = MonthTotals(
                    id=f"{DEFAULT_PROJECT}.{month}", project=DEFAULT_PROJECT, month=month, cells=cells, states=states
                )
                await engine.documents.collection(MonthTotals).insert(whole)
                bodies.append((month, whole.model_dump_json()))
            await engine.documents.collection(ProjectTotals).insert(
                ProjectTotals(id=DEFAULT_PROJECT, states={"approved": figures, "open": 1000})
            )
            with sqlite3.connect(folder / "peer.sqlite") as connection:
                connection.execute("CREATE TABLE days (day TEXT PRIMARY KEY, body TEXT)")
                connection.executemany("INSERT INTO days VALUES (?, ?)", bodies)
            loaded()
            manager = Caller("manager", {DEFAULT_PROJECT: frozenset({"manager"})})
            transport = httpx.ASGITransport(app=service.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://annotation") as client:

                async def ours() -> list[float]:
                    milliseconds = []
                    for _ in range(REQUESTS):
                        token = engine.signer.token(manager, "annotation")  # good for a minute
                        start = time.perf_counter()
                        answer = await client.get(
                            f"/api/v1/projects/{DEFAULT_PROJECT}/measures",
                            headers={"Authorization": f"Bearer {token}"},
                        )
                        milliseconds.append((time.perf_counter() - start) * 1000)
                        assert answer.status_code == 200, answer.text
                    return milliseconds

                async def peer() -> list[float]:
                    return await asyncio.to_thread(read, folder / "peer.sqlite", REQUESTS)

                found = await alternated(rounds, {"ours": ours, PEER: peer})

    def line(what: str, value: Callable[[list[float]], float], goal: float | None = None) -> Measurement:
        return Measurement(what, "ms", [*map(value, found["ours"])], PEER, [*map(value, found[PEER])], most=goal)

    size = sum(len(body) for _, body in bodies) / 1e6
    return Report(
        title="The dashboard",
        how=f"`GET /api/v1/projects/…/measures` of a year: {figures:,} approved figures of {PEOPLE} people in the sums"
        f" of {DAYS} days and their months ({size:.1f} MB), {rounds} rounds of {REQUESTS} requests, the same each time;"
        " nothing is cached. The service's door is called as an ASGI application. The peer reads the same bytes, of all"
        " months, from SQLite.",
        measurements=[
            line("measures, p50", lambda each: percentile(each, 50)),
            line("measures, p95", lambda each: percentile(each, 95), GOAL_MS),
        ],
        limits="Reading a document a month, of months that are cut one a day, and adding them up in Python. A day's"
        f" sums are made anew from its rows in {percentile(summing, 50):.0f} ms ({figures // DAYS:,} rows, not read"
        " anew).",
    )


if __name__ == "__main__":
    measure.main(bench)
