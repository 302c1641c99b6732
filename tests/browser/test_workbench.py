"""The workbench in a real Chromium: the main job by keyboard alone, and what goes wrong on a bad day."""

import asyncio
import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.browser.conftest import ANNOTATOR, HOSTILE, LIN, REVIEWER, Installation, assignment, visit
from tests.support.people import PASSWORD, until

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def opened(page: Page) -> str:
    """The id of the assignment that is open, once it is."""
    await page.wait_for_url(re.compile("/figure/"))
    await expect(page.get_by_role("region", name="Recommendations")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


async def saved(page: Page) -> None:
    await expect(page.get_by_role("status").filter(has_text=re.compile("^Saved$"))).to_be_visible()


async def added(page: Page, words: str) -> None:
    await press(page, "/")
    await page.keyboard.type(words)
    await press(page, "Enter")
    await expect(page.get_by_role("list", name="Tags of this figure")).to_contain_text(re.compile(words, re.I))
    await press(page, "Escape")
    await saved(page)


async def test_by_keyboard_alone_from_signing_in_to_an_approved_figure_that_is_found(
    installation: Installation, chromium: Browser
) -> None:
    done = await tagged_by_keyboard(installation, chromium, figures=3)
    assert [(await installation.admin.assignment(id)).state for id in done] == ["submitted"] * 3

    async with visit(chromium, installation.url, REVIEWER) as grace:
        page = grace.page
        await expect(page.get_by_role("heading", name="Review")).to_be_visible()
        await press(page, "n")
        returned = await opened(page)
        await page.get_by_role("button", name="Return…").focus()
        await press(page, "Enter")
        await page.keyboard.type("Please add the retina.")
        await press(page, "Tab", "Enter")
        await page.wait_for_url(lambda url: returned not in url)
        approved = await opened(page)
        approve = page.get_by_role("button", name=re.compile("^Approve"))
        await expect(approve).to_be_enabled()
        await expect(page.get_by_text("Returned to the annotator.")).to_be_visible()
        await approve.click(trial=True, timeout=1000)  # no message lies over it
        await press(page, "Control+Enter")
        await page.wait_for_url(lambda url: approved not in url)
    assert (await installation.admin.assignment(approved)).state == "approved"

    async with visit(chromium, installation.url, ANNOTATOR) as ada:
        page = ada.page
        await expect(page.get_by_text("Please add the retina.")).to_be_visible()
        await press(page, "n")
        assert await opened(page) == returned
        await added(page, "retina")
        await press(page, "Control+Enter")
        await page.wait_for_url(lambda url: returned not in url)
    assert (await installation.admin.assignment(returned)).state == "submitted"

    async with visit(chromium, installation.url, REVIEWER) as grace:
        await grace.open(f"/figure/{returned}")
        await expect(grace.page.get_by_role("button", name="Approve")).to_be_enabled()
        await press(grace.page, "Control+Enter")
        await grace.page.wait_for_url(lambda url: returned not in url)

    # Lin tags these figures too: until she has, only administrators find what others gave.
    async with visit(chromium, installation.url) as administrator:
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})

        async def found() -> bool:
            await administrator.open("/find?q=retina&status=approved")
            return await administrator.page.get_by_role("listitem").filter(has_text="retina").count() > 0

        await until(found, what="the approved figure in the search")


async def tagged_by_keyboard(installation: Installation, chromium: Browser, *, figures: int) -> list[str]:
    """Ids of the assignments submitted: signed in, tagged, submitted without a mouse."""
    async with visit(chromium, installation.url) as ada:
        page = ada.page
        await page.goto(installation.url)
        await expect(page.get_by_label("Name")).to_be_visible()
        await press(page, "Tab")
        await page.keyboard.type(ANNOTATOR)
        await press(page, "Tab")
        await page.keyboard.type(PASSWORD)
        await press(page, "Enter")
        await expect(page.get_by_role("heading", name="My work")).to_be_visible()
        await press(page, "n")
        done = []
        for _ in range(figures):
            done.append(await opened(page))
            await expect(page.locator("[data-id]").first).to_be_visible()
            await press(page, "a", "x", "1", "u")
            await added(page, "hippocampus")
            here = page.url
            await press(page, "Control+Enter")
            await page.wait_for_url(lambda url, here=here: url != here)
        return done


