"""The ledger of erasures: which figures were erased, and nothing of them.

It lies outside of what a restore replaces, so that a backup which still holds a figure cannot bring it back: ingest
erases it again when it starts.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from shared.clock import now
from shared.errors import Unavailable


class Erasures(Protocol):
    """Adding twice is adding once."""

    async def add(self, figures: Sequence[str]) -> None:
        """Durable when it returns. Raises Unavailable."""

    async def all(self) -> list[str]:
        """Every figure that was ever added. Raises Unavailable."""


class FileErasures:
    """A file with a line for each: the figure's id, and when."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def add(self, figures: Sequence[str]) -> None:
        await asyncio.to_thread(self._add, figures)

    async def all(self) -> list[str]:
        return await asyncio.to_thread(self._all)

    def _add(self, figures: Sequence[str]) -> None:
        known = set(self._all())
        lines = [f"{figure} {now().isoformat()}\n" for figure in figures if figure not in known]
        try:
            with self._path.open("a+b") as file:
                if file.tell() and self._torn(file):  # a line that was cut off by a power loss
                    lines.insert(0, "\n")
                file.write("".join(lines).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable("erasures", f"{self._path} cannot be written to: {error.strerror}.") from error

    def _torn(self, file: Any) -> bool:
        file.seek(-1, os.SEEK_END)
        return bool(file.read(1) != b"\n")

    def _all(self) -> list[str]:
        try:
            lines = self._path.read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise Unavailable("erasures", f"{self._path} cannot be read: {error.strerror}.") from error
        return list(dict.fromkeys(line.split(" ")[0] for line in lines if " " in line))
