"""The collection: found by filters that stand in the address, chosen and assigned without a mouse."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import HOSTILE, LEGENDS, Installation, shot, visit
from tests.support.people import until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_figures_are_found_chosen_and_assigned_by_keyboard(installation: Installation, chromium: Browser) -> None:
    async def indexed() -> bool:
        return (await installation.admin.search()).total == len(LEGENDS)

    await until(indexed, what="the search index")
    async with visit(chromium, installation.url) as administrator:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/collection")
        figures = page.get_by_role("listbox", name=re.compile("^Figures"))
        await expect(figures.get_by_role("option")).to_have_count(len(LEGENDS))
        await expect(figures).to_contain_text(HOSTILE[:40])
        await expect(figures.get_by_text("Not tagged yet")).to_have_count(len(LEGENDS))
        await shot(page, "figures")

        await figures.focus()
        for key in (" ", "ArrowRight", "Shift+ArrowDown"):
            await page.keyboard.press(key)
        chosen = figures.locator("[aria-selected=true]")
        assert await chosen.count() >= 3
        await page.keyboard.press("Escape")
        await expect(chosen).to_have_count(0)
        await page.keyboard.press("Home")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog", name="Figure 8")).to_contain_text("lin")
        await page.keyboard.press("Escape")

        await page.get_by_label("Words").fill("pancreas")
        await page.wait_for_url(re.compile("q=pancreas"))
        await expect(figures.get_by_role("option")).to_have_count(1)
        await page.get_by_role("button", name="Save them…").click()
        await page.get_by_label("Name of these filters").fill(HOSTILE[:50])
        await page.keyboard.press("Enter")
        await page.get_by_role("button", name="Remove filters").click()
        await expect(figures.get_by_role("option")).to_have_count(len(LEGENDS))
        await page.get_by_role("complementary", name="Filters").get_by_role("link").click()
        await expect(figures.get_by_role("option")).to_have_count(1)

        await figures.focus()
        await page.keyboard.press(" ")
        await page.get_by_role("button", name="Erase…").click()
        erasing = page.get_by_role("dialog", name="Erase figures for good")
        await expect(erasing).to_contain_text("1 figure")
        await expect(erasing.get_by_role("button", name="Erase")).to_be_disabled()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Export…").click()
        exporting = page.get_by_role("dialog", name="Export 1 figure")
        await exporting.get_by_role("button", name="Export", exact=True).click()
        await expect(exporting.get_by_role("link", name="Download")).to_be_visible()
        await shot(page, "export-selection")
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Assign…").click()
        await page.get_by_label("Annotator").select_option(installation.staff.annotator)
        await page.get_by_label("Reviewer").select_option(installation.staff.reviewer)
        await page.get_by_role("dialog").get_by_role("button", name="Assign").click()
        await expect(page.get_by_text("0 figures assigned.")).to_be_visible()  # she has it already
