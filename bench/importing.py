"""Metadata import: figures without images, in batches of 500 (what the door takes at once), to 100,000 figures.

Goal: at least 5,000 figures a second, flat. The peer inserts the same bytes (each figure's document and event) into
bare SQLite with the same settings, in batches of the same size.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import apsw

from bench import measure
from bench.measure import Measurement, Report
from bench.server import Server
from mitagger.client import AsyncClient
from services.ingest.events import uploaded
from services.ingest.figures import Figures
from services.ingest.model import MODELS, Figure
from services.ingest.submission import submitted
from shared.access import DEFAULT_PROJECT
from shared.engine import opened
from shared.settings import Settings
from shared.workers import Workers

BATCH: Final = 500
STEP: Final = 10_000
FIGURES: Final = 100_000
THROUGH_THE_DOOR: Final = 20_000
GOAL: Final = 5_000.0
PEER: Final = "bare SQLite inserts"


def rows(start: int, stop: int) -> list[dict[str, Any]]:
    """As a sender would send them: five figures an article, legends of 900 characters."""
    return [
        {
            "row": number + 1,
            "doi": f"10.1234/bench.{number // 5}",
            "title": f"Article {number // 5} on the retina",
            "journal": "Journal of Measurements",
            "year": 2020,
            "label": f"Figure {number % 5 + 1}",
            "external_id": f"pmc-{number}",
            "language": "en",
            "legend": f"Legend {number}. "
            + "Sections of the retina were stained and imaged at two magnifications. " * 12,
        }
        for number in range(start, stop)
    ]


async def add(figures: Figures, values: Sequence[dict[str, Any]]) -> tuple[float, list[Figure]]:
    """Seconds, and the figures as they were stored."""
    stored: list[Figure] = []
    seconds = 0.0
    for start in range(0, len(values), BATCH):
        begin = time.perf_counter()
        checked = [submitted(row, row["row"]) for row in values[start : start + BATCH]]
        outcomes = await figures.add(checked, project=DEFAULT_PROJECT, actor="bench")
        seconds += time.perf_counter() - begin
        stored += [outcome.figure for outcome in outcomes if outcome.created and outcome.figure]
    assert len(stored) == len(values)
    return seconds, stored


class Bare:
    """The peer: a table of documents, a table of events, a transaction a batch."""

    def __init__(self, path: Path) -> None:
        self._connection = apsw.Connection(str(path))
        self._connection.pragma("journal_mode", "wal")
        self._connection.pragma("synchronous", "full")
        self._connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY NOT NULL, body TEXT)")
        self._connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")

    def insert(self, figures: Sequence[Figure]) -> float:
        """Seconds."""
        written = [(one.id, one.model_dump_json(), uploaded(one, revision=1).body()) for one in figures]
        begin = time.perf_counter()
        for start in range(0, len(written), BATCH):
            with self._connection:
                for id, document, event in written[start : start + BATCH]:
                    self._connection.execute("INSERT INTO documents VALUES (?, ?)", (id, document))
                    self._connection.execute("INSERT INTO events (body) VALUES (?)", (event,))
        return time.perf_counter() - begin

    def close(self) -> None:
        self._connection.close()


async def alone(folder: Path, figures: int, step: int) -> tuple[list[float], list[float]]:
    """Figures a second in each step, ours and the peer's. ingest alone: the bus is not started."""
    ours: list[float] = []
    peer: list[float] = []
    bare = Bare(folder / "peer.sqlite")
    async with opened(Settings(data=folder / "data", cache=folder / "cache"), MODELS) as engine:
        service = Figures(engine.documents, engine.blobs, Workers(1), engine.erasures)
        for start in range(0, figures, step):
            seconds, stored = await add(service, rows(start, start + step))
            ours.append(step / seconds)
            peer.append(step / bare.insert(stored))
    bare.close()
    return ours, peer


async def through_the_door(folder: Path, figures: int, step: int) -> list[float]:
    """Figures a second in each step, through HTTP, while all services work on what came in before."""
    rates: list[float] = []
    async with Server(folder) as server, AsyncClient(server.url, key=server.key) as client:
        job = await client.start_import("bench", figures)
        for first in range(0, figures, step):
            values = rows(first, first + step)
            begin = time.perf_counter()
            for start in range(0, step, BATCH):
                results = await client.import_rows(job.id, values[start : start + BATCH])
                assert all(result.status == "created" for result in results)
            rates.append(step / (time.perf_counter() - begin))
    return rates


async def bench(quick: bool) -> Report:
    figures, step, by_door = (2 * BATCH, BATCH, BATCH) if quick else (FIGURES, STEP, THROUGH_THE_DOOR)
    with tempfile.TemporaryDirectory() as folder:
        ours, peer = await alone(Path(folder), figures, step)
        door = await through_the_door(Path(folder, "door"), by_door, min(step, by_door))
    steps = [
        Measurement(f"figures {place * step:,} to {(place + 1) * step:,}", "figures/s", [our], PEER, [peers])
        for place, (our, peers) in enumerate(zip(ours, peer, strict=True))
    ]
    return Report(
        title="Metadata import",
        how=f"Rows without images, {BATCH} at a time, checked, stored with their events and durable, as"
        f" `POST /api/v1/imports/ID/rows` does it, one batch after the other. In steps of {step:,} figures, ours and"
        " the peer in turn, with ingest alone (no consumer runs). Then through HTTP with all services at work on"
        " what came before.",
        measurements=[
            Measurement("ingest alone, median of the steps", "figures/s", ours, PEER, peer, least=GOAL),
            Measurement("flat: last step / first step", "", [ours[-1] / ours[0]], PEER, [peer[-1] / peer[0]]),
            *steps,
            Measurement("through HTTP, all services running", "figures/s", door),
        ],
        limits="Two thirds of the time is Python on one core: checking a row, making its document and its event."
        " The rest is SQLite, with an index entry for each way figures are looked up, which the peer does not have."
        " With all services running, five consumers share the core and the writer with the import.",
    )


if __name__ == "__main__":
    measure.main(bench)
