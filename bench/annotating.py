"""`mitagger annotate FILE --output FILE`: how long a million legends take, and how much memory.

A part of a million is measured and the time of all of it extrapolated, start included once.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import orjson

from bench import measure
from bench.cold_start import PROC, megabytes
from bench.distinct import LENGTH, distinct
from bench.legends import legends
from bench.measure import Measurement, Report, alternated
from shared.settings import Settings
from shared.vocabulary import defaults

ROUNDS: Final = 5
LEGENDS: Final = 20_000
FEW: Final = 1_000  # whose time is that of the start, nearly
SECONDS: Final = 180.0
MEGABYTES: Final = 600.0
PEER: Final = "JSON read and written in one process"


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds, seconds of processors, and megabytes of peak resident memory, of all processes together."""

    seconds: float
    processor: float
    megabytes: float = 0.0


async def annotated(source: Path) -> Run:
    output = source.with_name("out.jsonl")
    begin, used = time.perf_counter(), _used()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mitagger", "annotate", str(source), "--output", str(output)),
        stderr=asyncio.subprocess.DEVNULL,
    )
    ended = asyncio.create_task(process.wait())
    memory = 0.0
    while not ended.done():
        with suppress(OSError):  # one of them has just ended
            memory = max(memory, megabytes(process.pid))
        await asyncio.wait([ended], timeout=0.2)
    assert await ended == 0
    run = Run(time.perf_counter() - begin, _used() - used, memory)
    output.unlink()
    return run


def _used() -> float:
    """Seconds of processors that children which have ended used."""
    times = os.times()
    return times.children_user + times.children_system


async def copied(source: Path) -> Run:
    begin, used = time.perf_counter(), time.process_time()
    with source.open("rb") as read, source.with_name("copy.jsonl").open("wb") as write:
        for line in read:
            write.write(orjson.dumps(json.loads(line), option=orjson.OPT_APPEND_NEWLINE))
    return Run(time.perf_counter() - begin, time.process_time() - used)


def _cores() -> int:
    return os.cpu_count() or 1


async def bench(quick: bool) -> Report:
    rounds, count, few = (1, 60, 30) if quick else (ROUNDS, LEGENDS, FEW)
    whose, known = legends()
    await asyncio.to_thread(defaults.load, Settings().cache / "vocabularies")  # compiled where they were not
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        generated = distinct(known, seed=2)
        for name, size in (("many", count), ("few", few)):
            files[name] = Path(folder, f"{name}.jsonl")
            with files[name].open("w", encoding="utf-8") as file:
                for number, text in enumerate(islice(generated, size)):
                    file.write(json.dumps({"id": number, "text": text}, ensure_ascii=False) + "\n")
        found = await alternated(
            rounds,
            {
                "many": lambda: annotated(files["many"]),
                "few": lambda: annotated(files["few"]),
                PEER: lambda: copied(files["many"]),
            },
        )
    pairs = list(zip(found["many"], found["few"], strict=True))
    more = (count - few) / 1e6
    million = [start.seconds + max(0.0, many.seconds - start.seconds) / more for many, start in pairs]
    alone = [start.seconds + max(0.0, many.processor - start.processor) / more / _cores() for many, start in pairs]
    peer = [run.processor / count * 1e6 for run in found[PEER]]
    measurements = [
        Measurement("a million legends, extrapolated", "s", million, most=SECONDS),
        Measurement("the same, were no other process there", "s", alone, PEER, peer, most=SECONDS),
        Measurement(f"exec to end of {few:,} legends", "s", [run.seconds for run in found["few"]]),
    ]
    if PROC.is_dir():
        memory = [run.megabytes for run in found["many"]]
        measurements.append(Measurement("peak resident memory, all processes", "MB", memory, most=MEGABYTES))
    return Report(
        title="Annotating a file",
        how=f"`mitagger annotate FILE --output FILE` with {_cores()} workers on {count:,} generated legends of"
        f" {LENGTH} characters, all different (sentences of {whose} in other company, with other numbers);"
        f" {rounds} round(s). The second row is of seconds of processors. Memory is the sum of the"
        " peaks (VmHWM) of all processes, mapped files included.",
        measurements=measurements,
        limits="The annotator, see Matching, on all cores; reading, writing and the start hardly count.",
    )


if __name__ == "__main__":
    measure.main(bench)
