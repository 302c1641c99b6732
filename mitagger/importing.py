"""Bringing a folder or a zip to a server: files uploaded, rows sent in order, problems collected."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mitagger.client import AsyncClient
from services.ingest.archive import copy, open_bundle, rows
from services.ingest.manifest import Problem, Row
from shared.archive import Bundle
from shared.errors import Invalid

# Rows in one request: enough to keep the server's renderers busy, few enough to show progress.
BATCH: Final = 16
# Rows without files cost the server little.
BATCH_WITHOUT_FILES: Final = 200
IN_MEMORY: Final = 8 << 20


@dataclass(slots=True)
class Brought:
    """What became of an import. `problems` has the rows that did not go in, and warnings."""

    job: str = ""
    created: int = 0
    existing: int = 0
    rejected: int = 0
    problems: list[Problem] = field(default_factory=list)


async def bring(
    client: AsyncClient, path: Path, *, told: Callable[[int, int], None] = lambda done, total: None
) -> Brought:
    """Imports what is at `path`; `told` hears (rows done, rows in all) after each request.

    Sending the same folder again changes nothing: what went in is found there. Raises NotFound, Invalid, TooLarge when
    nothing of it can be read; the client's errors when the server cannot be reached.
    """
    with await asyncio.to_thread(open_bundle, path) as bundle:
        items = await asyncio.to_thread(lambda: list(rows(bundle)))
        wanted = [item for item in items if isinstance(item, Row)]
        brought = Brought(problems=[item for item in items if isinstance(item, Problem)])
        brought.rejected = sum(problem.severity == "error" for problem in brought.problems)
        total = len(wanted) + brought.rejected
        brought.job = (await client.start_import(bundle.name[:200], len(wanted))).id
        size = BATCH if any(row.file for row in wanted) else BATCH_WITHOUT_FILES
        for start in range(0, len(wanted), size):
            await _send(client, bundle, wanted[start : start + size], brought)
            told(brought.created + brought.existing + brought.rejected, total)
    return brought


async def _send(client: AsyncClient, bundle: Bundle, batch: Sequence[Row], brought: Brought) -> None:
    uploads = await asyncio.gather(*(_upload(client, bundle, row) for row in batch))
    sent, unread = [], dict[int, Problem]()
    for row, upload in zip(batch, uploads, strict=True):
        values = row.model_dump(exclude={"number"}, exclude_defaults=True)
        if isinstance(upload, Problem):
            # Sent all the same, so that the server counts it; it refuses a file that did not come.
            unread[row.number] = upload
        sent.append({**values, "row": row.number, "upload": None if row.number in unread else upload})
    files = {row.number: row.file for row in batch}
    for result in await client.import_rows(brought.job, sent):
        brought.created += result.status == "created"
        brought.existing += result.status == "existing"
        brought.rejected += result.status == "rejected"
        if result.row in unread:
            brought.problems.append(unread[result.row])
        elif result.problem is not None:
            brought.problems.append(
                Problem(
                    result.problem.detail,
                    result.problem.remedy,
                    result.row,
                    result.problem.field,
                    files[result.row],
                    "error" if result.status == "rejected" else "warning",
                )
            )


async def _upload(client: AsyncClient, bundle: Bundle, row: Row) -> str | Problem | None:
    if not row.file:
        return None
    with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as content:
        try:
            await asyncio.to_thread(copy, bundle, row.file, content)
        except Invalid as problem:
            return Problem(problem.message, problem.remedy, row.number, "file", row.file)
        content.seek(0)
        return (await client.upload(content)).upload
