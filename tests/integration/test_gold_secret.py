"""Gold never leaks: what an annotator can read of all services says nothing of it, before, while and after."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

from mitagger.client import AsyncClient
from tests.support.people import ANNOTATOR, PASSWORD, REVIEWER
from tests.support.system import System, system

DOCUMENT: Final = json.loads(Path("services/gateway/openapi.json").read_text(encoding="utf-8"))
SECRET: Final = "xyzzyva"
# Streams of news: one that annotators may follow names assignments, versions and states.
ENDLESS: Final = ("/stream", "/session/changes", "/oidc", "/callback")
TAGS: Final = (
    {"kind": "add", "axis": "disease", "curie": f"{SECRET}:1", "label": f"{SECRET} fever", "ontology": SECRET},
    {"kind": "add", "axis": "imaging", "text": f"{SECRET}graphy"},
)
SEARCHES: Final = (
    {"q": SECRET},
    {"q": "femur"},
    {"tag": f"{SECRET}:1"},
    {"axis": "disease"},
    {"status": "approved"},
    {"status": "provisional"},
)


def readable(ids: dict[str, list[str]]) -> Iterator[str]:
    """Every address that can be read, with every id that the annotator might try."""
    for path, methods in DOCUMENT["paths"].items():
        if "get" not in methods or "{grant}" in path or path.endswith(ENDLESS):
            continue
        for id in ids["any"]:
            for person in ids["people"] if "{person}" in path else [""]:
                filled = path.replace("{id}", id).replace("{person}", person).replace("{curie}", "GO:0")
                if "{" not in filled:
                    yield filled
            if "{id}" not in path:
                break


async def test_an_annotator_reads_nothing_of_gold_anywhere(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work = running.work
        figures = [
            await work.ask(
                "admin", lambda c, n=n: c.create_figure(collection="c", label=f"Figure {n}", legend="Femur.")
            )
            for n in range(20)
        ]
        gold = figures[0].id
        await running.engine.bus.settled()
        await work.ask("admin", lambda c: c.create_account("tess", PASSWORD, ["annotator"]))
        people = {one.name: one.person async for one in await work.ask("admin", _accounts)}
        known, reviewer = people["tess"], people[REVIEWER]
        await work.ask("admin", lambda c: c.assign(figures=[gold], annotator=known, reviewer=reviewer))
        async with AsyncClient("http://system", transport=httpx.ASGITransport(running.app)) as tess:
            await tess.sign_in("tess", PASSWORD)
            (first,) = [one.id async for one in tess.assignments()]
            for tag in TAGS:
                await tess.decide(first, tag)
            await tess.submit(first)
        await work.ask(REVIEWER, lambda c: c.review(first, "approved"))
        await running.engine.bus.settled()
        assert (await work.ask(ANNOTATOR, lambda c: c.search(SECRET))).total == 1  # it would be found

        await work.ask("admin", lambda c: c.mark_gold(gold))
        await work.ask("admin", lambda c: c.set_standards("default", gold_share=0.5))
        plan: dict[str, Any] = {"figures": [one.id for one in figures[1:]], "hidden_share": 0, "apply": True}
        pair = {"annotator": people[ANNOTATOR], "reviewer": reviewer}
        planned = await work.ask("admin", lambda c: c.plan(team=[pair], **plan))
        assert planned.people[0].gold == 1
        await running.engine.bus.settled()
        (trial,) = [one.id async for one in await work.ask("admin", lambda c: _of(c, gold)) if one.id != first]
        ids = {"any": ["default", gold, trial, first], "people": list(people.values())}

        await secret(running, [])
        await work.ask(ANNOTATOR, lambda c: c.decide(trial, {"kind": "add", "axis": "anatomy", "text": "bone"}))
        await work.ask(ANNOTATOR, lambda c: c.submit(trial))
        await running.engine.bus.settled()
        await secret(running, list(readable(ids)))
        assert (await work.ask(ANNOTATOR, lambda c: c.search("bone"))).total == 1  # one's own, as ever
        await work.ask(REVIEWER, lambda c: c.review(trial, "approved"))
        await running.engine.bus.settled()
        await secret(running, [f"/api/v1/assignments/{trial}"])

        found = await work.ask("admin", lambda c: c.search(SECRET))
        assert [(one.figure, one.status) for one in found.items] == [(gold, "approved")]
        assert {(tag.label, tag.provisional) for tag in found.items[0].tags} == {
            (f"{SECRET} fever", False),
            (f"{SECRET}graphy", False),
            ("bone", True),
        }
        (score,) = [one async for one in await work.ask("admin", lambda c: _scores(c, people[ANNOTATOR]))]
        assert (score.figure, score.f1) == (gold, 0.0)
        await work.ask("admin", lambda c: c.withdraw_gold(gold))
        await running.engine.bus.settled()
        assert (await work.ask(ANNOTATOR, lambda c: c.search(SECRET))).total == 1


async def secret(running: System, addresses: list[str]) -> None:
    """Nothing that the annotator reads names a secret tag, or calls anything gold."""
    transport = httpx.ASGITransport(running.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://system") as reader:
        signed_in = await reader.post("/api/v1/session", json={"name": ANNOTATOR, "password": PASSWORD})
        assert signed_in.status_code == 201
        read = 0
        for address in addresses:
            answer = await reader.get(address)
            assert SECRET not in answer.text, address
            assert '"gold' not in answer.text, address
            read += answer.status_code == 200
        assert bool(read) == bool(addresses)
        for search in SEARCHES:
            answer = await reader.get("/api/v1/search", params=search)
            assert SECRET not in answer.text, search
            if "femur" not in search.values():
                assert answer.json()["total"] == 0, search


async def _accounts(client: AsyncClient) -> Any:
    return client.accounts()


async def _of(client: AsyncClient, figure: str) -> Any:
    return client.assignments(figure=figure)


async def _scores(client: AsyncClient, person: str) -> Any:
    return client.gold_scores("default", person)
