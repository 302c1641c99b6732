"""An image to its renditions: ours in a worker and in process, against bare pyvips and Wand.

Each makes a display JPEG (2048 px, quality 90) and a thumbnail (320 px) of the same files. Bare pyvips is what one
would write first: two `thumbnail` calls, with no check that the file is whole and no tone mapping. Wand decodes once
and resizes twice; it is left out where it or ImageMagick is missing.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pyvips

from bench import measure
from bench.measure import Measurement, Report, alternated
from bench.pictures import DISPLAY, THUMBNAIL, bare_pyvips, noisy
from services.ingest.renditions import render
from shared.workers import Workers

ROUNDS: Final = 7
OURS: Final = ("in a worker", "in process")

Way = Callable[[str, str], Awaitable[Any]]


def pictures(folder: Path, *, quick: bool) -> dict[str, str]:
    """Paths by title."""
    grey16 = (noisy(2048, 1).cast("ushort") * 16).cast("ushort").copy(interpretation="grey16")
    made: dict[str, tuple[Any, str, dict[str, Any]]] = {"PNG 1024×1024 RGB": (noisy(1024, 3), "a.png", {})}
    if not quick:
        made |= {
            "JPEG 4000×4000 RGB": (noisy(4000, 3), "b.jpg", {"Q": 92}),
            "TIFF 3000×3000 RGB LZW": (noisy(3000, 3), "c.tif", {"compression": "lzw"}),
            "TIFF 2048×2048 16 bit": (grey16, "d.tif", {}),
        }
    for image, name, options in made.values():
        image.write_to_file(str(folder / name), **options)
    return {title: str(folder / name) for title, (_, name, _) in made.items()}


def peers() -> tuple[dict[str, Way], str]:
    """Who else does it, and which versions they are."""

    async def by_pyvips(path: str, folder: str) -> None:
        bare_pyvips(path, folder)

    versions = "libvips " + ".".join(str(pyvips.version(part)) for part in range(3))
    try:
        from wand.image import Image  # noqa: PLC0415 - optional, and needs ImageMagick
        from wand.version import MAGICK_VERSION  # noqa: PLC0415
    except ImportError as absent:
        return {"bare pyvips": by_pyvips}, f"{versions}; Wand is absent ({str(absent).splitlines()[0]})"

    async def by_wand(path: str, folder: str) -> None:
        with Image(filename=path) as image:
            image.strip()
            image.compression_quality = 90
            for side, name in ((DISPLAY, "display.jpg"), (THUMBNAIL, "thumbnail.jpg")):
                image.transform(resize=f"{side}x{side}>")
                image.save(filename=f"{folder}/{name}")

    return {"bare pyvips": by_pyvips, "Wand": by_wand}, f"{versions}; {MAGICK_VERSION.split(' https')[0]}"


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    workers = Workers()

    async def in_worker(path: str, folder: str) -> None:
        await workers.run(render, path, folder, timeout=60)

    async def in_process(path: str, folder: str) -> None:
        render(path, folder)

    others, versions = peers()
    ways: dict[str, Way] = dict(zip(OURS, (in_worker, in_process), strict=True)) | others
    measurements = []
    with tempfile.TemporaryDirectory() as folder:
        for title, path in (await asyncio.to_thread(pictures, Path(folder), quick=quick)).items():
            taken = await alternated(rounds, {name: timed(way, path, folder) for name, way in ways.items()})
            measurements += [
                Measurement(f"{title}, {our}", "ms", taken[our], other, taken[other])
                for our in OURS
                for other in others
            ]
    return Report(
        title="Image to renditions",
        how=f"A display JPEG (≤ {DISPLAY} px) and a thumbnail ({THUMBNAIL} px) of the same files, {rounds} alternated"
        f" rounds; {versions}. The peers neither check that the file is whole nor map tones.",
        measurements=measurements,
        limits="libvips does the work; what it adds is a check that the whole file decodes, and for 16-bit pictures the"
        " look at all pixels that the tone mapping needs. A worker process costs about a millisecond.",
    )


def timed(way: Way, path: str, folder: str) -> Callable[[], Awaitable[float]]:
    async def run() -> float:
        start = time.perf_counter()
        await way(path, folder)
        return (time.perf_counter() - start) * 1000

    return run


if __name__ == "__main__":
    measure.main(bench)
