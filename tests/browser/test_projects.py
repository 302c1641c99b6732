"""Several projects: one is begun, led and archived; nobody sees another one's."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import LIN, Installation, shot, visit
from tests.browser.test_accessibility import findings

EYE: Final = "atlas-of-the-eye"
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


async def _in_two(installation: Installation) -> None:
    """Lin is an annotator of a second project, too."""
    if EYE not in {project.id for project in await installation.admin.projects()}:
        await installation.admin.create_project("Atlas of the eye")
    lin = next(one.person for one in await installation.admin.members("default") if one.name == LIN)
    await installation.admin.set_member(EYE, lin, ["annotator"])


async def test_a_second_project_has_figures_people_and_an_end_of_its_own(
    installation: Installation, chromium: Browser
) -> None:
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        page, chosen = administrator.page, administrator.page.get_by_role("combobox", name="Project", exact=True)
        await administrator.open("/project")
        await expect(chosen).to_have_count(0)  # there is nothing to choose yet
        await page.get_by_role("link", name="All projects").click()
        await page.get_by_label("Name", exact=True).fill("Atlas of the eye")
        await shot(page, "projects")
        assert await findings(page) == []
        await page.get_by_role("button", name="Create").click()

        await expect(page.get_by_role("heading", name="Atlas of the eye")).to_be_visible()
        await expect(chosen).to_have_value("atlas-of-the-eye")
        await page.get_by_role("button", name="Add a member").click()
        await page.get_by_label("Name of the account").fill(LIN[:2])
        await expect(page.locator(f"datalist option[value={LIN}]")).to_have_count(1)
        await page.get_by_label("Name of the account").fill(LIN)
        await page.get_by_role("dialog").get_by_role("button", name="Save").click()
        await expect(page.get_by_role("rowheader", name=LIN)).to_be_visible()

        await page.get_by_role("link", name="Figures", exact=True).click()
        await expect(page.get_by_role("heading", name="No figures yet")).to_be_visible()
        await chosen.select_option("default")
        await expect(page.get_by_role("heading", name=re.compile(r"^\d+ figures$"))).to_be_visible()
        await expect(page).to_have_url(re.compile(r"/collection\?project=default$"))
        await page.go_back()
        await expect(page.get_by_role("heading", name="No figures yet")).to_be_visible()
        await shot(page, "projects-figures")


async def test_people_in_two_projects_go_on_where_they_were_and_figures_lead_to_their_own(
    installation: Installation, chromium: Browser
) -> None:
    await _in_two(installation)
    async with visit(chromium, installation.url, LIN) as lin:
        page, chosen = lin.page, lin.page.get_by_role("combobox", name="Project", exact=True)
        await expect(chosen).to_have_value("default")
        waiting = page.get_by_role("link", name=re.compile("^Figure"))
        await expect(waiting.first).to_be_visible()
        await chosen.select_option(label="Atlas of the eye")
        await expect(page).to_have_url(re.compile(r"/work\?project=atlas-of-the-eye$"))
        await expect(waiting).to_have_count(0)
        await expect(page.get_by_text("In your other projects:")).to_contain_text(re.compile(r"Default \d+ wait"))
        await shot(page, "projects-elsewhere")
        # A figure leads to its own project, whatever was chosen.
        await lin.open(f"/figure/{installation.assignments[0]}")
        await expect(chosen).to_have_value("default")
        await chosen.select_option(label="Atlas of the eye")

        # The next visit begins where this one ended.
        await lin.open("/work")
        await expect(chosen).to_have_value("atlas-of-the-eye")
        await lin.open("/work?project=nowhere")
        await expect(page.get_by_role("heading", name="You are not in this project")).to_be_visible()
        await page.get_by_role("link", name="Atlas of the eye").click()
        await expect(chosen).to_have_value("atlas-of-the-eye")


async def test_an_archived_project_is_marked_and_offers_no_work(installation: Installation, chromium: Browser) -> None:
    await _in_two(installation)
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        page = administrator.page
        await administrator.open("/project?project=atlas-of-the-eye")
        await page.get_by_label("Name", exact=True).fill("Eye atlas")
        await page.get_by_role("button", name="Rename").click()
        await expect(page.get_by_role("heading", name="Eye atlas", exact=True)).to_be_visible()
        await page.get_by_role("button", name="Archive…").click()
        await page.get_by_role("dialog").get_by_role("button", name="Archive").click()
        await expect(page.get_by_role("status").filter(has_text="is archived")).to_be_visible()
        await expect(page.get_by_role("link", name="Import", exact=True)).to_have_count(0)
        await shot(page, "projects-archived")
        assert await findings(page) == []

    async with visit(chromium, installation.url, LIN) as lin:
        await lin.open("/?project=atlas-of-the-eye")
        await expect(lin.page).to_have_url(re.compile(r"/find\?project="))
        await expect(lin.page.get_by_role("status").filter(has_text="is archived")).to_be_visible()
        await expect(lin.page.get_by_role("link", name="My work", exact=True)).to_have_count(0)
        await lin.open("/work?project=atlas-of-the-eye")
        await expect(lin.page.get_by_role("heading", name="This project is archived")).to_be_visible()
        await lin.open("/work")  # work goes on where there is some
        await expect(lin.page.get_by_role("combobox", name="Project", exact=True)).to_have_value("default")
        await expect(lin.page.get_by_role("heading", name="My work")).to_be_visible()
