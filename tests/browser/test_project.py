"""The page on which a project is run: members, who gets what, rules."""

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import ANNOTATOR, LIN, Installation, visit
from tests.support.people import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def test_members_rules_and_who_gets_what_are_led_on_one_page(
    installation: Installation, chromium: Browser
) -> None:
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/project")
        page = administrator.page
        row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=LIN))
        await row.get_by_role("button", name="Change").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Observer").check()
        await dialog.get_by_label("Who reviews their work").select_option(label="grace")
        await dialog.get_by_role("button", name="Save").click()
        await expect(row).to_contain_text("Observer")
        await expect(row).to_contain_text("grace")

        await page.get_by_label("Imaging is required").check()
        await page.get_by_label("Imaging is tagged").uncheck()
        await page.get_by_role("button", name="Save rules").click()
        await expect(page.get_by_text("The axis imaging is required and not in use.")).to_be_visible()
        await page.get_by_label("Imaging is tagged").check()
        await page.get_by_label("Imaging is required").uncheck()
        await page.get_by_label("Tags of a figure at most").fill("40")
        await page.get_by_role("button", name="Save rules").click()
        await expect(page.get_by_text("The rules hold from now on")).to_be_visible()

        await page.get_by_role("group", name="To whom").get_by_label(LIN).check()
        await page.get_by_role("button", name="Show who gets what").click()
        shown = page.get_by_role("button", name="Hand out").or_(
            page.get_by_text("Every figure is with somebody already.")
        )
        await expect(shown.first).to_be_visible()


async def test_what_somebody_has_to_tag_is_moved_and_taken_back(installation: Installation, chromium: Browser) -> None:
    made, reviewer = installation.admin, installation.staff.reviewer
    noor = (await made.create_account("noor", PASSWORD, ["annotator"])).person
    for person in (noor, installation.staff.annotator):
        await made.set_member("default", person, ["annotator"], reviewer=reviewer)
    count = len(installation.assignments)
    figures = f"{count} figures"
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        await administrator.open("/project")
        work = administrator.page.locator("section").filter(has_text="Move work").last
        await work.get_by_label("From").select_option(label=LIN)
        team = work.get_by_role("group", name="Who gets them")
        # Both have all figures: there is nothing to move from one to the other.
        await team.get_by_label(ANNOTATOR).check()
        await work.get_by_role("button", name="Show what goes where").click()
        await expect(work.get_by_text("Nothing can be moved.")).to_be_visible()

        await team.get_by_label("noor").check()
        await work.get_by_role("button", name="Show what goes where").click()
        await expect(work.get_by_role("row").filter(has_text="noor")).to_contain_text(str(count))
        await work.get_by_role("button", name=f"Move {figures}").click()
        said = work.get_by_role("status").filter(has_text=f"{figures} moved from {LIN}: {count} to noor.")
        await expect(said).to_be_focused()
        await expect(work.get_by_text(f"{LIN} has nothing left to tag.")).to_be_visible()

        await work.get_by_label("From").select_option(label="noor")
        await work.get_by_label("To nobody").check()
        await work.get_by_role("button", name="Show what goes where").click()
        await work.get_by_role("button", name=f"Take back {figures}").click()
        await expect(work.get_by_text(f"{figures} taken back from noor")).to_be_visible()
    assert not [one async for one in made.assignments(relation="any", state="open") if one.annotator == noor]
