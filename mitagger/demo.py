"""The main job on sample figures: upload, recommendations, decisions, review, export, as people would do it.

The sample annotator knows which concepts a figure shows from `sample/tags.csv`, which was written from the legends
alone, before any matching: what the recommender misses is therefore seen, and searched for or typed.
"""

import asyncio
import csv
import secrets
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.importing import bring, read
from mitagger.sample.sample import write, write_screenshot
from mitagger.serve import Running, running
from mitagger.tagging import addition, plain
from mitagger.team import Played, play
from shared.access import DEFAULT_PROJECT
from shared.errors import DeadlineExceeded, Invalid
from shared.process import until_interrupted
from shared.settings import Settings

AXES: Final = ("anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical")
ANNOTATOR, REVIEWER = "ada", "grace"
VISITOR = "lin"  # whoever tries the workbench: figures wait for them
TO_TRY: Final = 8
WHAT_FOR: Final = {
    VISITOR: f"to tag: {TO_TRY} figures wait",
    ANNOTATOR: "to see what an annotator has done",
    REVIEWER: "to review what you submit",
}
OF_TEAM: Final = {
    "eve": "to tag: figures wait, and one came back",
    "grace": "to review, and to settle what two people tagged differently",
}
RECOMMEND_SECONDS: Final = 120.0
SHOWN_MISSES: Final = 6
STATES: Final = {
    "ready": "made",
    "none_found": "without any",
    "no_text": "not made (no legend)",
    "language_unsupported": "not made (language is not read)",
}


@dataclass(frozen=True, slots=True)
class Expected:
    """A concept that the sample annotator sees in a figure."""

    axis: str
    name: str
    assertion: str


@dataclass(slots=True)
class Report:
    """What happened."""

    seconds: dict[str, float] = field(default_factory=dict)
    figures: int = 0
    states: Counter[str] = field(default_factory=Counter)
    recommended: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    missed: list[Expected] = field(default_factory=list)
    returned: int = 0
    approved: int = 0
    rows: int = 0
    export: Path = Path()

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[step] = time.perf_counter() - start


def run(settings: Settings, *, once: bool, team: int | None = None) -> int:
    """Runs the demo in the data folder of `settings`, which it empties first; serves on afterwards unless `once`. With
    `team`, a project of six people on so many figures in place of the main job. Returns the exit code. Raises Invalid
    when another server holds the folder."""
    return asyncio.run(_run_team(settings, team, once=once) if team else _run(settings, once=once))


async def _run(settings: Settings, *, once: bool) -> int:
    console = Console()
    _empty(settings.data)
    report = Report()
    started = time.perf_counter()
    sample = asyncio.create_task(asyncio.to_thread(write, settings.data / "sample"))
    async with running(settings) as server:
        report.seconds["start"] = time.perf_counter() - started
        _begun(server, settings, console)
        console.print(f"Sample figures come in, {ANNOTATOR} tags them, {REVIEWER} reviews; the tags are exported.")
        people = await _work(server, settings.data, sample, report, console)
        _tell(report, console)
        if not once:
            _invite(server, people, WHAT_FOR, console)
        console.print("\nAsk in a shell:" if once else "\nOr ask in a shell:")
        console.print(f"  {_command()} search hippocampus --data {settings.data}", highlight=False, soft_wrap=True)
        if not once:
            console.print("\nServing until Ctrl+C.")
            await until_interrupted()
    return 0


async def _run_team(settings: Settings, figures: int, *, once: bool) -> int:
    console = Console()
    _empty(settings.data)
    sample = asyncio.create_task(asyncio.to_thread(write, settings.data / "sample"))
    async with running(settings) as server:
        _begun(server, settings, console)
        console.print(f"Six people tag and review {figures} figures …")

        @asynccontextmanager
        async def connect(name: str, password: str) -> AsyncIterator[AsyncClient]:
            async with AsyncClient(server.url) as client:
                await client.sign_in(name, password)
                yield client

        async with AsyncClient(server.url, key=server.key) as admin:
            played = await play(admin, connect, figures, await sample)
        _tell_of_team(played, console)
        if not once:
            _invite(server, {name: played.passwords[name] for name in OF_TEAM}, OF_TEAM, console)
            console.print("\nServing until Ctrl+C.")
            await until_interrupted()
    return 1 if played.wrong else 0