async def test_a_first_figure_is_submitted_in_a_dozen_actions_by_visible_controls(
    installation: Installation, chromium: Browser
) -> None:
    actions = 0
    async with visit(chromium, installation.url) as ada:
        page = ada.page
        await page.goto(installation.url)
        await page.get_by_label("Name").fill(ANNOTATOR)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("button", name=re.compile("Tag the next figure|Start with")).click()
        actions += 4
        id = await opened(page)
        await page.get_by_role("button", name=re.compile("^Accept (?!\\d)")).first.click()
        await page.get_by_role("button", name=re.compile("^Reject ")).last.click()
        await page.get_by_role("button", name=re.compile("Submit")).click()
        actions += 3
        await page.wait_for_url(lambda url: id not in url)
    assert actions <= 12
    assert (await installation.admin.assignment(id)).state == "submitted"


async def test_what_is_done_without_a_network_is_saved_when_it_is_back(
    installation: Installation, chromium: Browser
) -> None:
    index = 0
    async with visit(chromium, installation.url, LIN) as ada:
        page = ada.page
        await ada.open(f"/figure/{installation.assignments[index]}")
        await expect(page.locator("[data-id]").first).to_be_visible()
        await ada.context.set_offline(True)
        await press(page, "a", "a")
        await expect(page.get_by_text("Offline: 2 changes wait")).to_be_visible()
        assert (await assignment(installation, index)).tags == []
        await ada.context.set_offline(False)
        await saved(page)
        ada.wrong = [text for text in ada.wrong if "ERR_INTERNET_DISCONNECTED" not in text]
    assert len((await assignment(installation, index)).tags) == 2


async def test_a_session_that_ends_in_mid_edit_loses_nothing(installation: Installation, chromium: Browser) -> None:
    index = 1
    async with visit(chromium, installation.url, LIN) as ada:
        page = ada.page
        await ada.open(f"/figure/{installation.assignments[index]}")
        await expect(page.locator("[data-id]").first).to_be_visible()
        await ada.context.clear_cookies()
        await press(page, "a")
        dialog = page.get_by_role("dialog", name="Your session has ended")
        await expect(dialog).to_be_visible()
        await dialog.get_by_label("Password").fill(PASSWORD)
        await press(page, "Enter")
        await expect(dialog).to_be_hidden()
        await saved(page)
    assert len((await assignment(installation, index)).tags) == 1


async def test_two_windows_on_one_figure_never_overwrite_each_other_silently(
    installation: Installation, chromium: Browser
) -> None:
    index = 2
    async with visit(chromium, installation.url, LIN) as one:
        await one.open(f"/figure/{installation.assignments[index]}")
        await expect(one.page.locator("[data-id]").first).to_be_visible()
        other = await one.context.new_page()
        await other.goto(one.page.url)
        await expect(other.locator("[data-id]").first).to_be_visible()
        chosen = await one.page.locator("[data-id]:not(.accept)").first.get_attribute("data-id")
        for page in (one.page, other):
            await page.locator(f'[data-id="{chosen}"]').click()
        await press(other, "x", "2")
        await saved(other)
        await expect(one.page.locator(f'[data-id="{chosen}"]')).to_have_class(re.compile(r"\breject\b"))
        await expect(one.page.get_by_text("Changed elsewhere")).to_be_visible()

        # As where the news has not come yet.
        await one.context.route("**/session/changes", lambda route: route.abort())
        await one.page.reload()
        await one.page.locator(f'[data-id="{chosen}"]').click()
        await other.locator(f'[data-id="{chosen}"]').click()
        await press(other, "x", "3")
        await saved(other)
        await press(one.page, "a")
        dialog = one.page.get_by_role("dialog", name="Somebody else changed this figure")
        await expect(dialog).to_be_visible()
        await expect(dialog.get_by_text("Too general")).to_be_visible()
        await dialog.get_by_role("button", name="Keep mine").click()
        await saved(one.page)
        one.wrong = [text for text in one.wrong if "ERR_FAILED" not in text]
    decisions = {one.recommendation: one.kind for one in (await assignment(installation, index)).decisions}
    assert decisions[str(chosen)] == "accept"


