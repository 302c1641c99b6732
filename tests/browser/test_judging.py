"""Adjudicating by one key a difference, reviewers who change what they review, and going back in history."""

import re
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from mitagger.client import AsyncClient
from tests.browser.conftest import ANNOTATOR, LIN, REVIEWER, Installation, shot, visit
from tests.browser.test_accessibility import findings
from tests.browser.test_workbench import added, press, saved
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

EYE = {"kind": "add", "axis": "anatomy", "curie": "UBERON:0000970", "label": "eye", "ontology": "UBERON"}
RETINA = {"kind": "add", "axis": "anatomy", "curie": "UBERON:0000966", "label": "retina", "ontology": "UBERON"}
BLOT = {"kind": "add", "axis": "imaging", "text": "western blot of a kind"}
SHEET = {"kind": "add", "axis": "imaging", "text": "light sheet"}


async def submitted(installation: Installation, index: int, who: str, *decisions: dict[str, Any]) -> tuple[str, str]:
    """Their assignment of the figure, with these tags, and the figure."""
    lins = await installation.admin.assignment(installation.assignments[index])
    figure = lins.figure.id
    ids = [one.id async for one in installation.admin.assignments(figure=figure)]
    id = lins.id if who == LIN else next(one for one in ids if one != lins.id)
    async with AsyncClient(installation.url) as client:
        await client.sign_in(who, PASSWORD)
        for decision in decisions:
            await client.decide(id, decision)
        await client.submit(id)
    return id, figure


async def test_differences_are_settled_by_one_key_each(installation: Installation, chromium: Browser) -> None:
    await submitted(installation, 1, ANNOTATOR, BLOT, EYE)
    lins, figure = await submitted(installation, 1, LIN, BLOT, RETINA, SHEET)
    async with (
        visit(chromium, installation.url, REVIEWER) as grace,
        visit(chromium, installation.url, LIN, dark=True) as lin,
    ):
        page = grace.page
        await lin.open(f"/figure/{lins}")
        outcome = lin.page.get_by_role("region", name="Several people tagged this figure")
        await expect(lin.page.get_by_text("Submitted", exact=True)).to_be_visible()
        await expect(outcome).to_be_hidden()
        await grace.open("/review")
        both = page.get_by_role("listitem").filter(has_text="Figure 2")
        await expect(both).to_have_count(2)
        whose = re.compile("Annotator \\w+")
        assert len({whose.findall(text)[0] for text in await both.all_inner_texts()}) == 2
        await shot(page, "review")
        await page.get_by_role("link", name="Adjudication").click()
        await expect(page.get_by_role("listitem").filter(has_text="Figure 2")).to_be_visible()
        await shot(page, "queue")
        barriers = await findings(page)
        await press(page, "n")
        await expect(page.get_by_text("2 differences open")).to_be_visible()
        # The retina is a part of the eye: one question.
        await expect(page.get_by_text("One is a kind or a part of the other.")).to_be_visible()
        await shot(page, "adjudication")
        await press(page, "2")
        await expect(page.get_by_text("1 difference open")).to_be_visible()
        await press(page, "x")
        await expect(page.get_by_text("Nothing open")).to_be_visible()
        barriers += await findings(page)
        await shot(page, "adjudicated")
        await press(page, "Control+Enter")
        await page.wait_for_url(re.compile("/adjudication$"))
        await grace.open(f"/adjudication/{figure}")
        await expect(page.get_by_text("Settled", exact=True)).to_be_visible()
        # Whose tags these are learns what became of them, where they are looked at.
        await expect(outcome).to_contain_text(
            re.compile("Dropped\\s*light sheet\\s*Kept\\s*western blot of a kind\\s*retina")
        )
        await shot(lin.page, "settled-dark")
        assert barriers + await findings(lin.page) == []
    async with visit(chromium, installation.url, REVIEWER, dark=True) as grace:
        await grace.open(f"/adjudication/{figure}")
        await expect(grace.page.get_by_text("Where they agree")).to_be_visible()
        assert await findings(grace.page) == []
        await shot(grace.page, "adjudicated-dark")
    settled = await installation.admin.adjudication(figure)
    assert [tag.label for tag in settled.final] == ["western blot of a kind", "retina"]


async def test_a_reviewer_changes_what_they_review_and_the_annotator_goes_back(
    installation: Installation, chromium: Browser
) -> None:
    id, _ = await submitted(installation, 2, ANNOTATOR, BLOT)
    async with visit(chromium, installation.url, REVIEWER) as grace:
        page = grace.page
        await grace.open(f"/figure/{id}")
        await added(page, "femur")
        await expect(page.get_by_role("list", name="Tags of this figure")).to_contain_text("reviewer")
        await page.get_by_role("button", name="Return…").click()
        await page.get_by_text("Or say it of single tags").click()
        await page.get_by_role("textbox", name="western blot of a kind").fill("Which kind?")
        await shot(page, "returning")
        await page.get_by_role("button", name="Return", exact=True).click()
        await page.wait_for_url(lambda url: id not in url)
    async with visit(chromium, installation.url, ANNOTATOR) as ada:
        page = ada.page
        await ada.open(f"/figure/{id}")
        await expect(page.get_by_text("Which kind?")).to_be_visible()
        tags = page.get_by_role("list", name="Tags of this figure")
        await page.get_by_role("button", name="Remove western blot of a kind").click()
        await saved(page)
        await page.get_by_role("button", name="History").click()
        await page.get_by_role("button", name=re.compile("^Returned")).click()
        await expect(page.get_by_text("As it stood then: 2 tags")).to_be_visible()
        await shot(page, "history")
        assert await findings(page) == []
        await page.get_by_role("button", name="Go back to this").click()
        await expect(tags).to_contain_text("western blot of a kind")
        await page.get_by_role("button", name="Remove western blot of a kind").click()
        await press(page, "Control+Enter")
        await page.wait_for_url(lambda url: id not in url)
    async with visit(chromium, installation.url, REVIEWER) as grace:
        await grace.open(f"/figure/{id}")
        await expect(grace.page.get_by_text("Since it was returned:")).to_be_visible()
        await expect(grace.page.locator("del")).to_have_text("western blot of a kind")
        await shot(grace.page, "difference")
        assert await findings(grace.page) == []
    assert [tag.annotator for tag in (await installation.admin.assignment(id)).tags] == [installation.staff.reviewer]
