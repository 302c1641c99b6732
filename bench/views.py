"""Figures looked at in depth: live renders, tiles, a slide of 1 GB, all renditions with tiles, a folder of pictures.

Renders and tiles go through ingest's whole door, each asked for once, so that nothing comes from memory. Memory is the
peak resident size of a process of its own (`bench.alone`), less what it had after its imports.
"""

import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pyvips

from bench import measure
from bench.measure import Measurement, Report, alternated, percentile
from bench.pictures import bare_pyvips, noisy
from services.ingest.model import MODELS
from services.ingest.renditions import render
from services.ingest.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.engine import opened
from shared.settings import Settings
from shared.workers import Workers

ROUNDS: Final = 7
ASKED: Final = 20  # a round
RENDER_MS: Final = 150.0
FIRST_TILE_MS: Final = 300.0
BARE: Final = "bare pyvips"
ADMINISTRATOR: Final = Caller(person="bench", roles={DEFAULT_PROJECT: frozenset({"administrator"})})


class Door:
    """ingest with one figure after the other."""

    def __init__(self, client: httpx.AsyncClient, engine: Any) -> None:
        self._client = client
        self._engine = engine
        self.scratch: Path = engine.blobs.scratch

    async def get(self, path: str, **params: Any) -> httpx.Response:
        token = self._engine.signer.token(ADMINISTRATOR, "ingest")
        answer = await self._client.get(path, params=params, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer

    async def figure(self, path: Path) -> tuple[str, dict[str, Any]]:
        """Its id, and where its tiles are; prepared."""
        blob = await self._engine.blobs.put_file(path)
        token = self._engine.signer.token(ADMINISTRATOR, "ingest")
        sent = {"collection": "bench", "label": path.name, "file": path.name, "upload": blob.sha256}
        made = await self._client.post("/internal/figures", json=sent, headers={"Authorization": f"Bearer {token}"})
        assert made.status_code == 201, made.text
        tiles = (await self.get(f"/api/v1/figures/{made.json()['id']}/view")).json()["tiles"]
        return made.json()["id"], tiles


@asynccontextmanager
async def doors(folder: Path) -> Any:
    """ingest, alone."""
    settings = Settings(data=folder / "data", cache=folder / "cache")
    async with opened(settings, MODELS) as engine:
        service = build(engine, workers=0)
        transport = httpx.ASGITransport(app=service.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest", timeout=120) as client:
            yield Door(client, engine)


async def timed(way: Callable[[], Awaitable[Any]]) -> float:
    start = time.perf_counter()
    await way()
    return (time.perf_counter() - start) * 1000


async def renders(door: Door, folder: Path, rounds: int, side: int, asked: int) -> list[Measurement]:
    """p95 of renders of 2048 px, each at another window and region."""
    grey = noisy(side, 1)
    made = {
        "16 bits": (grey.cast("ushort") * 16).cast("ushort").copy(interpretation="grey16"),
        "floats": grey.cast("float") / 255,
        "8 bits RGB": noisy(side, 3),
    }
    found = []
    for kind, image in made.items():
        path = folder / f"{kind}.tif"
        image.write_to_file(str(path), compression="lzw")
        id, _ = await door.figure(path)
        about = (await door.get(f"/api/v1/figures/{id}/view")).json()
        windows = _windows(about["low"], about["high"])

        async def ours(id: str = id, windows: Iterator[dict[str, float]] = windows) -> float:
            each: list[float] = []
            for number in range(asked):
                region = {} if number % 2 else {"region": f"{side // 8},{side // 8},{side * 3 // 4},{side * 3 // 4}"}
                query = {**next(windows), **region}
                each.append(await timed(lambda query=query: door.get(f"/api/v1/figures/{id}/render", **query)))  # type: ignore[misc]
            return percentile(each, 95)

        async def bare(path: Path = path) -> float:
            async def once() -> None:
                pyvips.Image.thumbnail(str(path), 2048, size="down").cast("uchar").jpegsave_buffer(Q=90, keep="none")

            return percentile([await timed(once) for _ in range(asked)], 95)

        ways: dict[str, Callable[[], Awaitable[float]]] = {"ours": ours, BARE: bare}
        taken = await alternated(rounds, ways)
        what = f"Render of 2048 px from {side}×{side} {kind}, p95 of {asked}"
        found.append(Measurement(what, "ms", taken["ours"], f"{BARE}, original", taken[BARE], most=RENDER_MS))
    return found


def _windows(low: float, high: float) -> Iterator[dict[str, float]]:
    number = 0
    while True:
        number += 1
        yield {"window": (high - low) * (0.2 + number / 10_000), "level": (low + high) / 2}


async def slide(door: Door, folder: Path, rounds: int, side: int) -> list[Measurement]:
    """The first tile of a slide that nobody has looked at."""
    path = folder / "slide.tif"
    _slide(side).tiffsave(
        str(path), tile=True, tile_width=256, tile_height=256, pyramid=True, compression="jpeg", Q=95, bigtiff=True
    )
    gigabytes = path.stat().st_size / 1e9
    _, tiles = await door.figure(path)
    places = _places(side, tiles["max_level"])
    level = tiles["max_level"]

    async def ours() -> float:
        for left in (door.scratch / "views").glob("*"):
            left.unlink()
        column, row = next(places)
        return await timed(lambda: door.get(f"{tiles['url']}{level}/{column}_{row}.jpg"))

    async def bare() -> float:
        column, row = next(places)

        async def once() -> None:
            part = pyvips.Image.tiffload(str(path)).crop(column * 512, row * 512, 512, 512)
            part.jpegsave_buffer(Q=90, keep="none")

        return await timed(once)

    taken = await alternated(rounds, {"ours": ours, BARE: bare})
    what = f"First tile of a pyramidal TIFF of {gigabytes:.1f} GB ({side}×{side}, JPEG)"
    few, tiles_of_it = _alone("1", path)[1], _alone("400", path)[1]
    return [
        Measurement(what, "ms", taken["ours"], BARE, taken[BARE], most=FIRST_TILE_MS),
        Measurement("Peak memory of 400 tiles of it", "MiB", [tiles_of_it], "of one tile", [few]),
    ]


def _slide(side: int) -> Any:
    part = noisy(min(side, 2000), 3)
    times = -(-side // part.width)
    return part.replicate(times, times).crop(0, 0, side, side)


def _places(side: int, level: int) -> Iterator[tuple[int, int]]:
    number, columns = 0, side // 512
    while True:
        number += 1
        yield number * 7 % columns, number * 13 % columns


async def whole(folder: Path, rounds: int, width: int, height: int) -> list[Measurement]:
    """Display, thumbnail, prepared page and every tile, against one JPEG by ImageMagick, each in a new process."""
    path = folder / "whole.tif"
    _slide(max(width, height)).crop(0, 0, width, height).tiffsave(str(path), compression="lzw")
    others = ["wand"] if _has_wand() else ["vips"]
    found: dict[str, list[tuple[float, float]]] = {"ours": [], others[0]: []}
    for _ in range(measure.turns(rounds)):
        for name, measured in found.items():
            measured.append(await asyncio.to_thread(_alone, name, path))
    peer = "Wand's JPEG alone" if others == ["wand"] else "bare pyvips, JPEG of full size"
    found = {name: measured[-rounds:] for name, measured in found.items()}
    pairs = list(zip(found["ours"], found[others[0]], strict=True))
    what = f"{width}×{height} LZW TIFF to display, thumbnail, prepared page and all tiles"
    ours, theirs = [ms for ms, _ in found["ours"]], [ms for ms, _ in found[others[0]]]
    mine, yours = [mib for _, mib in found["ours"]], [mib for _, mib in found[others[0]]]
    return [
        Measurement(what, "ms", ours, peer, theirs),
        Measurement("the same, in relation", "×", [one[0] / other[0] for one, other in pairs], most=1.0),
        Measurement("its peak memory", "MiB", mine, peer, yours),
        Measurement("the same, in relation", "×", [one[1] / other[1] for one, other in pairs], most=0.25),
    ]


async def many(folder: Path, rounds: int, count: int, side: int) -> list[Measurement]:
    """A folder of mixed pictures on two processes."""
    pictures = folder / "many"
    pictures.mkdir()
    grey16 = (noisy(side * 3 // 5, 1).cast("ushort") * 16).cast("ushort").copy(interpretation="grey16")
    kinds: list[tuple[Any, str, dict[str, Any]]] = [
        (noisy(side // 2, 3), ".png", {"compression": 3}),
        (noisy(side, 3), ".jpg", {"Q": 92}),
        (noisy(side * 3 // 4, 3), ".tif", {"compression": "lzw"}),
        (grey16, ".tif", {}),
        (noisy(side // 3, 3), ".webp", {"Q": 90}),
    ]
    paths = []
    for number in range(count):
        image, ending, options = kinds[number % len(kinds)]
        paths.append(str(pictures / f"{number}{ending}"))
        (image + number % 7).cast(image.format).write_to_file(paths[-1], **options)
    workers, out = Workers(2), folder / "out"
    out.mkdir()

    async def ours() -> float:
        async def once(path: str) -> None:
            with tempfile.TemporaryDirectory(dir=out) as to:
                await workers.run(render, path, to, timeout=60)

        return await timed(lambda: asyncio.gather(*map(once, paths)))

    # Not forked: libvips has threads by now.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:

        async def bare() -> float:
            loop = asyncio.get_running_loop()
            return await timed(
                lambda: asyncio.gather(*(loop.run_in_executor(pool, bare_pyvips, path, str(out)) for path in paths))
            )

        taken = await alternated(rounds, {"ours": ours, BARE: bare})
    what = f"A folder of {count} pictures (PNG, JPEG, LZW TIFF, 16-bit TIFF, WebP) on two processes"
    ratios = [one / other for one, other in zip(taken["ours"], taken[BARE], strict=True)]
    return [
        Measurement(what, "ms", taken["ours"], BARE, taken[BARE]),
        Measurement("the same, in relation", "×", ratios, most=1.3),
    ]


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    measurements: list[Measurement] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with doors(folder) as door:
            measurements += await renders(door, folder, rounds, *((300, 2) if quick else (4000, ASKED)))
            measurements += await slide(door, folder, rounds, 2048 if quick else 40_000)
        measurements += await whole(folder, rounds, *((500, 400) if quick else (5000, 4000)))
        measurements += await many(folder, rounds, *((5, 100) if quick else (60, 2500)))
    return Report(
        title="Figures looked at in depth",
        how=f"{ROUNDS} alternated rounds. Renders and tiles are asked for at ingest's door, each once: no answer comes"
        " from memory, workers are warm. Before each first tile, all that was known of the slide is deleted. Whole"
        " pictures and their memory are measured in processes of their own, from after their imports.",
        measurements=measurements,
        limits="Shrinking and JPEG of libvips. The first tile opens the TIFF with tifffile to find its levels."
        " Renditions of 16 bits look at all pixels for their tone, and all of each file for damage, which the peer does"
        " not.",
    )


def _has_wand() -> bool:
    try:
        import wand.image  # noqa: F401, PLC0415 - optional, and needs ImageMagick
    except ImportError:
        return False
    return True


def _alone(name: str, path: Path) -> tuple[float, float]:
    """Milliseconds and peak MiB, above what imports need, of this work in a new process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.alone", name, str(path)], check=True, capture_output=True, text=True
    )
    ms, mib = done.stdout.split()
    return float(ms), float(mib)


if __name__ == "__main__":
    measure.main(bench)
