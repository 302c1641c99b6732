"""An image to its renditions: ours in a worker and in process, against bare pyvips and Wand, in the same run.

    python bench/renditions.py [--rounds 7]

Each makes a display JPEG (2048 px, quality 90) and a thumbnail (320 px) of the same files. Bare pyvips is what one
would write first: two `thumbnail` calls, with no check that the file is whole and no tone mapping. Wand decodes once
and resizes twice. Rounds alternate; medians in milliseconds, with the least and the most.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from services.ingest.renditions import render
from shared.workers import Workers

Way = Callable[[str, str], Awaitable[None]]


def pictures(folder: Path) -> dict[str, str]:
    """Pictures with the noise of a camera, which compress as photographs do."""
    random = np.random.default_rng(1)

    def noisy(side: int, channels: int) -> pyvips.Image:
        waves = np.sin(np.linspace(0, 40, side))[:, None, None] * np.cos(np.linspace(0, 30, side))[None, :, None]
        pixels = 128 + 90 * waves + random.normal(0, 6, (side, side, channels))
        return pyvips.Image.new_from_array(np.clip(pixels, 0, 255).astype(np.uint8))

    grey16 = (noisy(2048, 1).cast("ushort") * 16).cast("ushort").copy(interpretation="grey16")
    made: dict[str, tuple[pyvips.Image, str, dict[str, Any]]] = {
        "PNG 1024x1024 RGB": (noisy(1024, 3), "a.png", {}),
        "JPEG 4000x4000 RGB": (noisy(4000, 3), "b.jpg", {"Q": 92}),
        "TIFF 3000x3000 RGB LZW": (noisy(3000, 3), "c.tif", {"compression": "lzw"}),
        "TIFF 2048x2048 16 bit": (grey16, "d.tif", {}),
    }
    for image, name, options in made.values():
        image.write_to_file(str(folder / name), **options)
    return {title: str(folder / name) for title, (_, name, _) in made.items()}


async def in_process(path: str, folder: str) -> None:
    render(path, folder)


async def bare_pyvips(path: str, folder: str) -> None:
    for side, name in ((2048, "display.jpg"), (320, "thumbnail.jpg")):
        pyvips.Image.thumbnail(path, side, size="down").jpegsave(f"{folder}/{name}", Q=90, keep="none")


async def by_wand(path: str, folder: str) -> None:
    from wand.image import Image  # type: ignore[import-untyped]  # noqa: PLC0415 - needs ImageMagick

    with Image(filename=path) as image:
        image.strip()
        image.compression_quality = 90
        for side, name in ((2048, "display.jpg"), (320, "thumbnail.jpg")):
            image.transform(resize=f"{side}x{side}>")
            image.save(filename=f"{folder}/{name}")


async def measure(
    ways: dict[str, Way], paths: dict[str, str], folder: str, rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Milliseconds by picture and way."""
    taken: dict[tuple[str, str], list[float]] = {(title, name): [] for title in paths for name in ways}
    for turn in range(rounds + 1):
        for title, path in paths.items():
            for name, way in ways.items():
                start = time.perf_counter()
                await way(path, folder)
                if turn:  # the first round warms up: processes start, files get cached
                    taken[title, name].append((time.perf_counter() - start) * 1000)
    return taken


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = max(5, parser.parse_args().rounds)
    workers = Workers()

    async def in_worker(path: str, folder: str) -> None:
        await workers.run(render, path, folder, timeout=60)

    ways: dict[str, Way] = {
        "MITagger, worker": in_worker,
        "MITagger, in process": in_process,
        "bare pyvips": bare_pyvips,
    }
    try:
        from wand.version import MAGICK_VERSION  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError as absent:
        print(f"Wand is left out: {str(absent).splitlines()[0]}\n", file=sys.stderr)
    else:
        ways["Wand"] = by_wand
        print(f"Wand uses {MAGICK_VERSION.split(' https')[0]}; ", end="")
    versions = ".".join(str(pyvips.version(part)) for part in range(3))
    print(f"libvips {versions}; {os.cpu_count()} cores; {rounds} alternated rounds, ms: median (least to most)\n")
    with tempfile.TemporaryDirectory() as folder:
        paths = pictures(Path(folder))
        taken = await measure(ways, paths, folder, rounds)
    print(f"| picture | {' | '.join(ways)} |\n|---|{'---|' * len(ways)}")
    for title in paths:
        cells = [taken[title, name] for name in ways]
        print(
            f"| {title} | "
            + " | ".join(f"{statistics.median(c):.0f} ({min(c):.0f} to {max(c):.0f})" for c in cells)
            + " |"
        )


if __name__ == "__main__":
    asyncio.run(main())
