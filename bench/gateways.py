"""Saving a decision while 100 annotators decide at once, over HTTP: 4 gateways, every service a process of its own, on
a real Kafka and a server of MongoDB's protocol (tests/support/servers).

Every annotator is signed in, has a connection that stays open to one of the gateways, and accepts the recommendations
of a figure one after the other, as fast as the answers come. A decision passes the gateway (session, account, projects,
token), annotation (the assignment, its figure and recommendations read, the assignment written with its events), and
comes back as the whole assignment. Goal: p95 <= 30 ms.

The peers, in alternating rounds of the same run: an empty route (`/healthz`) of the same gateways, asked as often over
the same connections; and PyMongo alone, which writes the same bytes (document and event) as concurrently. One annotator
alone tells the work from the waiting.
"""

import asyncio
import json
import os
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

from pymongo.asynchronous.collection import AsyncCollection

from bench import measure
from bench.decisions import CONCEPTS, Round, concept, figure_event, recommendations_event
from bench.measure import Measurement, Report, alternated, percentile
from mitagger.serve import MODELS
from services.annotation.consumers import Projections
from services.annotation.giving import new_assignment
from services.annotation.model import Assignment, Figure
from services.annotation.tagging import tag_event
from services.gateway.api.asking import COOKIE
from services.gateway.identity import Identity
from services.gateway.model import Account
from shared.access import DEFAULT_PROJECT
from shared.clock import now
from shared.engine import Engine, opened
from shared.mongo import connected
from shared.settings import Settings
from tests.support.cluster import Cluster
from tests.support.servers import kafka, mongo

ANNOTATORS: Final = 100
GATEWAYS: Final = 4
ROUNDS: Final = 5
GOAL_MS: Final = 30.0
EMPTY: Final = "an empty route of the same gateways"
BARE: Final = "bare MongoDB writes"


class Line:
    """Somebody's connection to a gateway, which stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cookie: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: bench\r\nCookie: {COOKIE}={cookie}\r\nContent-Type: application/json\r\n"

    async def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The answer's body; its status was 200."""
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        content = await self._reader.readexactly(length)
        assert answer.startswith(b"http/1.1 200"), content
        return content

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@dataclass(frozen=True, slots=True)
class Annotator:
    """Who is signed in, at a gateway."""

    person: str
    line: Line


async def hired(engine: Engine, cluster: Cluster, many: int, stack: AsyncExitStack) -> list[Annotator]:
    """Signed in, spread over the gateways."""
    identity, accounts = Identity(engine.documents), engine.documents.collection(Account)
    doors = [name for name in cluster.names if name.startswith("gateway")]
    people = []
    for number in range(many):
        name = f"annotator-{number}"
        account = await accounts.insert(
            Account(
                id=name,
                name=name,
                name_key=name,
                password_hash="",
                roles={DEFAULT_PROJECT: ("annotator",)},
                created_at=now(),
                issuer="bench",
                subject=name,
            )
        )
        _, cookie = await identity.open_session(account)
        host, _, port = cluster.address(doors[number % len(doors)]).removeprefix("http://").partition(":")
        line = Line(*await asyncio.open_connection(host, int(port)), cookie)
        stack.push_async_callback(line.close)
        people.append(Annotator(name, line))
    return people


async def assigned(engine: Engine, people: Iterable[Annotator], turn: int) -> dict[str, tuple[str, str]]:
    """A new figure with its recommendations for each. Returns (assignment, figure) by person."""
    projections, at = Projections(engine.documents), now()
    names = {f"figure-{turn}-{one.person}": one.person for one in people}
    await projections.uploaded([figure_event(name) for name in names])
    await projections.recommended([recommendations_event(name) for name in names])
    figures = await engine.documents.collection(Figure).get_many(list(names))
    made = [new_assignment(figure, names[figure.id], "reviewer", at).noted("assign", "root", at) for figure in figures]
    await engine.documents.collection(Assignment).insert_many(made)
    return {one.annotator: (one.id, one.figure) for one in made}


async def timed(each: Mapping[str, Callable[[int], Awaitable[Any]]]) -> Round:
    """All at once, each `CONCEPTS` times in a row."""
    milliseconds: list[float] = []

    async def one(step: Callable[[int], Awaitable[Any]]) -> None:
        for place in range(CONCEPTS):
            start = time.perf_counter()
            await step(place)
            milliseconds.append((time.perf_counter() - start) * 1000)

    start = time.perf_counter()
    await asyncio.gather(*map(one, each.values()))
    return Round(milliseconds, len(milliseconds) / (time.perf_counter() - start))


def looking(annotator: Annotator) -> Callable[[int], Awaitable[bytes]]:
    """Asks the empty route."""
    return lambda _: annotator.line.ask("GET", "/healthz")


