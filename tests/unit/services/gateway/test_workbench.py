"""The workbench's page at its addresses, under a policy that allows nothing but our own files."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from services.gateway.api import workbench
from services.gateway.api.headers import ProtectingHeaders
from services.gateway.api.workbench import PAGES, Elsewhere, assets, router

WEB = Path(workbench.__file__).parents[1] / "web"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>MITagger</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("export const value = 1\n" * 100)
    return tmp_path


def browser(built: Path) -> httpx.AsyncClient:
    app = FastAPI(openapi_url=None)
    app.include_router(router(built))
    app.mount("/assets", assets(built))
    app.router.default = Elsewhere(built, app.router.default)
    app.add_middleware(ProtectingHeaders)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://system")


@pytest.mark.parametrize("path", ["/", "/work", "/figure/0a1b", "/find", "/system"])
async def test_the_page_is_at_each_of_its_addresses(built: Path, path: str) -> None:
    async with browser(built) as asking:
        answer = await asking.get(path)
    assert (answer.status_code, answer.text) == (200, "<title>MITagger</title>")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


async def test_its_files_are_kept_by_browsers_and_others_are_not_there(built: Path) -> None:
    async with browser(built) as asking:
        file = await asking.get("/assets/index-1a2b.js")
        assert "immutable" in file.headers["cache-control"]
        assert file.headers["content-encoding"] == "gzip"
        assert file.headers["x-content-type-options"] == "nosniff"
        for path in ("/assets/other.js", "/assets/../index.html", "/assets/%2e%2e/index.html", "/elsewhere"):
            missing = await asking.get(path)
            assert missing.status_code == 404
            assert "immutable" not in missing.headers["cache-control"]


async def test_an_unknown_address_shows_the_page_to_browsers_alone(built: Path) -> None:
    browsing = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with browser(built) as asking:
        page = await asking.get("/nonsense/of?some=kind", headers=browsing)
        assert (page.status_code, page.text) == (404, "<title>MITagger</title>")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        for method, path, headers in (
            ("GET", "/nonsense", {}),
            ("POST", "/nonsense", browsing),
            ("GET", "/api/v1/nonsense", browsing),
            ("GET", "/assets/nonsense.js", browsing),
        ):
            plain = await asking.request(method, path, headers=headers)
            assert (plain.status_code, "MITagger" in plain.text) == (404, False)


async def test_a_checkout_without_it_says_how_it_is_built(tmp_path: Path) -> None:
    async with browser(tmp_path) as asking:
        answer = await asking.get("/work")
    assert answer.status_code == 503
    assert "make web" in answer.text


def test_the_addresses_are_those_that_the_page_knows() -> None:
    app = (WEB / "src" / "App.svelte").read_text(encoding="utf-8")
    assert [page for page in PAGES if f"'{page}'" not in app and f"    {page}: () =>" not in app] == []


async def test_the_api_is_a_page_of_its_own(built: Path) -> None:
    (built / "docs.html").write_text("<title>API</title>")
    async with browser(built) as asking:
        answer = await asking.get("/docs")
    assert (answer.status_code, answer.text) == (200, "<title>API</title>")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
