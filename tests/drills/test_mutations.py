"""Valid pictures of every format and zips are damaged in many ways; each ends in renditions or in a clear error.

`MITAGGER_DRILL_MUTATIONS`: how many (300; `make drills`: 6,000), `MITAGGER_DRILL_SEED` repeats the same ones.
"""

import asyncio
import hashlib
import io
import os
import random
import sys
import zipfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

from services.ingest.archive import Zip, copy, rows
from services.ingest.renditions import render
from shared.errors import DeadlineExceeded, Invalid
from shared.workers import Workers
from tools import pictures

MUTATIONS: Final = int(os.environ.get("MITAGGER_DRILL_MUTATIONS", "300"))
SEED: Final = int(os.environ.get("MITAGGER_DRILL_SEED", str(random.SystemRandom().randrange(10**6))))
AT_ONCE: Final = 4
SECONDS: Final = 20.0  # for a picture that, whole, takes some milliseconds
EXTREMES: Final = (
    b"\0",
    b"\xff",
    b"\0\0",
    b"\xff\xff",
    b"\x7f\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
)

pytestmark = [
    pytest.mark.timeout(120 + MUTATIONS // 2),
    pytest.mark.skipif(sys.platform != "linux", reason="bounds on memory and /proc are Linux's"),
]


def mutated(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """`content` with one to six damages, most of them in its first kilobytes, where headers are."""
    damaged = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        size = max(1, len(damaged))
        at = chance.randrange(min(size, chance.choice((64, 512, 4096, size))))
        match chance.randrange(8):
            case 0 | 1:
                damaged[at : at + 1] = bytes([chance.randrange(256)])
            case 2 | 3:
                extreme = chance.choice(EXTREMES)
                damaged[at : at + len(extreme)] = extreme
            case 4:
                del damaged[at : at + chance.randint(1, 64)]
            case 5:
                damaged[at:at] = chance.randbytes(chance.randint(1, 64))
            case 6:
                piece = chance.randrange(max(1, len(other)))
                damaged[at : at + 256] = other[piece : piece + 256]
            case 7:
                del damaged[chance.randrange(size) :]
    return bytes(damaged)


def children() -> set[int]:
    """The processes that this one started and that live."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return {pid for pid in found if (Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]) != "Z"}


async def test_damaged_pictures_end_in_renditions_or_clear_errors(tmp_path: Path) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED}")  # noqa: T201 - pytest shows it when the drill fails
    samples = {sample.title: sample.make() for sample in pictures.samples()}
    samples = {title: content for title, content in samples.items() if len(content) < 400_000}
    titles = sorted(samples)
    workers, outcomes, places = Workers(2), Counter[str](), asyncio.Semaphore(AT_ONCE)
    before = children()

    async def one(number: int) -> None:
        chance = random.Random(f"{SEED} {number}")
        title = titles[number % len(titles)]
        content = mutated(samples[title], samples[chance.choice(titles)], chance)
        folder = tmp_path / str(number)
        async with places:
            folder.mkdir()
            path = folder / "original"
            path.write_bytes(content)
            try:
                rendered = await workers.run(render, str(path), str(folder), timeout=SECONDS)
                assert Path(rendered.display.path).stat().st_size > 0
                outcome = "rendered"
            except Invalid as refused:
                outcome = told(refused, f"mutation {number} of {title}")
            except DeadlineExceeded:
                outcome = "stopped"
            except Exception as error:
                raise AssertionError(f"mutation {number} of {title} ended in {error!r}") from error
            kept = {"original", "display.jpg", "thumbnail.jpg"} | ({"pixels.tif"} if outcome == "rendered" else set())
            left = {file.name for file in folder.iterdir()} - kept
            assert not left, f"mutation {number} of {title} left {left}"
            outcomes[outcome] += 1
            if outcome in ("died", "stopped"):
                print(f"mutation {number} of {title}: {outcome}")  # noqa: T201

            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()

    await asyncio.gather(*(one(number) for number in range(MUTATIONS)))
    print(dict(outcomes))  # noqa: T201
    assert sum(outcomes.values()) == MUTATIONS
    assert outcomes["rendered"] > 0
    assert outcomes["refused"] > 0
    # The two workers that have read all this still read what is whole, and as before.
    assert len(children() - before) <= 2
    whole = [await workers.run(digest, samples["TIFF 16 bits of 12"], str(tmp_path), timeout=SECONDS) for _ in range(2)]
    assert whole == [digest(samples["TIFF 16 bits of 12"], str(tmp_path))] * 2


def told(refused: Invalid, what: str) -> str:
    """The outcome, of which the sender must have been told what was wrong and what to do."""
    assert refused.message, what
    assert refused.remedy, what
    return "died" if "process that ran" in refused.message else "refused"


def digest(content: bytes, folder: str) -> str:
    """Of the picture's display rendition."""
    path = Path(folder, "whole")
    path.write_bytes(content)
    return hashlib.sha256(Path(render(str(path), folder).display.path).read_bytes()).hexdigest()


def test_damaged_zips_end_in_rows_and_files_or_clear_errors(tmp_path: Path) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED}")  # noqa: T201
    whole, path = zipped(), tmp_path / "damaged.zip"
    descriptors = len(os.listdir("/dev/fd"))
    for number in range(MUTATIONS):
        path.write_bytes(mutated(whole, whole, random.Random(f"{SEED} zip {number}")))
        try:
            with Zip(path) as bundle:
                for name in bundle.names():
                    with suppress(Invalid):
                        copy(bundle, name, io.BytesIO())
                list(rows(bundle))
        except Invalid as refused:
            told(refused, f"mutation {number}")
        except Exception as error:
            raise AssertionError(f"mutation {number} ended in {error!r}") from error
    assert len(os.listdir("/dev/fd")) == descriptors
    assert os.listdir(tmp_path) == ["damaged.zip"]


def zipped() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("figures.csv", "collection,file,legend\nx,a.png,A\nx,ü/b.png,B\n")
        for name in ("a.png", "ü/b.png", "c.tif"):
            file.writestr(name, pictures.grey().tobytes()[:500])
    return content.getvalue()
