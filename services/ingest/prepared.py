"""Pages prepared for deep zoom, on this disk: bounded, those unused for longest go first. All can be made again.

Of each page there are two files: the pyramid (none where the original is read directly) and what is known of it, which
is written last. Their names begin with the figure's id, with which they go.
"""

import os
import re
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from services.ingest.pyramid_model import Prepared

VERSION: Final = 1  # of what is written: other ones are not read, and go
MOST_KNOWN: Final = 1_000  # pages whose description is kept in memory

_NAME: Final = re.compile(r"(?P<figure>[A-Za-z0-9_-]{1,100})\.(?P<file>[0-9a-f]{64})\.\d+\.v\d+\.(json|tif)")


class PreparedPages:
    """The pages in one folder. Blocking: it touches the disk."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most = most_bytes
        self._known: OrderedDict[str, Prepared] = OrderedDict()

    def find(self, figure: str, file: str, number: int, *, copied: bool = False) -> tuple[Path, Prepared] | None:
        """A page (of the blob `file`) and where its pyramid is, or would be. `copied`: originals that are read directly
        are read from copies here."""
        name = _name(figure, file, number)
        described, pyramid = self._folder / f"{name}.json", self._folder / f"{name}.tif"
        page = self._known.get(name)
        try:
            if page is None:
                page = Prepared.model_validate_json(described.read_bytes())
            os.utime(described)
            if copied or not page.direct:
                os.utime(pyramid)
        except (FileNotFoundError, ValidationError):
            self._known.pop(name, None)
            return None
        self._known[name] = page
        self._known.move_to_end(name)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return pyramid, page

    def keep(self, figure: str, file: str, number: int, page: Prepared, pyramid: Path | None) -> None:
        """Takes the pyramid (a file that is moved here), and makes room."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = _name(figure, file, number)
        if pyramid is not None:
            _move(pyramid, self._folder / f"{name}.tif")
        part = self._folder / f"{name}.part"
        part.write_text(page.model_dump_json(), encoding="utf-8")
        os.replace(part, self._folder / f"{name}.json")
        self._make_room()

    def figures(self) -> dict[str, set[str]]:
        """The blobs of which there are pages, by figure."""
        found: dict[str, set[str]] = {}
        for path in self._files():
            if named := _NAME.fullmatch(path.name):
                found.setdefault(named["figure"], set()).add(named["file"])
        return found

    def forget(self, figures: Iterable[str], *, but: str = "") -> None:
        """Their pages go, except those of the blob `but`."""
        gone = set(figures)
        self._drop(lambda name: name.partition(".")[0] in gone and (not but or name.split(".")[1] != but))

    def sweep(self) -> int:
        """What a killed process left half done, and what other versions wrote, goes. The bytes that are there."""
        self._drop(lambda name: not _NAME.fullmatch(name) or f".v{VERSION}." not in name)
        return self._make_room()

    def _files(self) -> list[Path]:
        return list(self._folder.iterdir()) if self._folder.exists() else []

    def _drop(self, chosen: Callable[[str], bool]) -> None:
        for path in self._files():
            if chosen(path.name):
                self._known.pop(path.stem, None)
                path.unlink(missing_ok=True)

    def _make_room(self) -> int:
        found = []
        for path in self._files():
            try:
                found.append((path.stat().st_mtime, path.stat().st_size, path))
            except FileNotFoundError:  # another process on this folder made room
                continue
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found)[:-2]:  # never the page that was just made
            if total <= self._most:
                break
            self._known.pop(path.stem, None)
            path.unlink(missing_ok=True)
            total -= size
        return total


def _name(figure: str, file: str, number: int) -> str:
    return f"{figure}.{file}.{number}.v{VERSION}"


def _move(source: Path, target: Path) -> None:
    """By name where both are on one file system."""
    part = target.with_suffix(".part")
    shutil.move(source, part)
    os.replace(part, target)
