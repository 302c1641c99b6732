"""Every page, light and dark, as axe-core sees it."""

from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page

from services.gateway.api.workbench import BUILT
from tests.browser.conftest import LIN, Installation, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

AXE: Final = Path(BUILT).parent / "node_modules" / "axe-core" / "axe.min.js"


async def findings(page: Page) -> list[str]:
    """Serious and critical ones: rule and element."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = await page.evaluate("() => axe.run()")
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_no_page_has_a_serious_barrier(installation: Installation, chromium: Browser, dark: bool) -> None:
    barriers: dict[str, list[str]] = {}
    async with visit(chromium, installation.url, dark=dark) as stranger:
        await stranger.page.goto(installation.url)
        await stranger.page.get_by_label("Name").wait_for()
        barriers["sign in"] = await findings(stranger.page)
    async with visit(chromium, installation.url, LIN, dark=dark) as ada:
        tagging = f"/figure/{installation.assignments[5]}"
        for path in ("/work", tagging, "/find?q=lung", "/vocabularies", "/account", "/nonsense"):
            await ada.open(path)
            await ada.page.wait_for_load_state("networkidle")
            barriers[path] = await findings(ada.page)
        await ada.page.get_by_role("button", name="Keys").click()
        barriers["keys"] = await findings(ada.page)
    async with visit(chromium, installation.url, dark=dark) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        for path in (
            "/collection",
            "/import",
            "/quarantine",
            "/vocabularies",
            "/export",
            "/people",
            "/progress",
            "/project",
            "/projects",
            "/adjudication",
            "/system",
            "/audit",
        ):
            await administrator.open(path)
            await administrator.page.wait_for_load_state("networkidle")
            barriers[path] = await findings(administrator.page)
    assert {path: found for path, found in barriers.items() if found} == {}
