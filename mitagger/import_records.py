"""What the sender's own machine remembers of its imports, so that one that was cut off can go on by the id of its job.

A file a job in the cache folder: first what is imported, then a line for each of the sender's files that could not be
read. The server needs none of it, and never learns where the sender's files lie. Kept for 30 days.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from services.ingest.manifest import Problem
from shared.errors import NotFound

KEPT_SECONDS: Final = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Record:
    """What an import was asked to bring. `state` is the fingerprint of the folder then, "" for a zip."""

    source: str
    manifest: str = ""
    state: str = ""


class Records:
    """Those of one cache folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, job: str, record: Record) -> None:
        """Older ones go."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob("*.jsonl"):
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                path.unlink(missing_ok=True)
        self._path(job).write_text(json.dumps(asdict(record)) + "\n", encoding="ascii")

    def note(self, job: str, problems: Sequence[Problem]) -> None:
        """Before the rows are sent that they are about."""
        if problems:
            with self._path(job).open("a", encoding="ascii") as file:
                file.writelines(json.dumps(asdict(problem)) + "\n" for problem in problems)

    def get(self, job: str) -> tuple[Record, list[Problem]]:
        """Raises NotFound."""
        try:
            first, *others = self._path(job).read_text(encoding="ascii").splitlines()
            record = Record(**json.loads(first))
        except (FileNotFoundError, ValueError, TypeError) as error:
            raise NotFound(
                f"This machine does not remember the import {job}.",
                remedy=f"Name what it imported: mitagger import FOLDER --resume {job}",
            ) from error
        problems = []
        for line in others:
            try:
                problems.append(Problem(**json.loads(line)))
            except (ValueError, TypeError):
                continue  # the last line of a process that was killed
        return record, problems

    def _path(self, job: str) -> Path:
        if not job.isalnum():
            raise NotFound(f"{job!r} is no import.", remedy="Its id was shown when it began.")
        return self._folder / f"{job}.jsonl"