def _begun(server: Running, settings: Settings, console: Console) -> None:
    said = f"[bold]MITagger[/] runs at {server.url}; its data are in {settings.data}, begun afresh."
    console.print(said, soft_wrap=True)


def _invite(server: Running, people: Mapping[str, str], what_for: Mapping[str, str], console: Console) -> None:
    """Who can sign in with which password, and what for."""
    first = server.first_sign_in
    if first is not None:
        people = {**people, first.name: first.password}
    console.print(f"\nOpen [bold]{server.url}[/] in a browser, and:")
    for name, password in people.items():
        what = what_for.get(name, "to look at everything: figures, progress, people, settings")
        console.print(f"  sign in as [bold]{name}[/] with {password}  ({what})", highlight=False, soft_wrap=True)


def _command() -> str:
    """How this program was called, if by its name."""
    return sys.argv[0] if Path(sys.argv[0]).name == "mitagger" else "mitagger"


def _tell_of_team(played: Played, console: Console) -> None:
    for title, counts in (
        ("Handed out", played.handed_out),
        ("Done", played.done),
        ("Assignments afterwards", played.states),
    ):
        said = ", ".join(f"{number} {what}" for what, number in counts.most_common())
        console.print(f"[bold]{title}:[/] {said}", highlight=False, soft_wrap=True)
    for name, scores in played.scores.items():
        mean = sum(scores) / len(scores)
        console.print(f"[bold]{name}[/] on {len(scores)} gold figures: mean F1 {mean:.2f}", highlight=False)
    for problem in played.wrong:
        console.print(f"[bold]Not as it should be:[/] {problem}", highlight=False)
    console.print(_took(played.seconds), highlight=False, soft_wrap=True)


