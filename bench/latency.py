"""From upload to recommendations: 1024x1024 PNGs at 10 figures a second for 30 s, through the real server.

Goal: p95 <= 300 ms. Open loop: figures are sent on schedule, whether or not the ones before are done, and a figure's
time begins when it was due. The peer does the same picture and legend in process with nothing around it: bare pyvips
for the renditions, the bare automaton for the names.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import measure
from bench.legends import FEW, BareAutomaton, fold, legends
from bench.measure import Measurement, Report, percentile
from bench.pictures import bare_pyvips, noisy
from bench.server import Server
from mitagger.client import AsyncClient
from shared.settings import Settings
from shared.vocabulary import defaults

ROUNDS: Final = 3
A_SECOND: Final = 10
SECONDS: Final = 30
WARMING: Final = 20  # figures
DONE_SECONDS: Final = 120.0
GOAL: Final = 300.0
PEER: Final = "bare pyvips and automaton"
TOPIC: Final = "recommendations.ready"

Figures = Sequence[tuple[Path, str]]  # picture and legend


def figures(folder: Path, count: int, start: int) -> Figures:
    """Pictures that differ in every pixel; legends that differ by a number."""
    folder.mkdir()
    _, texts = legends()
    made = []
    for number in range(start, start + count):
        path = folder / f"{number}.png"
        noisy(1024, 3, seed=number).pngsave(str(path), compression=1)
        made.append((path, f"{texts[number % len(texts)]} Case {number}."))
    random.Random(start).shuffle(made)
    return made


async def ours(client: AsyncClient, sent: Figures, a_second: float) -> list[float]:
    """Milliseconds of each figure, from when it was due until its event arrived on the event stream."""
    due: dict[str, float] = {}
    ready: dict[str, float] = {}
    after = ""
    while (piece := await client.events(after=after, limit=200)).items:
        after = piece.next

    async def listen() -> None:
        async for _, event in client.follow_events(after=after, topics=[TOPIC]):
            ready[event.subject] = time.perf_counter()
            if len(ready) == len(sent):
                return

    async def send(number: int, path: Path, legend: str, at: float) -> None:
        figure = await client.create_figure(path, collection="bench", label=f"Figure {number}", legend=legend)
        due[figure.id] = at

    async with asyncio.timeout(len(sent) / a_second + DONE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(listen())
        begin = time.perf_counter() + 0.5
        for number, (path, legend) in enumerate(sent):
            at = begin + number / a_second
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            group.create_task(send(number, path, legend, at))
    return [(ready[figure] - at) * 1000 for figure, at in due.items()]


def peer(sent: Figures, automaton: BareAutomaton, folder: Path) -> list[float]:
    """Milliseconds of each figure, one after the other."""
    taken = []
    for path, legend in sent:
        begin = time.perf_counter()
        bare_pyvips(str(path), str(folder))
        automaton.found(fold(legend))
        taken.append((time.perf_counter() - begin) * 1000)
    return taken


async def bench(quick: bool) -> Report:
    rounds, count, warming = (1, 3, 1) if quick else (ROUNDS, A_SECOND * SECONDS, WARMING)
    automaton = BareAutomaton(defaults.load(Settings().cache / "vocabularies"), concepts=FEW if quick else None)
    our_rounds: list[list[float]] = []
    peer_rounds: list[list[float]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with Server(folder) as server, AsyncClient(server.url, key=server.key) as client:
            await ours(client, await asyncio.to_thread(figures, folder / "warming", warming, 0), A_SECOND)
            for turn in range(rounds):
                pictures = folder / f"round {turn}"
                sent = await asyncio.to_thread(figures, pictures, count, warming + turn * count)
                our_rounds.append(await ours(client, sent, A_SECOND))
                peer_rounds.append(await asyncio.to_thread(peer, sent, automaton, folder))
                for path, _ in sent:
                    path.unlink()

    def line(percent: int, goal: float | None = None) -> Measurement:
        mine = [percentile(one, percent) for one in our_rounds]
        theirs = [percentile(one, percent) for one in peer_rounds]
        return Measurement(f"upload to recommendations, p{percent}", "ms", mine, PEER, theirs, most=goal)

    return Report(
        title="Upload to recommendations",
        how=f"{rounds} rounds of {count} distinct 1024×1024 RGB PNGs with legends of {legends()[0]}, {A_SECOND} a"
        f" second on schedule (open loop), by `POST /api/v1/figures`; until `{TOPIC}` arrives on the event"
        " stream. The sender shares the machine with the server. After each round, the peer does the same files one"
        " after the other.",
        measurements=[line(50), line(95, GOAL), line(99)],
        limits="Rendering the picture is most of it. The rest is the body's way to the disk, three commits that each"
        " wait for the disk (figure, tokens, recommendations), and waiting for a core where figures overlap.",
    )


if __name__ == "__main__":
    measure.main(bench)
