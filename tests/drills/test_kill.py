"""kill -9 at random moments while figures come in and are decided: nothing is lost, nothing doubled.

Clients work as people and scripts do: they send again what got no answer, to the same address. Afterwards the export,
the histories, the figures, their files and the events equal those of a server that nobody disturbed.

`MITAGGER_DRILL_KILLS` says how many kills (10; `make drills`: 200), `MITAGGER_DRILL_SEED` repeats the same moments.
"""

import asyncio
import io
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Missing, Unreachable
from tests.support.images import png
from tests.support.people import ANNOTATOR, REVIEWER, Staff, exported, hired, signed_in, until
from tests.support.server import Server

KILLS: Final = int(os.environ.get("MITAGGER_DRILL_KILLS", "10"))
SEED: Final = int(os.environ.get("MITAGGER_DRILL_SEED", str(random.SystemRandom().randrange(10**6))))
LIFE_SECONDS: Final = 2.0  # of a server that is killed at a moment: while it starts, loads, catches up
LIFE_ANSWERS: Final = 30  # of one that is killed at work, at most
SECONDS: Final = 120 + 20 * KILLS

pytestmark = [pytest.mark.drill, pytest.mark.timeout(2 * SECONDS)]

T = TypeVar("T")

LEGENDS: Final = (
    "(A) MRI of the hippocampus (HC), round {0}. (B) No fibrosis in the HC, but apoptosis.",
    "Femur of patient {0} with hypertension who took ibuprofen and metformin.",
    "Western blot {0} of retina with carcinoma after mastectomy.",
    "Of {0} and zymurgy.",
)


