"""Recommender processes from one to two to four, with 12 partitions and an annotator that takes 200 ms a request.

Goal: at least 0.9 of linear over the middle of the run. The annotator is the real one behind a set latency
(tests/support/stand_in.py), five legends a request, so that waiting is the bound and not this machine's two cores. The
peer is one process, times the number of processes.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Final

from bench import measure
from bench.measure import Measurement, Report
from bench.processes import Engines
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.clock import new_id
from tests.support.builders import analysis, legend_tokenized
from tests.support.servers import mongo

ROUNDS: Final = 5
PROCESSES: Final = (1, 2, 4)
SECONDS: Final = 0.2
TEXTS: Final = 5
WINDOW_SECONDS: Final = 15.0
GOAL: Final = 0.9


async def rate(folder: Path, mongodb: str, processes: int, window: float) -> float:
    """Legends a second that these processes recommend for, over the window after all have begun."""
    engines = Engines(mongodb)
    bus = KafkaBus(parsed(engines.bus))
    await bus.open()
    try:
        enough = int(TEXTS / SECONDS * processes * (window + 40))
        events = [legend_tokenized(figure=new_id(), analysis=analysis()) for _ in range(enough)]
        for start in range(0, enough, 500):
            await bus.publish(events[start : start + 500])
        more = {"MITAGGER_STAND_IN_SECONDS": str(SECONDS), "MITAGGER_STAND_IN_TEXTS": str(TEXTS)}
        commands = [["tests.support.stand_in"]] * processes
        async with (
            engines.arriving("recommendations.ready") as arrived,
            engines.running(folder, commands, more),
        ):
            # Every process has a share of the 12 partitions once the group has stood still for a while.
            await arrived.reached(1)
            await asyncio.sleep(5 + processes)
            before, began = arrived.number, asyncio.get_running_loop().time()
            await asyncio.sleep(window)
            return (arrived.number - before) / (asyncio.get_running_loop().time() - began)
    finally:
        await bus.close()


async def bench(quick: bool) -> Report:
    window, rounds = (2.0, 1) if quick else (WINDOW_SECONDS, ROUNDS)
    counts = PROCESSES[:2] if quick else PROCESSES
    with tempfile.TemporaryDirectory() as name, mongo.server() as mongodb:
        ways = {str(count): lambda count=count: rate(Path(name), mongodb, count, window) for count in counts}
        found = await measure.alternated(rounds, ways)
    one = found["1"]
    measurements = [Measurement("legends, 1 process", "/s", one)]
    for count in counts[1:]:
        rates = found[str(count)]
        linear = [count * value for value in one]
        measurements.append(Measurement(f"legends, {count} processes", "/s", rates, f"{count} x 1 process", linear))
        shares = [rate / limit for rate, limit in zip(rates, linear, strict=True)]
        measurements.append(Measurement(f"{count} processes, share of linear", "", shares, least=GOAL))
    return Report(
        "Scaling the recommender",
        f"Real Kafka, 12 partitions, {SECONDS * 1000:.0f} ms a request of {TEXTS} legends; {window:.0f} s in the middle"
        " of each run.",
        measurements,
        "the annotator's latency; with the local annotator, the cores.",
    )


if __name__ == "__main__":
    measure.main(bench)
