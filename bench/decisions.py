"""Saving a decision while 20 annotators decide at once: the service's HTTP door over the embedded engine on disk.

Every writer accepts the recommendations of its own figures, one after the other, as fast as the answers come: no pause
to think, so the door is saturated. The door is called as an ASGI application: no client's work is in the numbers. A
decision is durable (WAL, synchronous=FULL) when its answer arrives, and the answer is the whole assignment. Goal: p95
<= 30 ms.

The peer, in alternating rounds of the same run: one connection to a SQLite file of the same settings that commits the
same bytes (the assignment's document and the event) one decision after the other.
"""

import asyncio
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import apsw
from starlette.types import ASGIApp, Message

from bench import measure
from bench.measure import Measurement, Report, alternated, percentile
from services.annotation.consumers import Projections
from services.annotation.model import MODELS, Assignment
from services.annotation.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.engine import Engine, opened
from shared.events.image import Article, ImageUploaded
from shared.events.recommendation import Recommendation, RecommendationsReady, Span
from shared.events.tag import TagAccepted
from shared.process import loaded
from shared.settings import Settings

WRITERS: Final = 20
FIGURES: Final = 3  # a writer and round
CONCEPTS: Final = 12  # a figure: decisions on it
GOAL_MS: Final = 30.0
ROUNDS: Final = 5
PEER: Final = "SQLite commits, one by one"


@dataclass(frozen=True, slots=True)
class Round:
    """Milliseconds of each save, and saves a second."""

    milliseconds: list[float]
    rate: float


async def post(app: ASGIApp, path: str, token: str, body: Mapping[str, Any]) -> bytes:
    """A request to the door. Returns its answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"authorization", f"Bearer {token}".encode())],
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in messages)
    assert messages[0]["status"] in (200, 201), content
    return content


async def prepare(engine: Engine, app: ASGIApp, number: int, each: int) -> dict[str, list[tuple[str, str]]]:
    """`each`: figures of a writer, with recommendations and assignments. Returns (assignment, figure) by writer."""
    projections = Projections(engine.documents)
    administrator = Caller("root", {DEFAULT_PROJECT: frozenset({"administrator"})})
    token = engine.signer.token(administrator, "annotation")
    work: dict[str, list[tuple[str, str]]] = {}
    for writer in range(WRITERS):
        person = f"annotator-{writer}"
        figures = [f"figure-{number}-{writer}-{place}" for place in range(each)]
        await projections.uploaded([figure_event(figure) for figure in figures])
        await projections.recommended([recommendations_event(figure) for figure in figures])
        order = {"figures": figures, "annotator": person, "reviewer": "reviewer"}
        made = json.loads(await post(app, "/api/v1/assignments", token, order))
        work[person] = [(item["id"], item["figure"]) for item in made["items"]]
    return work


async def save(engine: Engine, app: ASGIApp, work: dict[str, list[tuple[str, str]]]) -> Round:
    """All writers at once."""
    milliseconds: list[float] = []

    async def write(person: str, assignments: Sequence[tuple[str, str]]) -> None:
        token = engine.signer.token(Caller(person, {DEFAULT_PROJECT: frozenset({"annotator"})}), "annotation")
        for id, figure in assignments:
            for place in range(CONCEPTS):
                start = time.perf_counter()
                decision = {"kind": "accept", "recommendation": concept(figure, place)}
                await post(app, f"/api/v1/assignments/{id}/decisions", token, decision)
                milliseconds.append((time.perf_counter() - start) * 1000)

    start = time.perf_counter()
    await asyncio.gather(*(write(person, assignments) for person, assignments in work.items()))
    return Round(milliseconds, len(milliseconds) / (time.perf_counter() - start))


async def written(engine: Engine, work: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, bytes]]:
    """(id, document, event) of every decision of the round: the document as it was left, the event as it was sent."""
    ids = [id for assignments in work.values() for id, _ in assignments]
    documents = {one.id: one.model_dump_json() for one in await engine.documents.collection(Assignment).get_many(ids)}
    found, cursor = [], ""
    while (piece := await engine.bus.read((TagAccepted,), after=cursor, limit=1000)).events:
        cursor = piece.cursor
        found += [e for e in piece.events if isinstance(e, TagAccepted) and e.assignment in documents]
    assert len(found) == len(ids) * CONCEPTS
    return [(event.assignment, documents[event.assignment], event.body()) for event in found]


def commit(path: Path, writes: Sequence[tuple[str, str, bytes]]) -> Round:
    """The peer: one commit a decision."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY NOT NULL, body TEXT)")
    connection.execute("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB)")
    milliseconds: list[float] = []
    begin = time.perf_counter()
    for id, document, event in writes:
        start = time.perf_counter()
        with connection:
            connection.execute("INSERT OR REPLACE INTO documents VALUES (?, ?)", (id, document))
            connection.execute("INSERT INTO events (body) VALUES (?)", (event,))
        milliseconds.append((time.perf_counter() - start) * 1000)
    rate = len(writes) / (time.perf_counter() - begin)
    connection.close()
    return Round(milliseconds, rate)