def _empty(folder: Path) -> None:
    """Begins afresh: only in a folder that a demo made, and that nobody serves."""
    mark = folder / "demo"
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise Invalid(
            f"{folder} holds something that is not a demo's.", remedy="Choose an empty folder with --data for the demo."
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", blocking=False):
            for path in folder.iterdir():
                if path.name in ("lock", "demo"):
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
    except Timeout as error:
        raise Invalid("The demo is running already.", remedy="Stop it, or use another folder with --data.") from error
    mark.touch()


async def _work(
    server: Running, folder: Path, sample: asyncio.Task[Path], report: Report, console: Console
) -> dict[str, str]:
    """The main job, step by step. Returns the sample people's passwords."""
    passwords = {name: secrets.token_urlsafe(12) for name in (VISITOR, ANNOTATOR, REVIEWER)}
    async with AsyncClient(server.url, key=server.key) as admin:
        ada = await admin.create_account(ANNOTATOR, passwords[ANNOTATOR], ["annotator"])
        grace = await admin.create_account(REVIEWER, passwords[REVIEWER], ["reviewer"])
        await admin.set_member(DEFAULT_PROJECT, ada.person, ["annotator"], reviewer=grace.person)
        with report.timed("sample"):
            figures = await sample
        with report.timed("import"):
            report.figures = await _import(admin, figures, console)
        with report.timed("recommend"):
            await _assigned(admin, report.figures, annotator=ada.person, reviewer=grace.person)
            await _recommended(admin, report, console)
    expected = _expected()
    with report.timed("annotate"):
        async with _signed_in(server.url, ANNOTATOR, passwords) as annotator:
            async for listed in annotator.assignments():
                await _annotate(annotator, await annotator.assignment(listed.id), expected, report)
    with report.timed("review"):
        await _review(server.url, passwords, expected, report)
    with report.timed("export"):
        async with AsyncClient(server.url, key=server.key) as admin:
            await _export(admin, folder, report)
            lin = await admin.create_account(VISITOR, passwords[VISITOR], ["annotator"])
            await admin.set_member(DEFAULT_PROJECT, lin.person, ["annotator"], reviewer=grace.person)
            await _left_to_try(admin, annotator=lin.person, reviewer=grace.person)
            await _left_to_look_at(admin, figures)
    return passwords


async def _import(admin: AsyncClient, sample: Path, console: Console) -> int:
    with _progress(console) as progress:
        bar = progress.add_task("importing", total=None)
        with await asyncio.to_thread(read, sample) as found:
            brought = await bring(
                admin, found, told=lambda now: progress.update(bar, completed=now.done, total=now.total)
            )
    if brought.problems:
        raise Invalid(f"The sample did not go in whole: {brought.problems[0]}")
    return brought.created + brought.existing


async def _assigned(admin: AsyncClient, figures: int, *, annotator: str, reviewer: str) -> None:
    """Figures reach annotation as events: asks until all are assigned."""
    async with _patience("The figures did not reach the annotators"):
        assigned = 0
        while assigned < figures:
            done = await admin.assign(all_unassigned=True, annotator=annotator, reviewer=reviewer)
            assigned += done.created
            await asyncio.sleep(0.02)


async def _left_to_try(admin: AsyncClient, *, annotator: str, reviewer: str) -> None:
    """Assigns some figures with recommendations once more, to somebody who has not begun."""
    done = [listed async for listed in admin.assignments()]
    richest = sorted(done, key=lambda listed: -listed.tags)[:TO_TRY]
    figures = [listed.figure.id for listed in richest if listed.figure is not None]
    await admin.assign(figures=figures, annotator=annotator, reviewer=reviewer)


async def _left_to_look_at(admin: AsyncClient, folder: Path) -> None:
    """Brings in a picture that shows a name, which waits for an administrator's look."""
    screenshot = await asyncio.to_thread(write_screenshot, folder)
    legend = "Ultrasound of a lymph node in the neck."
    await admin.create_figure(screenshot, collection="Ward (made up)", label="Figure 1", legend=legend)


async def _recommended(admin: AsyncClient, report: Report, console: Console) -> None:
    with _progress(console) as progress:
        bar = progress.add_task("recommending", total=report.figures)
        async with _patience("The recommendations did not arrive"):
            async for listed in admin.assignments():
                assert listed.figure is not None  # noqa: S101 - nobody erases in the demo
                while (found := await admin.recommendations(listed.figure.id)).state == "pending":
                    await asyncio.sleep(0.05)
                report.states[found.state] += 1
                report.recommended.update(item.axis for item in found.items)
                progress.advance(bar)


async def _annotate(
    client: AsyncClient, assignment: m.Assignment, expected: Mapping[str, Sequence[Expected]], report: Report
) -> None:
    """Accepts what is expected, rejects the rest, adds what was missed, submits."""
    wanted = list(expected.get(assignment.figure.external_id or "", ()))
    accepted: list[Expected] = []
    for item in assignment.recommendations.items:
        meant = next((one for one in wanted if _means(item, one)), None)
        if meant is None:
            await client.decide(assignment.id, {"kind": "reject", "recommendation": item.id})
            report.rejected[item.axis] += 1
        elif meant in accepted:
            await client.decide(assignment.id, {"kind": "reject", "recommendation": item.id, "reason": "duplicate"})
            report.rejected[item.axis] += 1
        else:
            await client.decide(
                assignment.id, {"kind": "accept", "recommendation": item.id, "assertion": meant.assertion}
            )
            accepted.append(meant)
            report.accepted[item.axis] += 1
    for one in wanted:
        if one not in accepted:
            report.missed.append(one)
            await client.decide(assignment.id, await addition(client, one.name, axis=one.axis, assertion=one.assertion))
            report.added[one.axis] += 1
    await client.submit(assignment.id, no_tag_applies=not wanted)


async def _review(
    url: str, passwords: Mapping[str, str], expected: Mapping[str, Sequence[Expected]], report: Report
) -> None:
    """The reviewer returns the first figure that has a tag and approves the others; the annotator takes that tag back
    and gives it again, as asked, and the reviewer approves."""
    async with _signed_in(url, REVIEWER, passwords) as reviewer, _signed_in(url, ANNOTATOR, passwords) as annotator:
        async for listed in reviewer.assignments():
            if listed.tags and not report.returned:
                comment = "Is the first tag meant for the whole figure? Please look again."
                await reviewer.review(listed.id, "returned", comment=comment)
                report.returned += 1
                returned = await annotator.assignment(listed.id)
                tag = returned.tags[0]
                await annotator.decide(listed.id, {"kind": "withdraw", "key": tag.key})
                decided = next((d for d in returned.decisions if d.key == tag.key and d.recommendation), None)
                again: dict[str, object] = (
                    {
                        "kind": "accept",
                        "recommendation": decided.recommendation,
                        "assertion": tag.assertion,
                        "panels": [],
                    }
                    if decided
                    else {"kind": "add", "axis": tag.axis, "text": tag.label, "assertion": tag.assertion}
                )
                await annotator.decide(listed.id, again)
                await annotator.submit(listed.id)
            await reviewer.review(listed.id, "approved")
            report.approved += 1


async def _export(admin: AsyncClient, folder: Path, report: Report) -> None:
    """Waits until the search index and the export know of every approval."""
    async with _patience("The approvals did not reach the export"):
        while (await admin.status()).figures.get("approved", 0) < report.approved:
            await asyncio.sleep(0.02)
    job = await admin.start_export("csv")
    while (job := await admin.export(job.id)).state == "running":
        await asyncio.sleep(0.02)
    if job.url is None:
        raise Invalid(f"The export did not finish: {job.problem}")
    report.export, report.rows = folder / job.file_name, job.rows
    with report.export.open("wb") as out:
        await admin.download(job.url, out)


def _expected() -> dict[str, list[Expected]]:
    """By external id."""
    found: dict[str, list[Expected]] = {}
    with (files("mitagger.sample") / "tags.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["external_id"], []).append(Expected(row["axis"], row["name"], row["assertion"]))
    return found


def _means(item: m.Recommendation, one: Expected) -> bool:
    """Whether the suggestion is what the annotator saw: same axis, and the name is its label or one of its mentions."""
    names = {plain(item.label), *(plain(span.text) for span in item.spans)}
    return item.axis == one.axis and plain(one.name) in names


def _tell(report: Report, console: Console) -> None:
    table = Table(title=f"{report.figures} figures, {report.approved} approved, {report.returned} returned once")
    table.add_column("axis")
    for name in ("recommended", "accepted", "rejected", "added"):
        table.add_column(name, justify="right")
    counts = (report.recommended, report.accepted, report.rejected, report.added)
    for axis in AXES:
        table.add_row(axis, *(str(count[axis]) for count in counts))
    table.add_section()
    table.add_row("all", *(str(count.total()) for count in counts))
    console.print(table)
    states = ", ".join(f"{number} {STATES.get(state, state)}" for state, number in report.states.most_common())
    console.print(f"Recommendations by figure: {states}.", highlight=False)
    names = list(dict.fromkeys(f"{one.name} ({one.axis})" for one in report.missed))
    shown = ", ".join(names[:SHOWN_MISSES])
    console.print(
        f"Missed by the recommender, found by the annotator: {shown or 'nothing'}", highlight=False, soft_wrap=True
    )
    console.print(f"All tags are in {report.export} ({report.rows} rows).", highlight=False, soft_wrap=True)
    console.print(_took(report.seconds), highlight=False, soft_wrap=True)


def _took(seconds: Mapping[str, float]) -> str:
    steps = ", ".join(f"{step} {taken:.1f}" for step, taken in seconds.items())
    return f"It took {sum(seconds.values()):.1f} s: {steps}."


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description:>13}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=not console.is_terminal) as progress:
        yield progress


@asynccontextmanager
async def _signed_in(url: str, name: str, passwords: Mapping[str, str]) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url) as client:
        await client.sign_in(name, passwords[name])
        yield client


@asynccontextmanager
async def _patience(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(RECOMMEND_SECONDS):
            yield
    except TimeoutError as error:
        raise DeadlineExceeded(
            f"{what} within {RECOMMEND_SECONDS:.0f} s.", remedy="See the log; mitagger status says what waits."
        ) from error
