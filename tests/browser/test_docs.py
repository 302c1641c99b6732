"""The API as a page to browse."""

import pytest
from playwright.async_api import Browser, Locator, Page, Request, expect

from tests.browser.conftest import LIN, Installation, shot, visit

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


async def opened(page: Page, path: str, method: str, summary: str) -> Locator:
    """The operation, found as people find it: narrowed by its path, then its part of the API unfolded."""
    await page.get_by_placeholder("Filter by tag or path").fill(path)
    await expect(page.locator(".opblock-tag")).to_have_count(1)
    await page.get_by_role("button", name="Expand operation").click()
    operation = page.locator(f".opblock-{method}").filter(has_text=summary)
    await operation.locator(".opblock-summary-control").click()
    await expect(operation.get_by_text("Responses", exact=True)).to_be_visible()
    return operation


async def test_anybody_browses_the_api_and_no_other_host_is_asked(
    installation: Installation, chromium: Browser
) -> None:
    foreign: list[str] = []

    def asked(request: Request) -> None:
        if not request.url.startswith((installation.url, "data:")):
            foreign.append(request.url)

    async with visit(chromium, installation.url, dark=True) as stranger:
        page = stranger.page
        page.on("request", asked)
        await page.goto(f"{installation.url}/docs")
        await expect(page.get_by_role("heading", name="MITagger")).to_be_visible()
        await shot(page, "docs")
        reading = await opened(page, "/v1/figures/{id}/render", "get", "Render a part of a figure's picture")
        await shot(page, "docs-operation")
        await expect(reading.get_by_role("button", name="Try it out")).to_be_visible()
        # What changes something is read about, not tried.
        starting = await opened(page, "/v1/exports", "post", "Export figures and tags as CSV or XML")
        await expect(starting.get_by_role("button", name="Try it out")).to_have_count(0)
    assert foreign == []


async def test_who_is_signed_in_tries_what_only_reads(installation: Installation, chromium: Browser) -> None:
    async with visit(chromium, installation.url, LIN) as lin:
        page = lin.page
        await page.get_by_role("link", name=LIN).click()
        await page.get_by_role("link", name="What scripts can ask for").click()
        operation = await opened(page, "/v1/session", "get", "Show who is signed in")
        await operation.get_by_role("button", name="Try it out").click()
        await operation.get_by_role("button", name="Execute").click()
        await expect(operation.locator(".live-responses-table .response").first).to_contain_text(f'"name": "{LIN}"')
        await shot(page, "docs-tried")