def figure_event(figure: str) -> ImageUploaded:
    return ImageUploaded(
        time=datetime.now(UTC),
        project=DEFAULT_PROJECT,
        actor="root",
        figure=figure,
        revision=1,
        article=Article(id="article", doi="10.1234/bench"),
        label="Figure 1",
        legend=f"Legend of {figure}. " + "Sections of the retina were stained and imaged at two magnifications. " * 12,
    )


def recommendations_event(figure: str) -> RecommendationsReady:
    return RecommendationsReady(
        time=datetime.now(UTC),
        project=DEFAULT_PROJECT,
        actor="recommender",
        figure=figure,
        revision=1,
        state="ready",
        annotator="bench",
        recommendations=[
            Recommendation(
                id=concept(figure, place),
                iri=f"http://purl.obolibrary.org/obo/UBERON_{place:07}",
                curie=concept(figure, place),
                label=f"structure {place} of {figure}",
                ontology="UBERON",
                vocabulary_version="2024-01-18",
                axis="anatomy",
                spans=[Span(start=place * 10, end=place * 10 + 6, text="retina")],
                match="label",
                score=0.9,
            )
            for place in range(CONCEPTS)
        ],
    )


def concept(figure: str, place: int) -> str:
    return f"UBERON:{figure}-{place}"


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    work: dict[str, list[tuple[str, str]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with opened(Settings(data=folder / "data", cache=folder / "cache"), MODELS) as engine:
            service = build(engine)
            assert service.app is not None
            app, numbers = service.app, itertools.count()
            loaded()

            async def ours() -> Round:
                nonlocal work
                work = await prepare(engine, app, next(numbers), 1 if quick else FIGURES)
                return await save(engine, app, work)

            async def peer() -> Round:
                """What ours wrote in the same round."""
                return await asyncio.to_thread(commit, folder / "peer.sqlite", await written(engine, work))

            found = await alternated(rounds, {"ours": ours, PEER: peer})

    def line(what: str, unit: str, value: Callable[[Round], float], goal: float | None = None) -> Measurement:
        return Measurement(what, unit, [*map(value, found["ours"])], PEER, [*map(value, found[PEER])], most=goal)

    return Report(
        title="Saving a decision",
        how=f"{WRITERS} annotators accept recommendations at once, as fast as answers come, {rounds} rounds of"
        f" {len(found['ours'][0].milliseconds)} decisions. Each is durable when its answer, the whole assignment,"
        " arrives. The service's door is called as an ASGI application: no client's work and no gateway is in it. The"
        " peer commits the same bytes (document and event) to SQLite with the same settings, one by one.",
        measurements=[
            line(f"decision, {WRITERS} writers, p50", "ms", lambda each: percentile(each.milliseconds, 50)),
            line(f"decision, {WRITERS} writers, p95", "ms", lambda each: percentile(each.milliseconds, 95), GOAL_MS),
            line(f"decision, {WRITERS} writers, p99", "ms", lambda each: percentile(each.milliseconds, 99)),
            line("decisions a second", "/s", lambda each: each.rate),
        ],
        limits="Python on one core: all writers are served by one event loop, so a save waits for the others' turns"
        " (validating the request, reading and writing an assignment with its tags). A writer's"
        " token is checked once, as the gateway gives out the same one for 20 s. Commits are shared and hardly count."
        " Writers who pause to think meet a queue that is nearly always empty.",
    )


if __name__ == "__main__":
    measure.main(bench)
