"""One's account, and what administrators did."""

import re

import pytest
from playwright.async_api import Browser, expect

from mitagger.client import AsyncClient
from mitagger.client.errors import ClientError
from tests.browser.conftest import LIN, Installation, visit
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def test_a_key_is_shown_once_works_and_stops_when_it_is_revoked(
    installation: Installation, chromium: Browser
) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.get_by_role("link", name=LIN).click()
        await expect(page.get_by_text("This one")).to_be_visible()
        await page.get_by_label("What is it for?").fill("notebook")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Copy this key now")
        key = await dialog.locator("code.key").inner_text()
        await page.keyboard.press("Escape")
        assert key not in await page.content()
        async with AsyncClient(installation.url, key=key) as script:
            assert [one async for one in script.assignments()]
        await page.get_by_role("button", name="Revoke…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(page.get_by_text("The key is revoked.")).to_be_visible()
        # A wrong password is no session that has ended.
        await page.get_by_label("Password now").fill("not this one")
        await page.get_by_label("New password").fill(f"{PASSWORD} again")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("The old password is wrong.")).to_be_visible()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        async with AsyncClient(installation.url, key=key) as script:
            with pytest.raises(ClientError):
                assert [one async for one in script.assignments()]


async def test_what_administrators_did_is_read_and_narrowed(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url) as administrator:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/audit")
        await page.get_by_label("Filter what is shown").fill(f"created an account {LIN}".split()[0])
        await expect(page.get_by_role("row").filter(has_text=re.compile("Created an account")).first).to_be_visible()
        async with page.expect_download() as file:
            await page.get_by_role("button", name="Download as CSV").click()
        assert (await file.value).suggested_filename == "mitagger-record.csv"


async def test_the_system_page_follows_what_happens(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url) as administrator:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        async with page.expect_response(lambda answer: "/events/stream?" in answer.url) as stream:
            await administrator.open("/system")
        assert (await stream.value).status == 200
        await expect(page.get_by_text("as of")).to_be_visible()
        new = page.locator(".figures .card").filter(has_text="Not tagged yet").locator("strong")
        before = int(await new.inner_text())
        job = await installation.admin.start_import("one more", 1)
        await installation.admin.import_rows(job.id, [{"row": 1, "collection": "more", "legend": "A femur."}])
        # Sooner than the page asks by itself.
        await expect(new).to_have_text(str(before + 1), timeout=10_000)


async def test_who_lost_the_password_gets_a_link_and_who_leaves_is_disabled(
    installation: Installation, chromium: Browser
) -> None:
    await installation.admin.create_account("noor", PASSWORD, ["observer"])
    async with visit(chromium, installation.url) as administrator, visit(chromium, installation.url) as noor:
        page = administrator.page
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/people")
        await page.get_by_role("button", name="New link… for noor").click()
        await page.get_by_role("button", name="Make the link").click()
        link = await page.get_by_role("dialog", name="Hand this link to noor").locator("code").inner_text()
        await page.get_by_role("button", name="I have it").click()
        await noor.page.goto(link)
        await noor.page.get_by_label("New password").fill(f"{PASSWORD} again")
        await noor.page.keyboard.press("Enter")
        await noor.page.wait_for_selector("nav a")

        await page.get_by_role("button", name="Disable… noor").click()
        await page.get_by_role("dialog").get_by_role("button", name="Disable").click()
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="noor"))
        await expect(row).to_contain_text("Disabled")
        await noor.page.reload()
        await expect(noor.page.get_by_role("button", name="Sign in")).to_be_visible()
        await noor.page.goto(link)
        await expect(noor.page.get_by_role("alert")).to_contain_text("Ask an administrator for a new one.")
        await page.get_by_role("button", name="Enable noor").click()
        await expect(row).to_contain_text("Active")