class Site:
    """A server, and clients that do not give up."""

    def __init__(self, folder: Path) -> None:
        self.server = Server(folder)
        self.up = asyncio.Event()
        self.answers = 0
        self.rounds = 0
        self._clients: dict[str, AsyncClient] = {}
        self._staff = Staff("", "")
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        await self.server.start()
        self.up.set()
        async with self.server.client() as admin:  # with the key of this process
            self._staff = await hired(admin)
            key = (await admin.create_key("drill", ["administrator"])).key
        assert key is not None
        self._clients["admin"] = await self._stack.enter_async_context(AsyncClient(self.server.url, key=key))
        for name in (ANNOTATOR, REVIEWER):
            self._clients[name] = await self._stack.enter_async_context(signed_in(self.server.url, name))

    async def close(self) -> None:
        await self._stack.aclose()
        await self.server.kill()

    async def ask(self, who: str, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """What `who` is answered, however often it takes."""
        while True:
            await self.up.wait()
            try:
                answer = await call(self._clients[who])
            except Unreachable:
                continue
            self.answers += 1
            return answer

    async def lived(self, chance: random.Random) -> None:
        """Until some random moment, mostly of work. (Its sleeps make moments; they wait for nothing.)"""
        if chance.random() < 0.3:
            await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
            return
        last = self.answers + chance.randint(1, LIFE_ANSWERS)

        async def worked() -> bool:
            return self.answers >= last

        await until(worked, what="the clients go on", seconds=SECONDS)
        await asyncio.sleep(chance.uniform(0, 0.02))

    async def kill(self, chance: random.Random) -> int:
        """One cold death, sometimes another while it starts, and a server that answers. Returns how many deaths."""
        self.up.clear()
        await self.server.kill()
        deaths = 1
        if chance.random() < 0.2:
            await self.server.launch()
            await asyncio.sleep(chance.uniform(0, LIFE_SECONDS))
            await self.server.kill()
            deaths += 1
        await self.server.start()
        self.up.set()
        return deaths

    # The work

    async def round(self) -> None:
        """Four figures, from import to approval."""
        self.rounds += 1
        figures = await self._imported(self.rounds)
        await asyncio.gather(*(self._tagged(figure, place) for place, figure in enumerate(figures)))

    async def _imported(self, number: int) -> list[str]:
        rows = [await self._row(number, place) for place in range(len(LEGENDS))]
        job = (await self.ask("admin", lambda c: c.start_import(f"round {number}", len(rows)))).id
        results: list[m.RowResult] = []
        for part in (rows[:1], rows[1:]):
            results += await self.ask("admin", lambda c, part=part: c.import_rows(job, part))  # type: ignore[misc]
        assert {result.status for result in results} <= {"created", "existing"}, results
        done = await self.ask("admin", lambda c: c.import_(job))
        assert (done.state, done.created + done.existing, done.rejected) == ("done", len(rows), 0)
        return [str(result.figure) for result in results]

    async def _row(self, number: int, place: int) -> dict[str, Any]:
        row = {
            "row": place + 1,
            "collection": f"Round {number:04}",
            "label": f"Figure {place + 1}",
            "legend": LEGENDS[place].format(number),
            "external_id": f"{number}-{place}",
        }
        if place == 2:
            return row
        content = png(number * len(LEGENDS) + place, width=200, height=150)
        upload = (await self.ask("admin", lambda c: c.upload(io.BytesIO(content)))).upload
        return {**row, "file": f"{number}-{place}.png", "upload": upload}

    async def _tagged(self, figure: str, place: int) -> None:
        await until(lambda: self._recommended(figure), what=f"recommendations of {figure}", seconds=SECONDS)
        body = {"figures": [figure], "annotator": self._staff.annotator, "reviewer": self._staff.reviewer}
        await self.ask("admin", lambda c: c.assign(**body))
        (id,) = await self.ask("admin", lambda c: _ids(c, figure))
        sheet = await self.ask(ANNOTATOR, lambda c: c.assignment(id))
        for rank, item in enumerate(sheet.recommendations.items):
            answer: dict[str, Any] = {"kind": "accept", "recommendation": item.id}
            if rank % 3 == 1:
                answer = {"kind": "reject", "recommendation": item.id, "reason": "too_general"}
            sheet = await self._decide(sheet, answer)
        if place != 3:
            sheet = await self._decide(sheet, {"kind": "add", "axis": "imaging", "text": "light-sheet"})
        sheet = await self._decide(sheet, {"kind": "add", "axis": "disease", "text": "mistaken"})
        mistaken = next(tag.key for tag in sheet.tags if tag.label == "mistaken")
        sheet = await self._decide(sheet, {"kind": "withdraw", "key": mistaken})
        sheet = await self._submit(sheet)
        if place == 1:
            sheet = await self._review(sheet, "returned", "Is it light-sheet?")
            first = sheet.tags[0].key
            sheet = await self._decide(sheet, {"kind": "withdraw", "key": first})
            sheet = await self._submit(sheet)
        await self._review(sheet, "approved", "")

    async def _recommended(self, figure: str) -> bool:
        await self.up.wait()
        try:
            return (await self._clients["admin"].recommendations(figure)).state != "pending"
        except (Missing, Unreachable):
            return False

    async def _decide(self, sheet: m.Assignment, decision: Mapping[str, Any]) -> m.Assignment:
        return await self.ask(ANNOTATOR, lambda c: c.decide(sheet.id, decision, version=sheet.version))

    async def _submit(self, sheet: m.Assignment) -> m.Assignment:
        none = not sheet.tags
        return await self.ask(ANNOTATOR, lambda c: c.submit(sheet.id, no_tag_applies=none, version=sheet.version))

    async def _review(self, sheet: m.Assignment, verdict: str, comment: str) -> m.Assignment:
        return await self.ask(REVIEWER, lambda c: c.review(sheet.id, verdict, comment=comment, version=sheet.version))

    # What is left of it

    async def state(self) -> dict[str, Any]:
        """Everything that a run leaves, without what is random or a time: ids of figures become external ids, people's
        pseudonyms their names, and the column `decided_at` is left out. All else stands as it is."""
        admin = self._clients["admin"]
        await until(lambda: _quiet(admin), what="every group has caught up")
        figures = [figure async for figure in admin.figures()]
        names = {figure.id: str(figure.external_id) for figure in figures} | self._staff.names()
        status = await admin.status()
        return {
            "figures": sorted((one.external_id, one.version, one.legend, _shown(one)) for one in figures),
            "files": sorted(path.name for path in (self.server.data / "blobs").rglob("*") if path.is_file()),
            "scratch": sorted(path.name for path in (self.server.data / "scratch").iterdir()),
            "export": [_mapped(row, names) for row in await exported(admin)],
            "histories": await self._histories(names),
            "recommendations": {names[f.id]: _suggested(await admin.recommendations(f.id)) for f in figures},
            "events": await self._events(names),
            "by status": status.figures,
            "dead letters": status.dead_letters,
            "problems": status.problems,
        }

    async def _histories(self, names: Mapping[str, str]) -> dict[str, list[Any]]:
        admin, found = self._clients["admin"], {}
        async for listed in admin.assignments():
            assert listed.figure is not None
            entries = [entry async for entry in admin.history(listed.id)]
            assert names[listed.figure.id] not in found, "a figure was assigned twice"
            found[names[listed.figure.id]] = [
                (e.number, e.action, e.state, e.comment, [(d.kind, d.key) for d in e.decisions]) for e in entries
            ]
        return found

    async def _events(self, names: Mapping[str, str]) -> Counter[Any]:
        """Facts told, each once: a death between telling and remembering that it was told tells it again, with the same
        id."""
        admin, after, told = self._clients["admin"], "", dict[str, Any]()
        while (page := await admin.events(after=after, limit=200)).items:
            for event in page.items:
                tag = event.data.get("tag") or {}
                told[event.id] = (event.type, names[event.subject], event.data["revision"], tag.get("key"))
            after = page.next
        return Counter(told.values())


async def _ids(client: AsyncClient, figure: str) -> list[str]:
    return [one.id async for one in client.assignments(figure=figure)]


async def _quiet(admin: AsyncClient) -> bool:
    return not any(one.behind for one in (await admin.status()).progress)


def _shown(figure: m.Figure) -> Any:
    return figure.picture and (figure.picture["file"], figure.picture["sha256"], figure.picture["display"]["blob"])


def _mapped(row: dict[str, str], names: Mapping[str, str]) -> dict[str, str]:
    return {
        column: names[value] if column in ("figure_id", "annotator", "reviewer") and value else value
        for column, value in row.items()
        if column != "decided_at"
    }


def _suggested(found: m.Recommendations) -> Any:
    items = [(item.curie, item.assertion, item.score, [span.start for span in item.spans]) for item in found.items]
    return found.state, found.revision, items


async def _deaths(site: Site, chance: random.Random) -> int:
    deaths = 0
    while deaths < KILLS:
        await site.lived(chance)
        deaths += await site.kill(chance)
    return deaths


async def test_kill_9_at_random_moments_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    print(f"MITAGGER_DRILL_SEED={SEED} MITAGGER_DRILL_KILLS={KILLS}")  # noqa: T201 - pytest shows it when the drill fails
    disturbed, calm = Site(tmp_path / "disturbed"), Site(tmp_path / "calm")
    async with asyncio.timeout(SECONDS):
        await disturbed.open()
        reaper = asyncio.create_task(_deaths(disturbed, random.Random(SEED)))
        try:
            while not reaper.done():
                await disturbed.round()
            deaths = await reaper
            left = await disturbed.state()
        finally:
            reaper.cancel()
            await disturbed.close()
    async with asyncio.timeout(SECONDS):
        await calm.open()
        try:
            for _ in range(disturbed.rounds):
                await calm.round()
            expected = await calm.state()
        finally:
            await calm.close()
    print(f"{deaths} deaths, {disturbed.rounds} rounds, {len(left['export'])} rows")  # noqa: T201
    assert deaths >= KILLS
    assert len(left["export"]) >= 4 * disturbed.rounds
    for what, value in expected.items():
        assert left[what] == value, f"{what} (seed {SEED})"
    assert (left["scratch"], left["dead letters"], left["problems"]) == ([], 0, [])
    assert "Traceback" not in disturbed.server.told()
