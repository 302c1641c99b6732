"""Gold and newcomers in a real Chromium: a figure is made gold, somebody qualifies on it and sees how it went."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import Installation, shot, visit
from tests.browser.test_accessibility import findings
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_a_newcomer_qualifies_on_gold_and_sees_how_it_went(installation: Installation, chromium: Browser) -> None:
    admin, staff, url = installation.admin, installation.staff, installation.url
    id = installation.assignments[0]
    tags = (
        {"kind": "add", "axis": "imaging", "text": "spectrometry"},
        {"kind": "add", "axis": "anatomy", "text": "lobe"},
    )
    async with visit(chromium, url, "lin") as lin:
        for body in tags:
            answer = await lin.context.request.post(f"{url}/api/v1/assignments/{id}/decisions", data=body)
            assert answer.ok, await answer.text()
        await lin.context.request.post(f"{url}/api/v1/assignments/{id}/submit", data={"no_tag_applies": False})
    async with visit(chromium, url, "grace") as grace:
        verdict = {"verdict": "approved", "comment": ""}
        assert (await grace.context.request.post(f"{url}/api/v1/assignments/{id}/review", data=verdict)).ok

    newcomer = (await admin.create_account("nell", PASSWORD, ["annotator"])).person
    await admin.set_member("default", newcomer, ["annotator"], reviewer=staff.reviewer)
    async with visit(chromium, url) as manager:
        page = manager.page
        await manager.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await manager.open(f"/figure/{id}")
        await page.get_by_role("button", name="Make gold…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Make gold").click()
        await expect(page.get_by_role("button", name="Gold", exact=True)).to_be_visible()
        await manager.open("/project")
        await page.get_by_role("button", name="Change…", exact=True).click()
        await page.get_by_label("Newcomers tag gold figures first").check()
        await page.get_by_label("Figures", exact=True).fill("1")
        await page.get_by_label("Attempts").fill("1")
        await shot(page, "standards")
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        await expect(page.get_by_text("on 1 gold figure, 1 attempt")).to_be_visible()

    async with visit(chromium, url, "nell") as nell:
        page = nell.page
        await page.get_by_role("button", name=re.compile("Take one that nobody has")).click()
        await expect(page.get_by_text("To qualify")).to_be_visible()
        await page.get_by_role("button", name=re.compile("^Submit")).click()
        await page.get_by_role("button", name="No tag applies: submit").click()
        dialog = page.get_by_role("dialog", name="How it went")
        await expect(dialog).to_contain_text("spectrometry")
        await expect(dialog).to_contain_text("That was the last attempt.")
        await shot(page, "feedback")
        assert await findings(page) == []

    async with visit(chromium, url) as manager:
        page = manager.page
        await manager.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await manager.open("/project")
        await expect(page.get_by_role("row", name=re.compile("nell.*No attempt left"))).to_be_visible()
        await shot(page, "newcomers")
        await page.get_by_role("button", name="Let in…").click()
        await page.get_by_label("Why?").fill("Wrote the guidelines.")
        await page.get_by_role("dialog").get_by_role("button", name="Let in").click()
        await expect(page.get_by_role("row", name=re.compile("nell.*Wrote the guidelines"))).to_be_visible()
        assert await findings(page) == []
