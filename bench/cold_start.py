"""Cold start: from exec until the server is ready with all vocabularies, and the memory it then has taken.

Goals: 3 s and 350 MB. The vocabularies are compiled already, as at every start but the first on a machine; the data
folder is empty. The peer is `python -c "import fastapi"`.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import measure
from bench.measure import Measurement, Report, alternated
from bench.server import Server
from shared.settings import Settings
from shared.vocabulary import defaults

ROUNDS: Final = 5
PEER: Final = "import fastapi"
SECONDS: Final = 3.0
MEGABYTES: Final = 350.0
PROC: Final = Path("/proc")  # memory is read on Linux alone
PEER_CODE: Final = "import fastapi, sys; sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds until it is ready; megabytes (10^6 bytes) of peak resident memory, with all child processes."""

    seconds: float
    megabytes: float


async def ours() -> Start:
    with tempfile.TemporaryDirectory() as folder:
        async with Server(Path(folder)) as server:
            return Start(server.seconds, megabytes(server.pid))


async def peer() -> Start:
    begin = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PEER_CODE), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    await process.stdout.readexactly(1)
    start = Start(time.perf_counter() - begin, megabytes(process.pid))
    await process.communicate(b"")
    return start


def megabytes(pid: int) -> float:
    """Peak resident memory of a process and its descendants; 0 where the system does not tell."""
    return sum(_peak_kilobytes(each) for each in _family(pid)) * 1024 / 1e6


def _family(pid: int) -> Iterator[int]:
    if not PROC.is_dir():
        return
    yield pid
    for task in (PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            yield from _family(int(child))


def _peak_kilobytes(pid: int) -> int:
    status = (PROC / str(pid) / "status").read_text(encoding="utf-8")
    return next(
        (int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), 0
    )  # 0: it has ended


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    await asyncio.to_thread(defaults.load, Settings().cache / "vocabularies")  # compiled where they were not
    found = await alternated(rounds, {"ours": ours, PEER: peer})
    seconds = {name: [start.seconds for start in starts] for name, starts in found.items()}
    memory = {name: [start.megabytes for start in starts] for name, starts in found.items()}
    measurements = [Measurement("exec to ready", "s", seconds["ours"], PEER, seconds[PEER], most=SECONDS)]
    if PROC.is_dir():
        measurements.append(
            Measurement("peak resident memory when ready", "MB", memory["ours"], PEER, memory[PEER], most=MEGABYTES)
        )
    return Report(
        title="Cold start",
        how="`mitagger serve` on an empty data folder, from exec until `/readyz` and `/api/v1/vocabularies` answer 200:"
        " all services run and all default vocabularies are loaded. Memory is the peak resident size (VmHWM) of the"
        f" process and its children at that moment, mapped files included. {rounds} starts, in turn with the peer."
        " Files are in the page cache from the start that warms up.",
        measurements=measurements,
        limits="Most of it is importing Python modules: FastAPI and pydantic, which the peer imports too, then NumPy,"
        " NLTK and building the request and event models of six services. The compiled vocabularies are mapped.",
    )


if __name__ == "__main__":
    measure.main(bench)
