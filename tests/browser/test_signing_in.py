"""Signing in by an OpenID Connect provider in a real Chromium, whose rules for cookies between sites count here."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from mitagger.serve import running
from shared.settings import Settings
from tests.browser.conftest import visit
from tests.support.openid import CLIENT, SECRET, provided

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(loop_scope="module")
async def url(tmp_path: Path, chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    with provided(monkeypatch) as openid:
        openid.issuer = openid.issuer.replace("127.0.0.1", "localhost")  # to the browser, another site
        settings = Settings(
            data=tmp_path / "data",
            workers=1,
            oidc=openid.issuer,
            oidc_name="St. Mary",
            oidc_client=CLIENT,
            oidc_secret=SECRET,  # type: ignore[arg-type]
            oidc_roles={"annotators": ("annotator",)},
        )
        async with running(settings, port=0) as server:
            yield server.url


async def test_the_provider_signs_in_and_again_when_the_session_has_ended(url: str, chromium: Browser) -> None:
    async with visit(chromium, url) as ada:
        page = ada.page
        await page.goto(f"{url}/find?q=femur")
        await page.get_by_role("link", name="Sign in with St. Mary").click()
        await page.wait_for_selector("nav a")
        assert page.url == f"{url}/find?q=femur"
        cookies = {one["name"]: one for one in await ada.context.cookies()}
        assert cookies["mitagger_session"]["sameSite"] == "Strict"
        assert "mitagger_oidc" not in cookies

        await ada.context.clear_cookies()
        await page.get_by_role("navigation").get_by_role("link", name=re.compile("Tag|Work", re.I)).first.click()
        dialog = page.get_by_role("dialog", name="Your session has ended")
        await expect(dialog).to_be_visible()
        async with ada.context.expect_page() as opened:
            await dialog.get_by_role("link", name="Sign in with St. Mary").click()
        other = await opened.value
        await other.wait_for_selector("nav a")
        await other.close()
        await page.evaluate("dispatchEvent(new Event('focus'))")  # Chromium without a screen sends none
        await expect(dialog).to_be_hidden()
