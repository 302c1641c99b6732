"""The page that says how a project gets on."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import LIN, Installation, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def test_administrators_see_the_project_and_annotators_their_own_part(
    installation: Installation, chromium: Browser
) -> None:
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/progress")
        page = administrator.page
        await expect(page.get_by_role("heading", name="Progress", exact=True)).to_be_visible()
        now = page.get_by_role("region", name="Now")
        await expect(now.get_by_text("Open", exact=True)).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name="30 days").click()
        await expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
        await expect(page.get_by_role("heading", name="Agreement")).to_be_visible()
    async with visit(chromium, installation.url, LIN) as lin:
        await lin.page.get_by_role("link", name="Progress").click()
        await expect(lin.page.get_by_role("heading", name="My progress")).to_be_visible()
        await expect(lin.page.get_by_role("heading", name="Agreement")).to_have_count(0)
