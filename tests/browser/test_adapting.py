"""Pages as people need them: larger, without motion, by keyboard, spoken."""

from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import LIN, Installation, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

# 1280 × 800 at 200 %, as WCAG 1.4.4 and 1.4.10 have it: half the CSS pixels.
ZOOMED: Final = {"width": 640, "height": 400}
ADMINISTRATORS: Final = (
    "/collection",
    "/import",
    "/quarantine",
    "/vocabularies",
    "/export",
    "/people",
    "/progress",
    "/project",
    "/system",
    "/audit",
)


async def too_wide(page: Page) -> str:
    """What sticks out of the page, by its class; empty: nothing does."""
    return str(
        await page.evaluate(
            """() => {
              const width = document.documentElement.clientWidth
              if (document.documentElement.scrollWidth <= width) return ''
              const all = [...document.querySelectorAll('main *')]
              const out = all.find((one) => one.getBoundingClientRect().right > width + 1)
              return out ? `${out.tagName}.${out.className}` : 'something'
            }"""
        )
    )


async def test_at_twice_the_size_nothing_is_lost_and_nothing_scrolls_sideways(
    installation: Installation, chromium: Browser
) -> None:
    found: dict[str, str] = {}
    async with visit(chromium, installation.url, LIN) as lin:
        await lin.page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
        figure = f"/figure/{installation.assignments[5]}"
        for path in ("/work", figure, "/find?q=lung", "/vocabularies", "/account"):
            await lin.open(path)
            await lin.page.wait_for_load_state("networkidle")
            found[path] = await too_wide(lin.page)
            if path == figure:
                for name in ("Undo", "History", "Submit", "Next figure"):
                    button = lin.page.get_by_role("button", name=name).first
                    await button.scroll_into_view_if_needed()
                    await expect(button).to_be_in_viewport()
    async with visit(chromium, installation.url) as administrator:
        await administrator.page.set_viewport_size(ZOOMED)  # type: ignore[arg-type]
        await administrator.context.set_extra_http_headers({"Authorization": f"Bearer {installation.key}"})
        for path in ADMINISTRATORS:
            await administrator.open(path)
            await administrator.page.wait_for_load_state("networkidle")
            found[path] = await too_wide(administrator.page)
            for here in await administrator.page.locator("nav [aria-current]").all():
                await expect(here).to_be_in_viewport(ratio=0.9)
    assert {path: what for path, what in found.items() if what} == {}


async def test_the_focus_goes_from_top_to_bottom_and_is_seen(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await lin.open("/work")
        await page.wait_for_load_state("networkidle")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        tops = []
        for _ in range(6):
            await page.keyboard.press("Tab")
            seen = await page.evaluate(
                """() => {
                  const one = document.activeElement
                  const style = getComputedStyle(one)
                  const box = one.getBoundingClientRect()
                  return { top: box.top, outline: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 }
                }"""
            )
            assert seen["outline"]
            tops.append(round(seen["top"]))
        assert tops[0] <= tops[-1]


async def test_without_motion_nothing_moves_and_results_are_spoken(
    installation: Installation, chromium: Browser
) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.emulate_media(reduced_motion="reduce")
        await lin.open(f"/figure/{installation.assignments[5]}")
        await expect(page.locator("[data-id]").first).to_be_visible()
        longest = await page.evaluate(
            """() => Math.max(...[...document.querySelectorAll('*')].flatMap((one) => {
              const style = getComputedStyle(one)
              return `${style.animationDuration},${style.transitionDuration}`.split(',').map(parseFloat)
            }))"""
        )
        assert longest < 0.001
        await expect(page.get_by_role("status").filter(has_text="Saved")).to_be_attached()
        await lin.open("/find?q=femur")
        live = page.locator("section[aria-live=polite]")
        await expect(live).to_contain_text("figure")
        await expect(live).to_have_attribute("aria-busy", "false")


async def test_first_steps_are_shown_once(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        path = f"/figure/{installation.assignments[5]}"
        await lin.open(path)
        hints = page.get_by_role("complementary", name="First steps")
        await hints.get_by_role("button", name="Close the first steps").click()
        await expect(hints).to_be_hidden()
        await lin.open(path)
        await expect(page.locator("[data-id]").first).to_be_visible()
        await expect(hints).to_be_hidden()
