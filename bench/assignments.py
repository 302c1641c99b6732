"""Handing out 100,000 figures by a plan: the service's HTTP door over the embedded engine on disk.

A plan gives figures that nobody has evenly to 20 annotators, paper by paper, a tenth of them to two people; sent again
with the answer's cursor until there is none, as clients do. Every figure is read, the load of everybody counted; every
assignment is durable with its event (WAL, synchronous=FULL) when the answer arrives. Each round begins with a copy of
the same store, in which nobody has anything. Goal: 100,000 figures <= 20 s.

The peer, in alternating rounds of the same run: one connection to a new SQLite file of the same settings that commits
the same bytes (the assignments' documents and their events) in as large transactions. It has no index but the key.
"""

import asyncio
import gc
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from bench import measure
from bench.decisions import post
from bench.measure import Measurement, Report, alternated
from bench.next_figure import figure
from services.annotation import telling
from services.annotation.model import MODELS, Assignment, Figure
from services.annotation.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.documents.pages import every
from shared.engine import Engine, opened
from shared.settings import Settings

FIGURES: Final = 100_000
QUICK: Final = 200
PEOPLE: Final = 20
ROUNDS: Final = 5
GOAL_SECONDS: Final = 20.0
AT_ONCE: Final = 5_000
TRANSACTION: Final = 500  # assignments that are inserted at once
PEER: Final = "SQLite: the same bytes"
ORDER: Final[dict[str, Any]] = {
    "all_unassigned": True,
    "team": [{"annotator": f"annotator-{number:02}", "reviewer": "reviewer"} for number in range(PEOPLE)],
    "together": "article",
    "overlap_share": 0.1,
    "apply": True,
}


@dataclass(frozen=True, slots=True)
class Round:
    """How long it took, and how many assignments that were."""

    seconds: float
    assignments: int


def settings(folder: Path) -> Settings:
    return Settings(data=folder / "data", cache=folder / "cache")


async def fill(folder: Path, count: int) -> None:
    """A store of figures that nobody has."""
    async with opened(settings(folder), MODELS) as engine:
        figures = engine.documents.collection(Figure)
        for start in range(0, count, AT_ONCE):
            await figures.insert_many([figure(number) for number in range(start, min(count, start + AT_ONCE))])


async def hand_out(engine: Engine) -> tuple[int, float]:
    """Sends the plan until all is handed out. Returns how many figures it gave, and how many seconds it took."""
    app = build(engine).app
    assert app is not None
    administrator = Caller("root", {DEFAULT_PROJECT: frozenset({"administrator"})})
    given, order, start = 0, ORDER, time.perf_counter()
    while True:
        # A token lives shorter than a slow machine may take for all.
        token = engine.signer.token(administrator, "annotation")
        part = json.loads(await post(app, "/api/v1/assignments/plan", token, order))
        given += part["figures"]
        if part["next"] is None:
            return given, time.perf_counter() - start
        order = {**ORDER, "cursor": part["next"]}


def commit(path: Path, writes: Sequence[tuple[str, str, bytes]]) -> float:
    """The peer: seconds for (id, document, event) of all assignments."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY NOT NULL, body TEXT)")
    connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
    start = time.perf_counter()
    for begin in range(0, len(writes), TRANSACTION):
        some = writes[begin : begin + TRANSACTION]
        with connection:
            connection.executemany("INSERT INTO documents VALUES (?, ?)", ((id, body) for id, body, _ in some))
            connection.executemany("INSERT INTO events (body) VALUES (?)", ((event,) for _, _, event in some))
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


async def bench(quick: bool) -> Report:
    rounds, count = (1, QUICK) if quick else (ROUNDS, FIGURES)
    with tempfile.TemporaryDirectory() as temporary:
        folder, writes = Path(temporary), list[tuple[str, str, bytes]]()
        await fill(folder / "empty", count)

        async def ours() -> Round:
            here = folder / "round"
            await asyncio.to_thread(shutil.copytree, folder / "empty", here)
            async with opened(settings(here), MODELS) as engine:
                gc.collect()
                given, seconds = await hand_out(engine)
                assert given == count
                made = every(engine.documents.collection(Assignment), limit=AT_ONCE)
                writes[:] = [(one.id, one.model_dump_json(), telling.changed(one).body()) async for one in made]
            await asyncio.to_thread(shutil.rmtree, here)
            return Round(seconds, len(writes))

        async def peer() -> Round:
            path = folder / "peer"
            path.mkdir()
            seconds = await asyncio.to_thread(commit, path / "peer.sqlite", writes)
            await asyncio.to_thread(shutil.rmtree, path)
            return Round(seconds, len(writes))

        found = await alternated(rounds, {"ours": ours, PEER: peer})

    return Report(
        title="Handing out a collection",
        how=f"`POST /api/v1/assignments/plan` until all of {count:,} figures are handed out: evenly to {PEOPLE} people,"
        f" paper by paper, a tenth to two; {found['ours'][0].assignments:,} assignments, {rounds} rounds, each in a"
        " store in which nobody has anything. An assignment is durable, with its event, when its answer arrives. The"
        " service's door is called as an ASGI application; nothing else follows the events meanwhile. The peer commits"
        f" the same bytes to a new SQLite file with the same settings, {TRANSACTION} at a time.",
        measurements=[
            Measurement(
                f"{count:,} figures handed out",
                "s",
                [one.seconds for one in found["ours"]],
                PEER,
                [one.seconds for one in found[PEER]],
                most=GOAL_SECONDS,
            ),
            Measurement(
                "assignments a second",
                "/s",
                [one.assignments / one.seconds for one in found["ours"]],
                PEER,
                [one.assignments / one.seconds for one in found[PEER]],
            ),
        ],
        limits="Half of the time and more the door waits for its store's thread, which writes each assignment and puts"
        " it into its indexes: the unique one of figure and annotator, and those that lists, queues and measures read."
        " The peer has none of them. The rest is Python making documents and events, one page of 500 after the other.",
    )


if __name__ == "__main__":
    measure.main(bench)
