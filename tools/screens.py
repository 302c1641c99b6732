"""Takes every page of the workbench, light and dark, into docs/screens/, from a demo of its own: `make screens`."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from operator import ne
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER: Final = Path(__file__).parents[1] / "docs" / "screens"
SIZE: Final = (1280, 800)
QUALITY: Final = 82
SETTLED: Final = 900  # milliseconds for pictures and motion
PORT: Final = 8437
PAGES: Final = {
    "lin": {
        "work": "/work",
        "search": "/find?q=hippocampus",
        "vocabularies": "/vocabularies",
        "account": "/account",
        "api": "/docs",
    },
    "grace": {"review": "/review", "adjudication": "/adjudication"},
    "administrator": {
        "figures": "/collection",
        "import": "/import",
        "quarantine": "/quarantine",
        "export": "/export",
        "people": "/people",
        "progress": "/progress",
        "project": "/project",
        "projects": "/projects",
        "administering-vocabularies": "/vocabularies",
        "system": "/system",
        "audit": "/audit",
    },
}


def main() -> None:
    """Writes the pictures anew."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        demo = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "mitagger", "demo", "--data", f"{folder}/demo", "--port", str(PORT)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "200"},
        )
        try:
            passwords = _passwords(demo)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
                )
                for scheme in ("light", "dark"):
                    _take(browser, f"http://127.0.0.1:{PORT}", passwords, scheme)
                browser.close()
        finally:
            demo.terminate()
            demo.wait(timeout=30)


def _passwords(demo: "subprocess.Popen[str]") -> dict[str, str]:
    found = {}
    for line in demo.stdout or ():
        if signed := re.search(r"sign in as (\S+) with (\S+)", line):
            found[signed[1]] = signed[2]
        if line.startswith("Serving"):
            break
    return found


def _take(browser: Browser, url: str, passwords: dict[str, str], scheme: str) -> None:
    for name, pages in PAGES.items():
        context = browser.new_context(
            viewport={"width": SIZE[0], "height": SIZE[1]}, color_scheme="dark" if scheme == "dark" else "light"
        )
        page = context.new_page()
        page.goto(url)
        page.get_by_label("Name").wait_for()
        if name == "lin":
            _shoot(page, "sign-in", scheme)
        page.get_by_label("Name").fill(name)
        page.get_by_label("Password").fill(passwords[name])
        page.keyboard.press("Enter")
        page.wait_for_selector("nav a")
        for title, path in pages.items():
            page.goto(url + path)
            if title == "vocabularies":
                page.get_by_label("Look up a concept").fill("hippocampus")
                page.locator("li button").first.click()
            if title == "quarantine":
                page.get_by_role("list", name="Waiting pictures").get_by_role("button").first.click()
            if title == "api":
                page.locator(".opblock-tag").first.click()
            _shoot(page, title, scheme)
        if name == "lin":
            page.goto(f"{url}/work")
            page.get_by_role("button", name="Tag the next figure").click()
            page.locator("[data-id]").first.wait_for()
            for key in "aaxjaj":
                page.keyboard.press(key)
            _shoot(page, "workbench", scheme)
            page.keyboard.press("/")
            page.keyboard.type("hepat")
            _shoot(page, "adding", scheme)
            page.keyboard.press("Escape")
            page.keyboard.press("?")
            _shoot(page, "keys", scheme)
            page.keyboard.press("Escape")
            tagged = page.url
            page.keyboard.press("Control+Enter")
            page.wait_for_url(partial(ne, tagged))
        if name == "grace":
            page.goto(f"{url}/review")
            page.get_by_role("button", name="Review the next figure").click()
            page.locator("[data-id]").first.wait_for()
            _shoot(page, "reviewing", scheme)
            page.goto(f"{url}/adjudication")
            page.get_by_role("button", name="Start").click()
            page.get_by_role("button", name="Settle").wait_for()
            _shoot(page, "settling", scheme)
        if name == "administrator":
            invited = page.request.post(
                f"{url}/api/v1/invitations", data={"name": f"Ada {scheme}", "roles": ["annotator"]}
            )
            page.goto(url + invited.json()["path"])
            page.locator("input[type=password]").first.wait_for()
            _shoot(page, "join", scheme)
        context.close()


def _shoot(page: Page, title: str, scheme: str) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(SETTLED)
    page.screenshot(path=FOLDER / f"{title}-{scheme}.jpg", type="jpeg", quality=QUALITY)


if __name__ == "__main__":
    main()
