"""Work on one picture in a process of its own, so that its memory is counted to nobody else: see bench/views.py.

python -m bench.alone WORK PATH, where WORK is `ours`, `wand`, `vips`, or a number of tiles. Prints milliseconds and the
peak resident MiB above those after the imports (Linux).
"""

import importlib
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


def wand(path: str, folder: str) -> None:
    from wand.image import Image  # noqa: PLC0415 - not where ours is measured

    with Image(filename=path) as image:
        image.compression_quality = 90
        image.save(filename=f"{folder}/whole.jpg")


def vips(path: str, folder: str) -> None:
    import pyvips  # noqa: PLC0415

    pyvips.Image.new_from_file(path, access="sequential").jpegsave(f"{folder}/whole.jpg", Q=90)


def ours(path: str, folder: str) -> None:
    from services.ingest.renditions import render  # noqa: PLC0415

    render(path, folder)
    tiles(path, folder, 1_000_000)


def tiles(path: str, folder: str, most: int) -> None:
    """The page prepared, and these tiles of it, from the deepest level on."""
    from services.ingest import pyramid  # noqa: PLC0415
    from services.ingest.pyramid_model import Look  # noqa: PLC0415
    from shared.zoom import max_level, tile  # noqa: PLC0415

    target = f"{folder}/pyramid.tif"
    page = pyramid.prepare(path, "tiff", 0, target)

    def each() -> Iterator[tuple[int, int, int]]:
        for level in range(max_level(page.width, page.height), -1, -1):
            first = tile(page.width, page.height, level, 0, 0)
            for row in range(-(-first.down // first.height)):
                yield from ((level, column, row) for column in range(-(-first.across // first.width)))

    for _, (level, column, row) in zip(range(most), each(), strict=False):
        part = tile(page.width, page.height, level, column, row)
        jpeg = pyramid.cut(path if page.direct else target, page, part, Look())
        Path(folder, f"{level}_{column}_{row}.jpg").write_bytes(jpeg)


def mib(name: str) -> float:
    """VmHWM or VmRSS of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def main(work: str, path: str) -> None:
    imported = {"wand": "wand.image", "vips": "pyvips"}.get(work, "services.ingest.pyramid")
    importlib.import_module(imported)
    before = mib("VmRSS")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        if work.isdecimal():
            tiles(path, folder, int(work))
        else:
            {"ours": ours, "wand": wand, "vips": vips}[work](path, folder)
        print((time.perf_counter() - start) * 1000, mib("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