def deciding(annotator: Annotator, id: str, figure: str) -> Callable[[int], Awaitable[bytes]]:
    """Accepts one recommendation after the other."""

    async def decide(place: int) -> bytes:
        body = json.dumps({"kind": "accept", "recommendation": concept(figure, place)}).encode()
        return await annotator.line.ask("POST", f"/api/v1/assignments/{id}/decisions", body)

    return decide


def writing(peer: AsyncCollection[dict[str, Any]], assignment: Assignment) -> Callable[[int], Awaitable[Any]]:
    """Writes the assignment as it was left, each time with the event of another of its decisions."""
    body = assignment.model_dump(mode="json")
    events = [tag_event(assignment, decided).body() for decided in assignment.decisions]

    async def write(place: int) -> None:
        change = {"$set": {"version": place + 1, "body": body, "event": events[place]}}
        done = await peer.update_one({"_id": assignment.id, "version": place}, change)
        assert done.matched_count == 1

    return write


async def bench(quick: bool) -> Report:
    many, gateways, rounds = (6, 2, 1) if quick else (ANNOTATORS, GATEWAYS, ROUNDS)
    name = f"bench{secrets.token_hex(4)}"
    with tempfile.TemporaryDirectory() as temporary, mongo.server() as server:
        folder, documents = Path(temporary), mongo.named(server, name)
        bus = f"kafka://{kafka.address()}/{name}"
        cluster = Cluster(folder, bus=bus, documents=documents, copies={"gateway": gateways})
        cluster.key = "nobody's"  # no administrator is needed
        settings = Settings(data=folder / "bench", cache=folder / "cache", bus=bus, documents=documents, key="k" * 32)
        async with opened(settings, MODELS) as engine, connected(documents) as database, AsyncExitStack() as stack:
            stack.push_async_callback(cluster.kill)
            await cluster.start()
            people = await hired(engine, cluster, many, stack)
            turns, work, peer = count(), dict[str, tuple[str, str]](), database["bench.peer"]

            async def ours() -> Round:
                nonlocal work
                work = await assigned(engine, people, next(turns))
                return await timed({one.person: deciding(one, *work[one.person]) for one in people})

            async def alone() -> Round:
                mine = await assigned(engine, people[:1], next(turns))
                return await timed({one.person: deciding(one, *mine[one.person]) for one in people[:1]})

            async def empty() -> Round:
                return await timed({one.person: looking(one) for one in people})

            async def bare() -> Round:
                """What ours wrote in the same round."""
                left = await engine.documents.collection(Assignment).get_many([id for id, _ in work.values()])
                await peer.insert_many([{"_id": one.id, "version": 0} for one in left])
                return await timed({one.id: writing(peer, one) for one in left})

            found = await alternated(rounds, {"ours": ours, EMPTY: empty, BARE: bare, "alone": alone})

    return report(found, many, gateways, rounds)


def report(found: Mapping[str, list[Round]], many: int, gateways: int, rounds: int) -> Report:
    def line(what: str, value: Callable[[Round], float], peer: str, unit: str = "ms", **goal: float) -> Measurement:
        return Measurement(what, unit, [*map(value, found["ours"])], peer, [*map(value, found[peer])], **goal)

    def p50(each: Round) -> float:
        return percentile(each.milliseconds, 50)

    def p95(each: Round) -> float:
        return percentile(each.milliseconds, 95)

    cores, what = os.cpu_count(), f"decision, {many} annotators, {gateways} gateways"
    return Report(
        "Decisions through several gateways",
        f"{many} annotators accept recommendations at once, as fast as answers come, over connections that stay open to"
        f" {gateways} gateways. Every service is a process, on real Kafka and a server of MongoDB's protocol; all of"
        f" these, and what asks, share the {cores} cores of this machine. {rounds} rounds of {many * CONCEPTS:,}"
        " decisions. The peers are asked as concurrently: an empty route over the same connections, and PyMongo that"
        " writes the same bytes (document and event).",
        [
            line(f"{what}, p50", p50, EMPTY),
            line(f"{what}, p95", p95, EMPTY, most=GOAL_MS),
            line("the same, p50", p50, BARE),
            line("the same, p95", p95, BARE),
            line("decisions a second", lambda each: each.rate, EMPTY, "/s"),
            Measurement("decision, one annotator alone, p50", "ms", [*map(p50, found["alone"])]),
            Measurement("decision, one annotator alone, p95", "ms", [*map(p95, found["alone"])]),
        ],
        f"The {cores} cores: {gateways + 5} processes of Python, Kafka, the database and who asks share them, so a"
        " decision mostly waits, and more gateways cannot help. One annotator alone waits for nobody: that is a dozen"
        " reads and writes of the database, one after the other.",
    )


if __name__ == "__main__":
    measure.main(bench)
