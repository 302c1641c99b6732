"""Who works in end-to-end tests and drills, and how they wait."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from mitagger.client import AsyncClient
from mitagger.client.errors import Conflict
from mitagger.client.models import Role

ANNOTATOR, REVIEWER = "ada", "grace"
PASSWORD: Final = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class Staff:
    """Pseudonyms by name."""

    annotator: str
    reviewer: str

    def names(self) -> dict[str, str]:
        return {self.annotator: ANNOTATOR, self.reviewer: REVIEWER}


async def hired(admin: AsyncClient) -> Staff:
    """The sample people's accounts, made where they are missing."""
    roles: tuple[tuple[str, Role], ...] = ((ANNOTATOR, "annotator"), (REVIEWER, "reviewer"))
    for name, role in roles:
        with suppress(Conflict):  # made before an answer was lost
            await admin.create_account(name, PASSWORD, [role])
    people = {account.name: account.person async for account in admin.accounts()}
    return Staff(people[ANNOTATOR], people[REVIEWER])


@asynccontextmanager
async def signed_in(url: str, name: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url) as client:
        await client.sign_in(name, PASSWORD)
        yield client


async def until(condition: Callable[[], Awaitable[bool]], *, what: str, seconds: float = 120.0) -> None:
    """Looks again and again. Raises AssertionError when the condition does not come true in time."""
    try:
        async with asyncio.timeout(seconds):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"Not within {seconds:.0f} s: {what}") from None


async def exported(admin: AsyncClient) -> list[dict[str, str]]:
    """The rows of an export of all figures."""
    job = await admin.start_export("csv", ["new", "provisional", "returned", "approved"])
    job = await admin.finished_export(job.id, seconds=120)
    assert job.url is not None
    content = io.BytesIO()
    await admin.download(job.url, content)
    return list(csv.DictReader(io.StringIO(content.getvalue().decode("utf-8-sig"), newline=""), strict=True))
