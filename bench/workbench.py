"""The workbench in a real Chromium: a decision on screen, the next figure, the first visit.

Goals: 50 ms from the key to the decision on screen, 150 ms to the next figure (fetched ahead), 1 s until a first visit
can be worked with. Measured in the page: from the key's event to the frame in which the change is painted. The peer is
the least that a browser does: an empty page on which a key turns one class.
"""

import asyncio
import gzip
import json
import shutil
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, async_playwright

from bench import measure, pages
from bench.legends import legends
from bench.measure import Measurement, Report
from bench.pictures import noisy
from bench.server import Server
from mitagger.client import AsyncClient
from mitagger.client.errors import Missing
from mitagger.serve import MODELS
from services.gateway.api.workbench import BUILT
from shared.engine import opened as engine_of
from shared.settings import Settings

ROUNDS: Final = 5
COLLECTION: Final = 100_000
FIGURES: Final = 12  # a round
WORDS: Final = "four unrelated words to bench"
PEER: Final = "an empty page"
_NOTED: Final = """
() => {
  window.shown = []
  addEventListener('keydown', (event) => { window.pressed = event.timeStamp }, true)
  const painted = () => requestAnimationFrame(() => setTimeout(() => {
    if (window.pressed) window.shown.push(performance.now() - window.pressed)
    window.pressed = 0
  }))
  new MutationObserver((changes) => {
    if (changes.some((change) => window.wanted(change))) painted()
  }).observe(document.body, { subtree: true, childList: true, attributes: true, attributeFilter: ['class'] })
}
"""
_DECIDED: Final = "() => { window.wanted = (change) => change.target.matches?.('li.accept, li.reject') }"
_OPENED: Final = "() => { window.wanted = () => document.querySelector('[data-id].current') !== null }"
_EMPTY: Final = "<!doctype html><title>peer</title><ul><li data-id=1>one</li></ul>"
_TURN: Final = "() => addEventListener('keydown', () => document.querySelector('li').classList.toggle('accept'))"


async def times(page: Page, count: int) -> list[float]:
    """Milliseconds, once so many are there; and forgets them."""
    await page.wait_for_function(f"() => window.shown.length >= {count}", timeout=20_000)
    return list(await page.evaluate("() => window.shown.splice(0)"))


async def decisions(page: Page) -> list[float]:
    """Of the open figure: each recommendation accepted, from the key to the frame."""
    await page.evaluate(_DECIDED)
    found = []
    for _ in range(min(6, await page.locator("[data-id].undecided").count())):
        await page.keyboard.press("a")
        found += (await times(page, 1))[:1]
        await page.wait_for_timeout(30)
    return found


async def opened(page: Page) -> float:
    """The next figure, from the key until its recommendations are painted."""
    await page.evaluate(_OPENED)
    await page.wait_for_timeout(400)  # it is fetched ahead meanwhile
    before = page.url
    await page.keyboard.press("n")
    await page.wait_for_url(lambda url: url != before)
    return (await times(page, 1))[0]


async def visit(browser: Browser, url: str, name: str, path: str) -> tuple[Page, float]:
    """A page in a fresh browser, signed in, and the milliseconds until it can be worked with."""
    context = await browser.new_context(viewport={"width": 1280, "height": 800})
    await context.request.post(f"{url}/api/v1/session", data={"name": name, "password": WORDS})
    page = await context.new_page()
    await page.goto(url + path, wait_until="commit")
    await page.wait_for_selector("[data-id].current")
    return page, float(
        await page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done(performance.now())))")
    )


async def empty(browser: Browser) -> list[float]:
    page = await browser.new_page()
    await page.set_content(_EMPTY)
    await page.evaluate(_NOTED)
    await page.evaluate("() => { window.wanted = () => true }")
    await page.evaluate(_TURN)
    found = []
    for _ in range(20):
        await page.keyboard.press("a")
        found += (await times(page, 1))[:1]
    await page.close()
    return found


_SCROLLED: Final = """
async ([last, by]) => {
  const box = document.querySelector('[role=listbox]')
  const seen = () => Number(box.querySelector('[data-index]:last-child').dataset.index) + 1
  for (let still = 0; still < 200 && (by > 0 ? seen() < last : box.scrollTop > 0 && seen() > last); ) {
    const before = box.scrollTop
    box.scrollTop += by * box.clientHeight
    still = box.scrollTop === before ? still + 1 : 0
    await new Promise((done) => setTimeout(done, 30))
  }
  return seen()
}
"""
TRACED: Final = 3_000  # figures: a trace of more does not fit


