"""Folder import: pictures through `mitagger import`'s own way into a server, against bare pyvips over the same files.

Goal: at most 1.3 times the peer, two spawned processes that write a display JPEG and a thumbnail of each file, with no
check that it is whole. Each round has files of its own.
"""

import asyncio
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pyvips

from bench import measure
from bench.measure import Measurement, Report, alternated
from bench.pictures import DISPLAY, THUMBNAIL, noisy
from bench.server import Server
from mitagger.client import AsyncClient
from mitagger.importing import bring, read

ROUNDS: Final = 5
FILES: Final = 45  # of a round
SIDE: Final = 2000  # pixels
PROCESSES: Final = 2
KINDS: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("jpg", {"Q": 92}),
    ("png", {"compression": 3}),
    ("tif", {"compression": "lzw"}),
)
GOAL: Final = 1.3
PEER: Final = "bare pyvips, two processes"
LIMITS: Final = (
    "libvips does most of the work, on both cores on either side; ours decodes every file whole to see that none is cut"
    " short. On the same cores come the command (reading, hashing, sending), the server (writing what arrives and both"
    " JPEGs to disk before it says so) and the services behind, which work on the figures of the batch before."
)


def filled(folder: Path, files: int, side: int, seed: int) -> Path:
    """As many JPEG as PNG and TIFF, all different."""
    folder.mkdir()
    whole = noisy(side + files, 3, seed=seed)
    for number in range(files):
        ending, options = KINDS[number % len(KINDS)]
        part = whole.crop(number, files - number, side, side)
        part.write_to_file(str(folder / f"{number:04}.{ending}"), **options)
    return folder


def convert(path: str) -> None:
    """The peer's work on one file, which it decodes once."""
    with tempfile.TemporaryDirectory() as folder:
        display = pyvips.Image.thumbnail(path, DISPLAY, size="down").copy_memory()
        display.jpegsave(f"{folder}/display.jpg", Q=90, keep="none")
        display.thumbnail_image(THUMBNAIL, size="down").jpegsave(f"{folder}/thumbnail.jpg", Q=90, keep="none")


async def imported(client: AsyncClient, folder: Path) -> float:
    """Milliseconds a file, until all are stored and their events published; consumers then catch up, not counted."""
    begin = time.perf_counter()
    with await asyncio.to_thread(read, folder) as source:
        brought = await bring(client, source)
    taken = time.perf_counter() - begin
    assert brought.created == len(list(folder.iterdir())), brought.problems
    while any(one.behind for one in (await client.status()).progress):
        await asyncio.sleep(0.1)
    return taken * 1000 / brought.created


async def converted(pool: ProcessPoolExecutor, folder: Path) -> float:
    """Milliseconds a file."""
    paths = sorted(str(path) for path in folder.iterdir())
    begin = time.perf_counter()
    await asyncio.to_thread(lambda: list(pool.map(convert, paths)))
    return (time.perf_counter() - begin) * 1000 / len(paths)


async def bench(quick: bool) -> Report:
    rounds, files, side = (1, 6, 300) if quick else (ROUNDS, FILES, SIDE)
    with tempfile.TemporaryDirectory() as place, ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        folders = [filled(Path(place, str(number)), files, side, number) for number in range(measure.turns(rounds))]
        async with Server(Path(place, "server")) as server, AsyncClient(server.url, key=server.key) as client:
            mine, others = iter(folders), iter(folders)
            taken = await alternated(
                rounds,
                {"ours": lambda: imported(client, next(mine)), PEER: lambda: converted(pool, next(others))},
            )
    ratios = [our / peer for our, peer in zip(taken["ours"], taken[PEER], strict=True)]
    return Report(
        title="Folder import",
        how=f"{rounds} rounds of {files} files that nobody has seen, a third each JPEG, PNG and LZW TIFF of"
        f" {side * side / 1e6:g} megapixels in colour, brought as `mitagger import FOLDER` does (hashed, uploaded,"
        " rendered, stored with their events), to a server that runs all services and has started its workers. The"
        f" peer is {PROCESSES} processes, started before, that write the same two JPEGs of the same files, in turn with"
        " ours.",
        measurements=[
            Measurement("a file", "ms", taken["ours"], PEER, taken[PEER]),
            Measurement("import / peer, of each round", "", ratios, most=GOAL),
        ],
        limits=LIMITS,
    )


if __name__ == "__main__":
    measure.main(bench)
