"""What a search leads to, for each as far as they may look; and pages that are not for somebody."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import ANNOTATOR, LIN, Installation, shot, visit
from tests.browser.test_accessibility import findings
from tests.browser.test_judging import BLOT, RETINA, submitted
from tests.support.people import PASSWORD, REVIEWER, signed_in, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def test_what_is_found_leads_to_ones_own_figure_and_back(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.clock.install()
        await lin.open("/find")
        await page.get_by_label("Search figures").fill("femur")
        await expect(page.get_by_role("heading", name="1 figure")).to_be_visible()
        await page.get_by_role("link", name="Figure 3").click()
        await page.wait_for_url(re.compile(f"/figure/{installation.assignments[2]}"))
        await page.go_back()
        await expect(page.get_by_label("Search figures")).to_have_value("femur")
        await expect(page.get_by_role("link", name="Figure 3")).to_be_visible()
        # What was typed last is asked for nowhere else.
        await page.get_by_label("Search figures").fill("femu")
        await page.get_by_role("navigation").get_by_role("link", name="My work").click()
        await expect(page.get_by_role("heading", name="My work")).to_be_visible()
        await page.clock.fast_forward(1000)  # longer than typing is waited for
        await expect(page).to_have_url(re.compile("/work$"))


async def test_observers_look_at_what_they_find_and_read_which_pages_are_not_theirs(
    installation: Installation, chromium: Browser
) -> None:
    await installation.admin.create_account("olga", PASSWORD, ["observer"])
    await submitted(installation, 2, ANNOTATOR, BLOT)
    lins, _ = await submitted(installation, 2, LIN, RETINA)
    async with signed_in(installation.url, REVIEWER) as grace:
        await grace.review(lins, "approved")

    async def final() -> bool:
        return bool((await installation.admin.search(status="approved")).total)

    await until(final, what="the approved figure in the search index")
    async with visit(chromium, installation.url, "olga") as olga:
        page = olga.page
        await olga.open("/find?q=femur")
        await page.get_by_role("button", name="Figure 3").click()
        figure = page.get_by_role("dialog", name="Figure 3")
        await expect(figure.locator("img")).to_be_visible()
        await expect(figure).to_contain_text("Femur of a patient with hypertension who took aspirin.")
        await expect(figure.get_by_role("table")).to_have_count(0)  # who has it is not theirs to know
        # Nor is what nobody has approved.
        await expect(figure.get_by_role("list", name="Tags")).to_have_text("retina")
        await shot(page, "observed")
        await page.keyboard.press("Escape")
        await shot(page, "find-observer")
        assert await findings(page) == []
        await olga.open("/import")
        await expect(page.get_by_role("heading", name="This page is not for you here")).to_be_visible()
        await page.get_by_role("link", name="Search figures").click()
        await expect(page.get_by_label("Search figures")).to_be_visible()
