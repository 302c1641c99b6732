"""A real server with figures to tag, and a real Chromium in front of it."""

import io
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Missing
from services.gateway.api.workbench import BUILT
from tests.support.images import png
from tests.support.people import ANNOTATOR, PASSWORD, REVIEWER, Staff, hired, until
from tests.support.server import Server

LIN: Final = "lin"
HOSTILE: Final = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'&amp; {{7*7}}"
# Each has two concepts or more, so that whatever comes next can be accepted and rejected from.
LEGENDS: Final = (
    "Axial MRI of the hippocampus. No fibrosis of the liver.",
    "Western blot of the retina in apoptosis, after treatment with ibuprofen.",
    "Femur of a patient with hypertension who took aspirin.",
    "Computed tomography of the lung with pneumonia.",
    "Histology of the pancreas with necrosis and inflammation.",
    "🧠 Coronal MRI of the cerebellum; the kidney is normal.",
    f"{HOSTILE} Ultrasound of the spleen.",
    ("The hippocampus is shown in panel A. " * 600)[:19_976] + " Ultrasound of the lung.",
)


@dataclass(slots=True)
class Installation:
    """All figures are assigned to two people. `assignments` are Lin's, in the order of LEGENDS: tests that open a
    certain figure work as Lin, those that take what comes next as Ada."""

    server: Server
    admin: AsyncClient
    staff: Staff
    assignments: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def key(self) -> str:
        """An administrator's."""
        return str(json.loads((self.server.data / "server.json").read_text(encoding="utf-8"))["key"])


def _chromium() -> str:
    """Debian's. Skips without it, but where CI says that it is mandatory."""
    found = os.environ.get("MITAGGER_TEST_CHROMIUM") or shutil.which("chromium")
    if found is None or not BUILT.exists():
        missing = "There is no Chromium (apt-get install chromium)" if found is None else "The workbench is not built"
        if os.environ.get("CI"):
            raise AssertionError(f"{missing}.")
        pytest.skip(f"{missing}; `make browser` does what it can.")
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    path = _chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> AsyncIterator[Installation]:
    """Asked for after Chromium, so that nothing starts where the suite is skipped."""
    server = Server(tmp_path_factory.mktemp("browser"))
    await server.start()
    try:
        async with server.client() as admin:
            made = Installation(server, admin, await hired(admin))
            await _brought(made)
            yield made
        assert await server.stop() == 0
        assert "Traceback" not in server.told()
    finally:
        await server.kill()


async def _brought(made: Installation) -> None:
    job = await made.admin.start_import("browser", len(LEGENDS))
    rows = []
    for number, legend in enumerate(LEGENDS, start=1):
        upload = (await made.admin.upload(io.BytesIO(png(number)))).upload
        label = HOSTILE[:80] if legend.startswith(HOSTILE) else f"Figure {number}"
        rows.append(
            {
                "row": number,
                "collection": "browser",
                "file": f"{number}.png",
                "upload": upload,
                "label": label,
                "legend": legend,
            }
        )
    results = await made.admin.import_rows(job.id, rows)
    figures = [str(result.figure) for result in results]

    async def ready() -> bool:
        try:
            states = [(await made.admin.recommendations(figure)).state for figure in figures]
        except Missing:
            return False
        return "pending" not in states

    await until(ready, what="recommendations", seconds=120)
    lin = (await made.admin.create_account(LIN, PASSWORD, ["annotator"])).person
    await made.admin.assign(figures=figures, annotator=made.staff.annotator, reviewer=made.staff.reviewer)
    by_figure = {
        one.figure: one.id
        for one in (await made.admin.assign(figures=figures, annotator=lin, reviewer=made.staff.reviewer)).items
    }
    made.assignments = [by_figure[figure] for figure in figures]


@dataclass(slots=True)
class Visit:
    """A page of one person, and what went wrong on it."""

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    async def sign_in(self, name: str) -> None:
        await self.page.goto(self.url)
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.keyboard.press("Enter")
        await self.page.wait_for_selector("nav a")

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)
        await self.page.wait_for_selector("main")


@asynccontextmanager
async def visit(browser: Browser, url: str, name: str | None = None, *, dark: bool = False) -> AsyncIterator[Visit]:
    """A fresh browser. Fails at its end when a script failed, a dialog came up, or the policy refused something."""
    context = await browser.new_context(
        viewport={"width": 1280, "height": 800}, color_scheme="dark" if dark else "light", accept_downloads=True
    )
    context.set_default_timeout(15_000)
    page = await context.new_page()
    made = Visit(page, url)

    def noticed(message: ConsoleMessage) -> None:
        # Answers such as 401 before signing in are told by the browser, too; they are no fault.
        if message.type == "error" and "Failed to load resource" not in message.text:
            made.wrong.append(message.text)

    page.on("console", noticed)
    page.on("pageerror", lambda error: made.wrong.append(str(error)))
    page.on("dialog", lambda dialog: made.wrong.append(f"dialog: {dialog.message}"))
    try:
        if name is not None:
            await made.sign_in(name)
        yield made
        assert made.wrong == []
    finally:
        await context.close()


async def shot(page: Page, name: str) -> None:
    """For whoever works on these pages: a picture in the folder MITAGGER_TEST_SHOTS."""
    if folder := os.environ.get("MITAGGER_TEST_SHOTS"):
        await page.wait_for_timeout(300)
        await page.screenshot(path=f"{folder}/{name}.png")


async def assignment(installation: Installation, index: int) -> m.Assignment:
    """As the server has it now."""
    return await installation.admin.assignment(installation.assignments[index])


__all__ = ["ANNOTATOR", "HOSTILE", "LEGENDS", "LIN", "REVIEWER", "Installation", "Visit", "assignment", "shot", "visit"]
