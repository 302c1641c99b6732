"""What a project asks of tags, where somebody hands a figure over."""

import os

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import HOSTILE, LIN, Installation, shot, visit
from tests.browser.test_accessibility import findings
from tests.browser.test_workbench import press

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

TEXT = {"kind": "add", "axis": "imaging", "text": "light sheet"}


async def test_no_tag_applies_is_said_of_each_axis_that_the_project_requires(
    installation: Installation, chromium: Browser
) -> None:
    await installation.admin.set_rules("default", required=["imaging", "disease"])
    id = installation.assignments[0]
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        answer = await lin.context.request.post(f"{lin.url}/api/v1/assignments/{id}/decisions", data=TEXT)
        assert answer.ok, await answer.text()
        await page.goto(f"{lin.url}/figure/{id}")
        await expect(page.get_by_text("1 tag", exact=True)).to_be_visible()
        await press(page, "Control+Enter")
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("button", name="Submit")).to_be_disabled()
        assert await dialog.get_by_role("checkbox").count() == 1
        barriers = await findings(page)
        if folder := os.environ.get("MITAGGER_SHOTS"):
            await page.screenshot(path=f"{folder}/required.png")
        await dialog.get_by_role("checkbox").check()
        await dialog.get_by_role("button", name="Submit").click()
        await expect(page.get_by_text("Submitted for review.")).to_be_visible()
    assert barriers == []
    assert (await installation.admin.assignment(id)).no_tag_on == ["disease"]


async def test_guidelines_are_formatted_and_html_in_them_stays_text(
    installation: Installation, chromium: Browser
) -> None:
    text = f"# What to tag\n\n| organ | axis |\n|---|---|\n| liver | anatomy |\n\n{HOSTILE}\n\n![x](https://example.org/x.png)"
    await installation.admin.write_guidelines("default", text)
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.goto(f"{lin.url}/figure/{installation.assignments[1]}")
        await page.get_by_role("button", name="Guidelines").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("heading", name="What to tag")).to_be_visible()
        await expect(dialog.get_by_role("cell", name="liver")).to_be_visible()
        await expect(dialog.get_by_text("<script>alert(2)</script>")).to_be_visible()
        assert await dialog.locator("img, script").count() == 0
        assert await findings(page) == []
        await shot(page, "guidelines")