async def scrolled(browser: Browser, folder: Path, count: int) -> tuple[float, float]:
    """The longest task while somebody scrolls back from the last of so many figures, having come there from the first
    (they are fetched on the way): the milliseconds of processor time, and those on the clock."""
    data = folder / "data"
    data.mkdir(parents=True)
    async with engine_of(Settings(data=data), MODELS) as engine:
        await pages.fill(engine, count)
    async with Server(folder) as server:
        context = await browser.new_context(
            viewport={"width": 1280, "height": 800}, extra_http_headers={"Authorization": f"Bearer {server.key}"}
        )
        page = await context.new_page()
        await page.goto(f"{server.url}/collection")
        await page.wait_for_selector("[role=option]")
        seen = await page.evaluate(_SCROLLED, [count, 2])
        assert seen >= count, f"only {seen} figures came"
        await browser.start_tracing(page=page, categories=["toplevel"])
        await page.evaluate(_SCROLLED, [count - TRACED, -2])
        trace = json.loads(await browser.stop_tracing())["traceEvents"]
        await context.close()
    main = {
        (one["pid"], one["tid"])
        for one in trace
        if one["name"] == "thread_name" and one["args"]["name"] == "CrRendererMain"
    }
    tasks = [one for one in trace if one["ph"] == "X" and (one["pid"], one["tid"]) in main]
    return max(one.get("tdur", 0) for one in tasks) / 1000, max(one["dur"] for one in tasks) / 1000


def own_script() -> float:
    """Kilobytes of our JavaScript as it is sent (gzip). Not counted: OpenSeadragon, and Swagger UI, which is
    the page of the API and no part of the workbench."""
    files = (BUILT / "assets").glob("*.js")
    own = [path for path in files if not path.name.startswith(("openseadragon-", "swagger-ui-"))]
    return sum(len(gzip.compress(path.read_bytes())) for path in own) / 1000


async def bench(quick: bool) -> Report:
    rounds, figures, many = (1, 3, 4_000) if quick else (ROUNDS, FIGURES, COLLECTION)
    decided: list[list[float]] = []
    followed: list[list[float]] = []
    first: list[list[float]] = []
    peers: list[list[float]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with Server(folder) as server, AsyncClient(server.url, key=server.key) as client:
            reviewer = await client.create_account("reviewer", WORDS, ["reviewer"])
            _, texts = legends()
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=["--headless", "--no-sandbox", "--disable-gpu"]
                )
                for turn in range(rounds):
                    person = await client.create_account(f"person {turn}", WORDS, ["annotator"])
                    made = []
                    for number in range(figures):
                        path = folder / "one.png"
                        noisy(1024, 3, seed=turn * figures + number).pngsave(str(path), compression=1)
                        text = (
                            f"{texts[(turn * figures + number) % len(texts)]} Case {turn}.{number}: MRI of the liver."
                        )
                        # One legend of the sample is German: nothing would be recommended.
                        figure = await client.create_figure(
                            path, collection="bench", label=f"F{number}", legend=text, language="en"
                        )
                        made.append(figure.id)
                    for id in made:
                        await _ready(client, id)
                    assigned = await client.assign(figures=made, annotator=person.person, reviewer=reviewer.person)
                    page, took = await visit(browser, server.url, f"person {turn}", f"/figure/{assigned.items[0].id}")
                    first.append([took])
                    await page.evaluate(_NOTED)
                    mine: list[float] = []
                    steps: list[float] = []
                    for _ in range(figures - 1):
                        mine += await decisions(page)
                        steps.append(await opened(page))
                    decided.append(mine)
                    followed.append(steps)
                    await page.context.close()
                    peers.append(await empty(browser))
                scrolling = [
                    await scrolled(browser, folder / f"scrolling {turn}", many) for turn in range(1 if quick else 2)
                ]
                await browser.close()
    return Report(
        title="The workbench in the browser",
        how=f"{rounds} rounds of {figures} distinct 1024×1024 pictures with legends of {legends()[0]} in headless"
        " Chromium on the machine that serves; each round by a person of its own in a fresh browser (nothing cached)."
        " From the key's event to the painted frame.",
        measurements=[
            Measurement("a decision on screen, p95", "ms", _p95(decided), PEER, _p95(peers), most=50.0),
            Measurement("the next figure, p95", "ms", _p95(followed), PEER, _p95(peers), most=150.0),
            Measurement(
                "first visit of a figure, until it can be worked with",
                "ms",
                [one[0] for one in first],
                PEER,
                _p95(peers),
                most=1000.0,
            ),
            Measurement(
                f"longest task while scrolling through {many:,} figures, processor time (peer: the same on the clock)",
                "ms",
                [processor for processor, _ in scrolling],
                "on the clock",
                [clock for _, clock in scrolling],
                most=50.0,
            ),
            Measurement("our JavaScript, as it is sent", "kB", [own_script()], most=180.0),
        ],
        limits="A frame of 16 ms, twice. The first visit fetches and runs 145 kB of script, and asks who is signed in"
        " and for the figure, one after the other. The"
        " figures that are scrolled through have no files of pictures.",
    )


async def _ready(client: AsyncClient, figure: str) -> None:
    while True:
        try:
            if (await client.recommendations(figure)).state != "pending":
                return
        except Missing:
            await asyncio.sleep(0.05)


def _p95(rounds: list[list[float]]) -> list[float]:
    return [measure.percentile(one, 95) for one in rounds]


if __name__ == "__main__":
    measure.main(bench)
