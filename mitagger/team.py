"""A project with six people, as they would work on it: every way to hand out figures, and every way that work takes.

Everything goes through the public API by the typed client. `mitagger demo --team` shows it, and a test plays it on both
engines: `play` says what happened, `Played.wrong` what should not have.

| who | does |
|---|---|
| ada, bob | annotate from the start: by hand, evenly, paper by paper, some figures both of them |
| eve | tags what becomes gold, then pulls |
| nell | comes later: qualifies on gold, then pulls |
| grace, joan | review; grace adjudicates what ada and bob both tagged |
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import ClientError, Conflict
from mitagger.tagging import addition, plain
from shared.access import DEFAULT_PROJECT

ROLES: Final[dict[str, m.Role]] = {
    "ada": "annotator",
    "bob": "annotator",
    "eve": "annotator",
    "nell": "annotator",
    "grace": "reviewer",
    "joan": "reviewer",
}
REVIEWER: Final = {"ada": "grace", "bob": "grace", "eve": "joan", "nell": "joan"}
GOLD: Final = 6
ATTEMPT: Final = 2  # gold figures
UNDONE: Final = 2  # figures that bob leaves
RETURNED: Final = 7  # every so manieth figure is sent back once
# What stays for whoever looks on: figures that wait for an adjudicator, and two papers that came last.
UNSETTLED: Final = 1
PAPER: Final = 4
ROWS_AT_ONCE: Final = 100
PATIENCE: Final = 180.0  # seconds until events have arrived

Connect = Callable[[str, str], AbstractAsyncContextManager[AsyncClient]]


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture of the sample, what its legend says, and the concepts that an annotator reads there, by axis."""

    picture: str
    legend: str
    concepts: dict[str, str]


SCENES: Final = (
    Scene(
        "brain-sagittal.tif",
        "Sagittal MRI beside the hippocampus in epilepsy.",
        {"anatomy": "hippocampus", "imaging": "MRI", "disease": "epilepsy"},
    ),
    Scene(
        "fundus-macula.png",
        "Macula of the retina in diabetes mellitus, after tropicamide.",
        {"anatomy": "retina", "pharmaceutical": "tropicamide", "disease": "diabetes mellitus"},
    ),
    Scene(
        "heart.png",
        "Echocardiography of the heart under treatment with metoprolol.",
        {"imaging": "echocardiography", "pharmaceutical": "metoprolol", "anatomy": "heart"},
    ),
    Scene("liver-lesion.tif", "Necrosis in the liver.", {"anatomy": "liver", "disease": "necrosis"}),
    Scene(
        "colon-glands.png",
        "Immunohistochemistry of the colon, without colitis.",
        {"imaging": "immunohistochemistry", "anatomy": "colon"},
    ),
    Scene(
        "nuclei.png",
        "Fluorescence microscopy of cultured fibroblasts in apoptosis.",
        {"imaging": "fluorescence microscopy", "genetics": "apoptosis"},
    ),
    Scene(
        "fundus-arcade.png",
        "Arteries and veins of the retina in hypertension.",
        {"anatomy": "retina", "disease": "hypertension"},
    ),
    Scene(
        "lymph-node.png",
        "Lymph node in ultrasound, before biopsy.",
        {"imaging": "ultrasound", "intervention": "biopsy", "anatomy": "lymph node"},
    ),
    Scene(
        "brain-axial.tif",
        "Brain of a patient with multiple sclerosis who took donepezil.",
        {"anatomy": "brain", "pharmaceutical": "donepezil", "disease": "multiple sclerosis"},
    ),
)


@dataclass(slots=True)
class Played:
    """What happened. `wrong` says what should not have."""

    figures: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    handed_out: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    scores: dict[str, list[float]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)  # of those who stayed
    newcomers: list[m.Newcomer] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start

    def expect(self, what: str, holds: object) -> None:
        if not holds:
            self.wrong.append(what)


async def play(admin: AsyncClient, connect: Connect, figures: int, pictures: Path) -> Played:
    """From empty hands to final tags, and some work left for whoever looks on. `connect` signs somebody in by
    name and password; `figures` is at least 40; `pictures` is the folder of the sample.

    Raises ClientError when a request is refused that should not be, TimeoutError when events do not arrive.
    """
    played = Played(figures=figures)
    async with AsyncExitStack() as stack:
        passwords = {name: secrets.token_urlsafe(16) for name in ROLES}
        for name, role in ROLES.items():
            await admin.create_account(name, passwords[name], [role])
        clients = {name: await stack.enter_async_context(connect(name, passwords[name])) for name in ROLES}
        people = {one.name: one.person async for one in admin.accounts()}
        project = _Project(admin, clients, people, played, pictures)
        with played.timed("import"):
            await project.bring(range(figures))
        with played.timed("gold"):
            await project.make_gold()
        with played.timed("hand out"):
            await project.hand_out()
        with played.timed("qualify"):
            await project.qualify()
        with played.timed("tag and review"):
            await project.work()
        with played.timed("leave"):
            await project.leave("bob")
            await project.work()
        with played.timed("adjudicate"):
            await project.adjudicate()
        with played.timed("erase"):
            await project.erase()
        await project.look()
        await project.leave_some(range(figures, figures + 2 * PAPER))
        played.passwords = {name: password for name, password in passwords.items() if name != "bob"}
    try:
        async with connect("bob", passwords["bob"]):
            played.wrong.append("who left signs in")
    except ClientError:
        pass
    return played


