"""The main job as clients do it who do not give up, and what it leaves: the same, whatever happened on the way."""

import asyncio
import io
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Busy, ClientError, Missing, Unreachable
from tests.support.images import png
from tests.support.people import ANNOTATOR, REVIEWER, Staff, exported, until

SECONDS: Final = 300.0
AGAIN: Final = (Unreachable, Busy)  # what a client answers by sending the same again

T = TypeVar("T")

LEGENDS: Final = (
    "(A) MRI of the hippocampus (HC), round {0}. (B) No fibrosis in the HC, but apoptosis.",
    "Femur of patient {0} with hypertension who took ibuprofen and metformin.",
    "Western blot {0} of retina with carcinoma after mastectomy.",
    "Of {0} and zymurgy.",
)


class Work:
    """`clients`: one each for admin, annotator and reviewer (by name), to a server whose data lie in `data`. They wait
    for `up` before they ask."""

    def __init__(
        self,
        clients: Mapping[str, AsyncClient],
        staff: Staff,
        data: Path,
        up: asyncio.Event,
        again: tuple[type[ClientError], ...] = AGAIN,
    ) -> None:
        """`again`: what they answer by sending the same again."""
        self.answers = 0
        self.rounds = 0
        self._clients = clients
        self._staff = staff
        self._data = data
        self._up = up
        self._again = again
        self._not_yet: tuple[type[ClientError], ...] = (Missing, *again)

    async def ask(self, who: str, call: Callable[[AsyncClient], Awaitable[T]]) -> T:
        """What `who` is answered, however often it takes."""
        while True:
            await self._up.wait()
            try:
                answer = await call(self._clients[who])
            except self._again:
                await asyncio.sleep(0)
                continue
            self.answers += 1
            return answer

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
        await until(lambda: self.recommended(figure), what=f"recommendations of {figure}", seconds=SECONDS)
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

    async def recommended(self, figure: str) -> bool:
        await self._up.wait()
        try:
            return (await self._clients["admin"].recommendations(figure)).state != "pending"
        except self._not_yet:
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
        await until(lambda: quiet(admin), what="every group has caught up")
        figures = [figure async for figure in admin.figures()]
        names = {figure.id: str(figure.external_id) for figure in figures} | self._staff.names()
        status = await admin.status()
        return {
            "figures": sorted((one.external_id, one.version, one.legend, _shown(one)) for one in figures),
            "files": sorted(path.name for path in (self._data / "blobs").rglob("*") if path.is_file()),
            "scratch": sorted(path.name for scratch in self._data.rglob("scratch") for path in scratch.iterdir()),
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
                told[event.id] = (
                    event.type,
                    names.get(event.subject, "erased"),
                    event.data["revision"],
                    tag.get("key"),
                )
            after = page.next
        return Counter(told.values())


async def _ids(client: AsyncClient, figure: str) -> list[str]:
    return [one.id async for one in client.assignments(figure=figure)]


async def quiet(admin: AsyncClient) -> bool:
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