async def test_hostile_text_stays_text(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url, LIN) as ada:
        page = ada.page
        await ada.open(f"/figure/{installation.assignments[6]}")
        await expect(page.get_by_role("region", name="Legend")).to_contain_text(HOSTILE)
        await press(page, "/")
        await page.keyboard.type("zzz <b onmouseover=alert(3)>")
        await expect(page.get_by_role("option")).to_contain_text("Add “zzz <b onmouseover=alert(3)>” as free text")
        await press(page, "Alt+4", "Enter", "Escape")
        await saved(page)
        await expect(page.get_by_role("list", name="Tags of this figure")).to_contain_text("onmouseover=alert(3)>")
        await ada.open("/work")
        await expect(page.get_by_text(HOSTILE[:40]).first).to_be_visible()
        await page.wait_for_timeout(200)
    tags = (await assignment(installation, 6)).tags
    assert [tag.label for tag in tags] == ["zzz <b onmouseover=alert(3)>"]


async def test_a_legend_of_20_kilobytes_is_tagged_like_any_other(installation: Installation, chromium: Browser) -> None:
    index = 7
    async with visit(chromium, installation.url, LIN) as ada:
        page = ada.page
        await ada.open(f"/figure/{installation.assignments[index]}")
        await expect(page.locator("mark").first).to_be_visible()
        await press(page, "a")
        await saved(page)
    assert len((await assignment(installation, index)).tags) == 1


async def test_selected_words_become_a_tag_with_their_place_in_code_points(
    installation: Installation, chromium: Browser
) -> None:
    index = 5  # its legend begins with an emoji
    async with visit(chromium, installation.url, LIN) as ada:
        page = ada.page
        await ada.open(f"/figure/{installation.assignments[index]}")
        await expect(page.locator("mark").first).to_be_visible()
        await page.evaluate(
            """() => {
              const legend = document.querySelector('.legend')
              const walker = document.createTreeWalker(legend, NodeFilter.SHOW_TEXT)
              for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                const at = node.data.indexOf('Coronal')
                if (at >= 0) getSelection().setBaseAndExtent(node, at, node, at + 'Coronal'.length)
              }
            }"""
        )
        await press(page, "t")
        await expect(page.get_by_text("For “Coronal” in the legend")).to_be_visible()
        await page.keyboard.type("coronal view")
        await expect(page.get_by_role("option").last).to_contain_text("free text")
        await press(page, "Alt+4", "Enter", "Escape")
        await saved(page)
    stored = await assignment(installation, index)
    [tag] = [tag for tag in stored.tags if tag.source == "free_text"]
    assert [(span.start, span.end, span.text) for span in tag.spans] == [(2, 9, "Coronal")]
    assert list(stored.figure.legend)[2:9] == list("Coronal")


