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

ROUNDS: Final = 3
LEGENDS: Final = 20_000
FEW: Final = 1_000  # whose time is that of the start, nearly
SECONDS: Final = 180.0
MEGABYTES: Final = 600.0
PEER: Final = "JSON read and written in one process"


async def annotated(source: Path) -> tuple[float, float]:
    """Seconds, and megabytes of peak resident memory in all processes."""
    output = source.with_name("out.jsonl")
    begin = time.perf_counter()
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
    seconds = time.perf_counter() - begin
    output.unlink()
    return seconds, memory


async def copied(source: Path) -> tuple[float, float]:
    begin = time.perf_counter()
    with source.open("rb") as read, source.with_name("copy.jsonl").open("wb") as write:
        for line in read:
            write.write(orjson.dumps(json.loads(line), option=orjson.OPT_APPEND_NEWLINE))
    return time.perf_counter() - begin, 0.0


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
    rates = [
        (count - few) / max(many - start, 1e-3)
        for (many, _), (start, _) in zip(found["many"], found["few"], strict=True)
    ]
    peer = [count / seconds for seconds, _ in found[PEER]]
    million = [start + 1e6 / rate for rate, (start, _) in zip(rates, found["few"], strict=True)]
    measurements = [
        Measurement("legends, once it runs", "/s", rates, PEER, peer),
        Measurement("a million legends, extrapolated", "s", million, PEER, [1e6 / rate for rate in peer], most=SECONDS),
        Measurement(f"exec to end of {few:,} legends", "s", [seconds for seconds, _ in found["few"]]),
    ]
    if PROC.is_dir():
        memory = [peak for _, peak in found["many"]]
        measurements.append(Measurement("peak resident memory, all processes", "MB", memory, most=MEGABYTES))
    return Report(
        title="Annotating a file",
        how=f"`mitagger annotate FILE --output FILE` with {os.cpu_count()} workers on {count:,} generated legends of"
        f" {LENGTH} characters, all different (sentences of {whose} in other company, with other numbers);"
        f" {rounds} rounds. Memory is the sum of the peaks (VmHWM) of all processes, mapped files included.",
        measurements=measurements,
        limits="The annotator, see Matching, on all cores; reading, writing and the start hardly count.",
    )


if __name__ == "__main__":
    measure.main(bench)
