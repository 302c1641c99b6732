"""Writes docs/images.md: what is read, with the rendition of a sample of each kind: make gallery"""

import tempfile
from pathlib import Path
from typing import Final

import pyvips

from services.ingest.rendered import (
    BOMB_RATIO,
    DISPLAY_SIDE,
    LARGEST_FILE,
    LARGEST_PICTURE,
    LARGEST_TIFF,
    MOST_FRAMES,
    THUMBNAIL_SIDE,
    Rendered,
)
from services.ingest.renditions import READABLE, render
from services.ingest.stored import MOST_SAMPLES
from services.ingest.tiff import READABLE as COMPRESSIONS
from services.ingest.views import CUT_SECONDS, LARGEST_ANSWER, PREPARE_SECONDS
from shared.zoom import TILE_SIDE
from tools.pictures import Sample, samples

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "images.md"
FOLDER: Final = ROOT / "docs" / "images"
ACROSS: Final = 5
SIDE: Final = 160  # pixels; the renditions are larger, the page should load at once
HEADINGS: Final = {
    "png": "PNG", "jpeg": "JPEG", "webp": "WebP, GIF, BMP, JPEG 2000", "tiff": "TIFF", "dicom": "DICOM",
}  # fmt: skip
UNDER: Final = {"gif": "webp", "bmp": "webp", "jpeg2000": "webp"}

BOUNDS: Final = (
    f"{LARGEST_FILE // 1024**2} MiB; {LARGEST_PICTURE // 1_000_000} megapixels (of a pyramid, in its level for the"
    f" display); {MOST_FRAMES:,} pages or frames; {BOMB_RATIO:,} times the file's size once unpacked; 2 GiB and 60 s"
    " in a worker process that dies alone"
)
KINDS: Final = {
    "TIFF": "1 to 64 bits, with and without sign, floats; grey, RGB, palette, CMYK, Lab;"
    f" compressed: {COMPRESSIONS}; strips, tiles, planes, pyramids, BigTIFF",
    "DICOM": "uncompressed, RLE, JPEG (baseline, extended, lossless), JPEG-LS, JPEG 2000; grey, RGB, YBR, palette; none"
    " deflated, no whole slides in tiles, no films",
    "BMP": "uncompressed",
    "more than 8 bits": "mapped so that their structure shows: [how](decisions/0016-tone-mapping.md)",
    "bounds": BOUNDS,
}
TABLE: Final = "".join(f"| {kind} | {what} |\n" for kind, what in KINDS.items())
ADDRESSES: Final = f"""| | |
|---|---|
| `…/tiles/{{level}}/{{column}}_{{row}}.jpg` | deep-zoom tiles in the layout of DZI, {TILE_SIDE} px, no overlap |
| `…/render?region=x,y,width,height&size=` | any part, its longest side `size` (2048, at most {LARGEST_ANSWER}) |
| `page=`, `frame=` | from 0; a TIFF has pages, a DICOM, GIF or WebP has frames |
| `window=`, `level=` | width and centre in the file's units (HU, counts; else 0 to 255); without: as displayed |
| `invert=true` | light for dark |
"""
TOP: Final = f"""# Images

<!-- written by make gallery (tools/gallery.py) -->

{READABLE} are read.
What a file is, its first bytes say, never its name. Each becomes a display JPEG (≤ {DISPLAY_SIDE} px) and a thumbnail
(≤ {THUMBNAIL_SIDE} px) in sRGB or grey, upright, without metadata; transparent parts become white. Of several pages or
frames the first is shown and their number told. The levels of a pyramid, a slide scanner's label and its overview are
no pages. Other files are refused by name, with what to do.

| | |
|---|---|
{TABLE}
## Looking closely

`GET /api/v1/figures/{{id}}/view` says what there is: width and height, pages and frames, the ends of the values, the
window and level of the display, the unit, and signed addresses (an assignment has them in `figure.zoom`) for an `<img>`
or a viewer, which hold for about an hour:

{ADDRESSES}
In OpenSeadragon: `tileSources: {{width, height, tileSize: tile_size, tileOverlap: overlap, maxLevel: max_level,
getTileUrl: (level, x, y) => url + level + "/" + x + "_" + y + ".jpg"}}`.

A page is prepared when somebody first looks at it, then kept on the server's disk as long as there is room
(`MITAGGER_VIEW_BYTES`). Pyramidal TIFFs are read as they are, at once, up to {LARGEST_TIFF // 1024**3} GiB (raise
`MITAGGER_UPLOAD_BYTES` for them). Preparing a page may take {PREPARE_SECONDS:.0f} s and a part {CUT_SECONDS:.0f} s,
each in a worker process with 2 GiB; a page that fails is refused for five minutes. Of films the first
{MOST_SAMPLES // 1_000_000} million samples can be seen. [Why so](decisions/0020-deep-zoom.md).

## Gallery

Who decodes what, and why: [decoders](decisions/0015-decoders-by-licence.md). Below are small versions of the
renditions. Most samples are made from one picture, so that all should look alike but for what their title says. They
come from scikit-image (immunohistochemistry of a colon, Center for Microscopy and Molecular Imaging, no known copyright
restrictions) and from the test files of pydicom (MIT licence).
"""


def write() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    cells: dict[str, list[str]] = {heading: [] for heading in HEADINGS}
    for sample in samples():
        with tempfile.TemporaryDirectory() as folder:
            original = Path(folder, "original")
            original.write_bytes(sample.make())
            rendered = render(str(original), folder)
            name = f"{Path(sample.name).stem}.jpg"
            small = pyvips.Image.jpegload(rendered.display.path).thumbnail_image(SIDE, height=SIDE, size="down")
            small.jpegsave(str(FOLDER / name), Q=80, keep="none")
        cells[UNDER.get(rendered.format, rendered.format)].append(cell(sample, rendered, name))
    parts = [TOP]
    for kind, heading in HEADINGS.items():
        parts.append(f"\n## {heading}\n\n{table(cells[kind])}")
    PAGE.write_text("".join(parts), encoding="utf-8")


def cell(sample: Sample, rendered: Rendered, name: str) -> str:
    title = sample.title.removeprefix("DICOM of pydicom: ")
    count = rendered.technical.get("NumberOfFrames", "1")
    told = f"<br>{count} pages or frames" if count != "1" else ""
    return f"![{title}](images/{name})<br>{title}<br>{rendered.width} × {rendered.height}{told}"


def table(cells: list[str]) -> str:
    rows = [cells[start : start + ACROSS] for start in range(0, len(cells), ACROSS)]
    lines = ["|" + " |" * ACROSS, "|" + "---|" * ACROSS]
    lines += [f"| {' | '.join(row + [''] * (ACROSS - len(row)))} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    write()