class _Project:
    def __init__(
        self,
        admin: AsyncClient,
        clients: dict[str, AsyncClient],
        people: dict[str, str],
        played: Played,
        pictures: Path,
    ) -> None:
        self._admin = admin
        self._clients = clients
        self._people = people
        self._played = played
        self._pictures = pictures
        self._ids: list[str] = []
        self._gold: list[str] = []
        self._shared: set[str] = set()  # figures of several annotators: the adjudicator's
        self._left: set[str] = set()  # of these, what stays
        self._returned: set[str] = set()
        self._skipped: set[str] = set()
        self._working = list(REVIEWER)
        self._gold_tags: dict[str, set[str]] = {}
        self._erased = ""

    async def bring(self, numbers: range) -> list[str]:
        names = sorted({_scene(number).picture for number in numbers})
        uploads = {name: (await self._admin.upload(self._pictures / name)).upload for name in names}
        rows = [
            {
                "row": row,
                "collection": f"Paper {number // PAPER + 1:03}",
                "file": _scene(number).picture,
                "upload": uploads[_scene(number).picture],
                "label": f"Figure {number % PAPER + 1}",
                "legend": f"{_scene(number).legend} Case {number + 1}.",
                "external_id": f"team-{number:04}",
            }
            for row, number in enumerate(numbers, start=1)
        ]
        job = await self._admin.start_import("team", len(rows))
        results: list[m.RowResult] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            results += await self._admin.import_rows(job.id, rows[start : start + ROWS_AT_ONCE])
        brought = [str(result.figure) for result in results]
        self._ids += brought
        await self._arrived()
        return brought

    async def make_gold(self) -> None:
        """Eve and joan, who know the field, tag the first figures with care."""
        self._gold = self._ids[:GOLD]
        await self._admin.assign(figures=self._gold, **self._pair("eve"))
        await self._tag_all("eve")
        async for one in self._clients["joan"].assignments(state="submitted"):
            await self._clients["joan"].review(one.id, "approved")
        for figure in self._gold:
            marked = await self._admin.mark_gold(figure)
            self._gold_tags[figure] = {tag.key for tag in marked.tags}
        self._played.expect("gold has tags", all(self._gold_tags.values()))

    async def hand_out(self) -> None:
        """By hand, evenly, paper by paper, to two at once; the rest into the pool."""
        rest = self._ids[GOLD:]
        part = len(rest) // 6
        by_hand, evenly, papers, shared, pool = (
            rest[:part], rest[part : 2 * part], rest[2 * part : 3 * part], rest[3 * part : 4 * part], rest[4 * part :],
        )  # fmt: skip
        handed_out = self._played.handed_out
        handed_out["by hand"] = (await self._admin.assign(figures=by_hand[UNDONE:], **self._pair("ada"))).created
        team = [self._pair("ada"), self._pair("bob")]
        even = await self._admin.plan(figures=evenly, team=team, hidden_share=0.2, apply=True)
        handed_out["evenly"], handed_out["hidden"] = even.figures, sum(one.hidden for one in even.people)
        # From now on newcomers qualify, gold is mixed in, and reviewers look at a share of good work.
        await self._admin.set_standards(
            DEFAULT_PROJECT,
            gold_share=0.2,
            qualification={"figures": ATTEMPT, "threshold": 0.75, "attempts": 2},
            sampling={"share": 0.4, "window": 4, "returned": 0.3, "f1": 0.5},
        )
        preview = await self._admin.plan(figures=papers, team=team, together="article")
        applied = await self._admin.plan(figures=papers, team=team, together="article", apply=True)
        self._played.expect("a preview counts what applying does", preview.people == applied.people)
        handed_out["by paper"] = applied.figures
        both = await self._admin.plan(figures=shared, team=team, overlap=2, overlap_share=1.0, apply=True)
        handed_out["to two"] = both.figures
        handed_out["gold in plans"] = sum(one.gold for plan in (applied, both) for one in plan.people)
        self._shared = set(shared)
        handed_out["by hand"] += (await self._admin.assign(figures=by_hand[:UNDONE], **self._pair("bob"))).created
        for name in REVIEWER:
            pair = self._pair(name)
            await self._admin.set_member(DEFAULT_PROJECT, pair["annotator"], ["annotator"], reviewer=pair["reviewer"])
        handed_out["pool"] = (await self._admin.pool(figures=pool, hidden_share=0.05)).figures

    async def qualify(self) -> None:
        """Nell gives up too early, reads what she missed, and passes at the second try."""
        nell = self._clients["nell"]
        try:
            await self._admin.assign(figures=[self._ids[-1]], **self._pair("nell"))
            self._played.wrong.append("a newcomer is given a production figure")
        except ClientError as refused:
            self._played.expect("it is said how a newcomer gets in", "qualification" in str(refused))
        for number in range(2 * ATTEMPT):
            sheet = await nell.next_assignment()
            if sheet is None:
                self._played.wrong.append("there is nothing to qualify with")
                return
            self._played.expect("qualification is said to be that", sheet.qualification)
            if number < ATTEMPT:
                await nell.submit(sheet.id, no_tag_applies=True)
            else:
                await self._tag("nell", sheet)
            feedback = await nell.feedback(sheet.id)
            self._played.expect("feedback says what was missed", bool(feedback.missed) == (number < ATTEMPT))

    async def work(self) -> None:
        """Everybody at once, round by round, until nobody has anything left but what waits for an adjudicator."""
        while await self._round():
            pass

    async def _round(self) -> int:
        tagged = await asyncio.gather(*(self._tag_all(name) for name in self._working))
        settled = await self._settle_concerns()
        reviewed = await asyncio.gather(*(self._review_all(name) for name in ("grace", "joan")))
        return sum(tagged) + settled + sum(reviewed)

    async def _tag_all(self, name: str) -> int:
        done = 0
        while not await self._leaves(name) and (sheet := await self._clients[name].next_assignment()):
            await self._tag(name, sheet)
            done += 1
            self._played.done["tagged"] += 1
            self._played.done[f"tagged by {name}"] += 1
        return done

    async def _leaves(self, name: str) -> bool:
        """Bob goes in the middle of it."""
        if name != "bob":
            return False
        mine = [one.state async for one in self._clients[name].assignments(relation="own")]
        return mine.count("open") <= UNDONE and "returned" not in mine

    async def _tag(self, name: str, sheet: m.Assignment) -> None:
        """Accepts what is recommended and right; adds what is missing. Bob overlooks the last one. Some are put aside
        first, some taken back once."""
        client, number = self._clients[name], _number(sheet)
        if number % 23 == 22 and sheet.id not in self._skipped and not sheet.qualification:
            self._skipped.add(sheet.id)
            await client.skip(sheet.id, "needs_an_expert", "Is this a section of the retina?")
            self._played.done["put aside"] += 1
            return
        wanted = list(_scene(number).concepts.items())
        if name == "bob":
            wanted = wanted[:-1]
        for item in sheet.recommendations.items:
            if not any(_means(item, axis, concept) for axis, concept in wanted):
                await client.decide(sheet.id, {"kind": "reject", "recommendation": item.id, "reason": "too_general"})
            else:
                await client.decide(sheet.id, {"kind": "accept", "recommendation": item.id})
        sheet = await client.assignment(sheet.id)
        if number % 11 == 4 and sheet.undoable:
            await client.undo(sheet.id)
            sheet = await client.redo(sheet.id)
            self._played.done["undone and done again"] += 1
        if not sheet.tags:
            for axis, concept in wanted:
                sheet = await client.decide(sheet.id, await addition(client, concept, axis=axis))
        await client.submit(sheet.id)
        if number % 19 == 3 and sheet.state == "open" and sheet.id not in self._returned:
            try:
                await client.recall(sheet.id)
            except Conflict:
                return  # approved by sampling, or its review has begun
            self._played.done["recalled"] += 1
            await client.submit(sheet.id)

    async def _settle_concerns(self) -> int:
        settled = 0
        async for one in self._admin.assignments(flagged=True):
            await self._admin.settle_concern(one.id)
            settled += 1
        return settled

    async def _review_all(self, name: str) -> int:
        client, done = self._clients[name], 0
        async for one in client.assignments(relation="review", state="submitted"):
            if one.figure is None or one.figure.id in self._shared - set(self._gold):
                continue
            sheet = await client.begin_review(one.id)
            if _number(sheet) % RETURNED == 1 and one.id not in self._returned:
                self._returned.add(one.id)
                await client.comment(one.id, "Which part of the picture do you mean?")
                await client.review(one.id, "returned", comment="Please look at the whole picture.")
                self._played.done["returned"] += 1
            else:
                await client.review(one.id, "approved")
                self._played.done["approved by a reviewer"] += 1
            done += 1
        return done

    async def leave(self, name: str) -> None:
        """Somebody goes: what they have not finished is taken back and given to others; what they did stays theirs."""
        left: list[str] = []
        person = self._people[name]
        async for one in self._admin.assignments(relation="any"):
            if one.annotator == person and one.state in ("open", "returned", "skipped"):
                await self._admin.release(one.id)
                if one.figure is not None and one.figure.id not in self._gold:
                    left.append(one.figure.id)
        self._working.remove(name)
        await self._admin.change_account(person, disabled=True)
        again = await self._admin.plan(figures=left, team=[self._pair("ada"), self._pair("eve")], apply=True)
        self._played.handed_out["of who left"] = again.figures

    async def adjudicate(self) -> None:
        """Grace keeps what either of two saw, and leaves the last."""
        grace = self._clients["grace"]
        waiting = [one.figure.id async for one in grace.adjudications()]
        self._left = set(waiting[-UNSETTLED:])
        for figure in waiting[:-UNSETTLED]:
            case = await grace.adjudication(figure)
            if differing := [tag.key for tag in case.tags if tag.kept is None]:
                await grace.choose(figure, keep=differing)
            await grace.adjudicate(figure)
            self._played.done["adjudicated"] += 1
        # Of which one left: the other's alone.
        self._shared = self._left
        await self.work()

    async def erase(self) -> None:
        self._erased = self._ids[-1]
        await self._admin.delete_figure(self._erased)
        await self._arrived()

    async def look(self) -> None:
        """What is there afterwards is as it must be."""
        admin, played = self._admin, self._played
        await self._arrived()
        async for one in admin.assignments(relation="any"):
            played.states[one.state] += 1
            ends = (
                ("submitted", "approved", "released")
                if one.figure and one.figure.id in self._left
                else ("approved", "released")
            )
            played.expect(f"an assignment is left {one.state}", one.state in ends)
            played.expect("an erased figure has an assignment", one.figure and one.figure.id != self._erased)
            sheet = await admin.assignment(one.id)
            if sheet.review and sheet.review.rule == "sampling":
                played.done["approved by sampling"] += 1
        status = await admin.status()
        left = {state: count for state, count in status.figures.items() if count and state != "approved"}
        # What one of two tagged may have been approved by sampling before it is settled.
        played.expect(f"figures are left: {left}", left in ({}, {"provisional": UNSETTLED}))
        played.expect("figures are missing", sum(status.figures.values()) == len(self._ids) - 1)
        played.expect("dead letters", status.dead_letters == 0)
        for figure, tags in self._gold_tags.items():
            gold = await admin.gold_of(figure)
            played.expect("a gold figure changed", gold.current and {tag.key for tag in gold.tags} == tags)
        for name in REVIEWER:
            scores = [one.f1 async for one in admin.gold_scores(DEFAULT_PROJECT, self._people[name])]
            if scores:
                played.scores[name] = scores
        played.newcomers = await admin.newcomers(DEFAULT_PROJECT)
        passed = [(one.person, one.state, one.attempt) for one in played.newcomers]
        played.expect("nell passed at the second try", passed == [(self._people["nell"], "passed", 2)])
        played.expect("nothing of who left is given to others", played.handed_out["of who left"] >= UNDONE)
        for what in ("returned", "adjudicated", "approved by sampling", "approved by a reviewer", "put aside"):
            played.expect(f"nothing was {what}", played.done[what])
        found = await admin.search("", limit=1)
        played.expect("search has another number of figures", found.total == len(self._ids) - 1)

    async def leave_some(self, numbers: range) -> None:
        """Eve has the first of two more papers, and a figure that joan reopened; nobody has the second paper."""
        brought = await self.bring(numbers)
        await self._admin.assign(figures=brought[:PAPER], **self._pair("eve"))
        joan = self._clients["joan"]
        async for one in joan.assignments(relation="review", state="approved"):
            if one.annotator == self._people["eve"] and one.figure and one.figure.id not in self._gold:
                await joan.reopen(one.id, "Is all of it seen in the picture? Please look again.")
                break
        await self._arrived()

    def _pair(self, name: str) -> dict[str, str]:
        return {"annotator": self._people[name], "reviewer": self._people[REVIEWER[name]]}

    async def _arrived(self) -> None:
        """Every service has heard of everything."""
        async with asyncio.timeout(PATIENCE):
            while any(one.behind for one in (await self._admin.status()).progress):
                await asyncio.sleep(0.05)


def _scene(number: int) -> Scene:
    return SCENES[number % len(SCENES)]


def _means(item: m.Recommendation, axis: str, concept: str) -> bool:
    return item.axis == axis and any(plain(span.text) == plain(concept) for span in item.spans)


def _number(sheet: m.Assignment) -> int:
    return int((sheet.figure.external_id or "").removeprefix("team-"))
