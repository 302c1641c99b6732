"""What a project asks of tags, where somebody hands a figure over."""

import os

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import LIN, Installation, visit
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