async def test_who_is_invited_chooses_a_password_and_is_at_work(installation: Installation, chromium: Browser) -> None:
    invitation = await installation.admin.invite("Mary Somerville", ["annotator"])
    async with visit(chromium, installation.url) as mary:
        await mary.page.goto(f"{installation.url}{invitation.path}")
        await expect(mary.page.get_by_text("Mary Somerville")).to_be_visible()
        assert invitation.link not in mary.page.url
        await mary.page.get_by_label("New password").fill("marysomerville")
        await press(mary.page, "Enter")
        await expect(mary.page.get_by_role("alert")).to_contain_text("too easy to guess")
        await mary.page.get_by_label("New password").fill("celestial mechanics explained slowly")
        await press(mary.page, "Enter")
        await mary.page.wait_for_url(re.compile("/work"))
    async with visit(chromium, installation.url) as late:
        await late.page.goto(f"{installation.url}{invitation.path}")
        await expect(late.page.get_by_role("alert")).to_contain_text("not valid")


async def test_a_figure_put_aside_can_be_recalled(installation: Installation, chromium: Browser) -> None:
    index = 3
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await lin.open(f"/figure/{installation.assignments[index]}")
        await page.get_by_role("button", name="Put aside…").click()
        await page.get_by_label("More, if you like").fill("Figure 3 has this legend.")
        await page.get_by_role("button", name="The legend is wrong").click()
        await page.wait_for_url(lambda url: installation.assignments[index] not in url)
        assert (await assignment(installation, index)).state == "skipped"
        await lin.open(f"/figure/{installation.assignments[index]}")
        await expect(page.get_by_text("Figure 3 has this legend.")).to_be_visible()
        await page.get_by_role("button", name="Comments").click()
        await page.get_by_label("Comment", exact=True).fill("It can be tagged all the same.")
        await page.get_by_role("button", name="Send").click()
        await expect(page.get_by_text("It can be tagged all the same.")).to_be_visible()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Recall").click()
        await expect(page.get_by_role("button", name=re.compile("^Submit"))).to_be_visible()
    assert (await assignment(installation, index)).state == "open"


async def test_newer_recommendations_are_offered_and_taken_by_key(
    installation: Installation, chromium: Browser, tmp_path: Path
) -> None:
    index = 4
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await lin.open(f"/figure/{installation.assignments[index]}")
        await expect(page.locator("[data-id]").first).to_be_visible()
        await press(page, "a")
        await saved(page)
        before = await page.locator("[data-id]").count()

        file = tmp_path / "house.csv"
        file.write_text("id,name\nHOUSE:1,histology of the pancreas\n", encoding="utf-8")
        await installation.admin.import_vocabulary(file, "HOUSE", version="1", axis="imaging", activate=True)

        async def newer() -> bool:
            return (await assignment(installation, index)).recommendations.newer is not None

        await until(newer, what="newer recommendations", seconds=150)
        assert await page.locator("[data-id]").count() == before
        # It came by itself.
        await expect(page.get_by_text(re.compile("Newer recommendations are available: 1 new"))).to_be_visible()
        await press(page, "r")
        await expect(page.locator("[data-id]").filter(has_text="histology of the pancreas")).to_be_visible()
        await expect(page.get_by_text("Newer recommendations are available")).to_be_hidden()
    assert len((await assignment(installation, index)).tags) == 1


async def test_who_goes_on_while_a_figure_is_handed_over_stays_where_they_went(
    installation: Installation, chromium: Browser
) -> None:
    first = installation.assignments[6]
    on_its_way = asyncio.Event()

    async def late(route: Route) -> None:
        await on_its_way.wait()
        await route.continue_()

    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.route("**/submit", late)
        await lin.open(f"/figure/{first}")
        await expect(page.locator("[data-id].current")).to_be_visible()
        await press(page, "a")
        await saved(page)
        await press(page, "Control+Enter")
        await expect(page.get_by_role("button", name=re.compile("^Submitting"))).to_be_disabled()
        await press(page, "n")
        await page.wait_for_url(lambda url: first not in url)
        went = await opened(page)
        on_its_way.set()
        await expect(page.get_by_text("Submitted for review.")).to_be_visible()
        await page.wait_for_load_state("networkidle")
        assert await opened(page) == went
