"""The main job over a real server process: figures in, reviewed tags out, erasure, and bad input that harms nobody."""

import io
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Missing, Rejected
from tests.support.cluster import Cluster
from tests.support.images import bomb, png
from tests.support.people import REVIEWER, Staff, exported, hired, signed_in, until
from tests.support.server import Server
from tests.support.servers import kafka, mongo

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

LEGENDS = {
    "one": "(A) MRI of the hippocampus (HC). (B) No fibrosis in the HC.",
    "two": "Femur of a patient with hypertension who took ibuprofen.",
    "three": "Western blot of retina, with apoptosis.",
}


@dataclass(frozen=True, slots=True)
class World:
    server: Server | Cluster
    admin: AsyncClient
    staff: Staff


@contextmanager
def installation(request: pytest.FixtureRequest, folder: Path) -> Iterator[Server | Cluster]:
    """All services in one process, or one a process on real servers."""
    if request.param == "one process":
        yield Server(folder)
        return
    name = f"e2e{secrets.token_hex(4)}"
    mongodb = request.getfixturevalue("mongodb")
    yield Cluster(folder, bus=f"kafka://{kafka.address()}/{name}", documents=mongo.named(mongodb, name))


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=["one process", pytest.param("a process a service", marks=pytest.mark.servers)],
)
async def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    with installation(request, tmp_path_factory.mktemp("main-job")) as server:
        async with serving(server) as made:
            yield made


@asynccontextmanager
async def serving(server: Server | Cluster) -> AsyncIterator[World]:
    await server.start()
    try:
        async with server.client() as admin:
            yield World(server, admin, await hired(admin))
            status = await admin.status()
            assert (status.dead_letters, status.problems) == (0, [])
        assert await server.stop() == 0
        assert "Traceback" not in server.told()
    finally:
        await server.kill()


async def brought(admin: AsyncClient, collection: str, **legends: str) -> dict[str, str]:
    """Figures with a picture each; their ids by external id."""
    job = await admin.start_import(collection, len(legends))
    rows: list[dict[str, Any]] = []
    for number, (name, legend) in enumerate(legends.items(), start=1):
        upload = (await admin.upload(io.BytesIO(png(hash_of(name))))).upload
        row = {"row": number, "collection": collection, "file": f"{name}.png", "upload": upload}
        rows.append({**row, "label": f"Figure {number}", "legend": legend, "external_id": f"{collection}-{name}"})
    results = await admin.import_rows(job.id, rows)
    assert [(result.status, result.problem) for result in results] == [("created", None)] * len(rows)
    finished = await admin.import_(job.id)
    assert (finished.state, finished.created, finished.rejected) == ("done", len(rows), 0)
    return {str(row["external_id"]): str(result.figure) for row, result in zip(rows, results, strict=True)}


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode(), "big")


async def recommended(admin: AsyncClient, figure: str) -> m.Recommendations:
    async def arrived() -> bool:
        try:
            return (await admin.recommendations(figure)).state != "pending"
        except Missing:
            return False  # annotation has not heard of the figure yet

    await until(arrived, what=f"recommendations of {figure}")
    return await admin.recommendations(figure)


async def assigned(world: World, *figures: str) -> dict[str, str]:
    """Assignments by figure."""
    made = await world.admin.assign(
        figures=list(figures), annotator=world.staff.annotator, reviewer=world.staff.reviewer
    )
    return {one.figure: one.id for one in made.items}


async def approved(world: World, **figures: int) -> None:
    """Waits until that many rows of each figure (by external id) are approved in the export."""

    async def there() -> bool:
        rows = [row for row in await exported(world.admin) if row["status"] == "approved"]
        return all(sum(row["external_id"] == name for row in rows) == count for name, count in figures.items())

    await until(there, what=f"approved rows: {figures}")


async def test_figures_go_in_and_reviewed_tags_come_out(world: World) -> None:
    figures = await brought(world.admin, "main", **LEGENDS)
    one, two, three = figures["main-one"], figures["main-two"], figures["main-three"]
    found = {figure: await recommended(world.admin, figure) for figure in figures.values()}
    axes = {(item.axis, item.assertion) for item in found[one].items}
    assert {("imaging", "present"), ("anatomy", "present"), ("disease", "absent")} <= axes
    assignments = await assigned(world, *figures.values())
    accepted: dict[str, set[tuple[str, str]]] = {}
    async with signed_in(world.server.url, "ada") as annotator, signed_in(world.server.url, REVIEWER) as reviewer:
        for figure, id in assignments.items():
            sheet = await annotator.assignment(id)
            first, *rest = sheet.recommendations.items
            sheet = await annotator.decide(id, {"kind": "accept", "recommendation": first.id}, version=sheet.version)
            for item in rest:
                sheet = await annotator.decide(
                    id, {"kind": "reject", "recommendation": item.id, "reason": "too_general"}, version=sheet.version
                )
            sheet = await annotator.decide(
                id, {"kind": "add", "axis": "imaging", "text": "light-sheet"}, version=sheet.version
            )
            assert {tag.label for tag in sheet.tags} == {first.label, "light-sheet"}
            accepted[figure] = {(first.curie, first.axis), ("", "imaging")}
            assert (await annotator.submit(id, version=sheet.version)).state == "submitted"
        returned = await reviewer.review(assignments[one], "returned", comment="Is it light-sheet?")
        assert (returned.state, returned.review and returned.review.comment) == ("returned", "Is it light-sheet?")
        key = next(tag.key for tag in returned.tags if tag.label == "light-sheet")
        await annotator.decide(assignments[one], {"kind": "withdraw", "key": key})
        accepted[one].discard(("", "imaging"))
        await annotator.submit(assignments[one])
        for id in assignments.values():
            assert (await reviewer.review(id, "approved")).state == "approved"
        steps = [entry.action async for entry in reviewer.history(assignments[one])]
        assert steps[-5:] == ["submit", "return", "withdraw", "submit", "approve"]
    await approved(world, **{"main-one": 1, "main-two": 2, "main-three": 2})
    rows = [row for row in await exported(world.admin) if row["external_id"].startswith("main-")]
    for figure in found:
        assert {(row["curie"], row["axis"]) for row in rows if row["figure_id"] == figure} == accepted[figure]
    assert {row["status"] for row in rows} == {"approved"}
    assert {row["annotator"] for row in rows} == {world.staff.annotator}
    assert {row["reviewer"] for row in rows} == {world.staff.reviewer}
    by_words = await world.admin.search("ibuprofen", status="approved")
    assert [hit.figure for hit in by_words.items] == [two]
    by_tag = await world.admin.search("light-sheet")
    assert {hit.figure for hit in by_tag.items} == {two, three}


async def test_every_process_shows_metrics_where_it_was_told_to_and_the_public_door_none(world: World) -> None:
    metrics = world.server.metrics if isinstance(world.server, Cluster) else {}
    async with httpx.AsyncClient(trust_env=False) as http:
        assert (await http.get(f"{world.server.url}/metrics")).status_code == 404
        for name, address in metrics.items():
            text = (await http.get(f"http://{address}/metrics")).text
            assert f'mitagger_build_info{{service="{name}"' in text
            for source in ("bus", "outbox"):
                assert f'mitagger_source_up{{source="{source}"}} 1.0' in text
            assert "mitagger_ready 1.0" in text


async def test_an_erased_figure_is_gone_from_lists_search_export_and_the_embedded_log(world: World) -> None:
    secret = "Zymurgia of the retina"
    figures = await brought(world.admin, "erasing", gone=secret, stays="A femur.")
    gone, stays = figures["erasing-gone"], figures["erasing-stays"]
    await recommended(world.admin, gone)
    id = (await assigned(world, gone, stays))[gone]
    async with signed_in(world.server.url, "ada") as annotator:
        await annotator.decide(id, {"kind": "add", "axis": "anatomy", "text": "zymurgian layer"})
        await annotator.submit(id)
    picture = (await world.admin.figure(gone)).display_url
    assert picture is not None

    async def indexed() -> bool:
        return (await world.admin.search("zymurgia")).total == 1

    await until(indexed, what="the figure in the index")
    await world.admin.delete_figure(gone)
    await world.admin.delete_figure(gone)

    async def heard() -> bool:
        try:
            await world.admin.recommendations(gone)
        except Missing:
            return (await world.admin.search("zymurgia")).total == 0
        return False

    await until(heard, what="all have heard of the erasure")
    with pytest.raises(Missing):
        await world.admin.figure(gone)
    with pytest.raises(Missing):
        await world.admin.assignment(id)
    with pytest.raises(Missing):
        await world.admin.recommendations(gone)
    with pytest.raises(Missing):
        await world.admin.download(picture, io.BytesIO())
    listed = {figure.id async for figure in world.admin.figures()}
    assert gone not in listed
    assert stays in listed
    assert {one.figure.id async for one in world.admin.assignments() if one.figure} >= {stays}
    assert (await world.admin.search("zymurgia")).total == 0
    assert gone not in {row["figure_id"] for row in await exported(world.admin)}
    if isinstance(world.server, Cluster):
        return  # Kafka's records live out their retention
    told, after = [], ""
    while (page := await world.admin.events(after=after, limit=200)).items:
        told += page.items
        after = page.next
    assert [event.type for event in told if event.subject == gone] == ["org.mitagger.image.deleted.v1"]
    assert not any("zymurgia" in event.model_dump_json().lower() for event in told)


async def test_bad_rows_are_refused_with_field_and_remedy_and_the_others_go_in(world: World) -> None:
    good = png(1)
    files: dict[str, bytes] = {
        "text.png": b"This is a text, whatever its name says. " * 10,
        "cut.png": png(2, width=400, height=400)[:9_000],
        "empty.png": b"",
        "bomb.png": bomb(),
        "page.jpg": b"<html><body>404 Not Found</body></html>",
    }
    collection = {"collection": "bad input", "label": "Figure"}
    rows: list[tuple[dict[str, Any], str]] = []  # a row, and the field that is wrong with it
    for name, content in files.items():
        upload = (await world.admin.upload(io.BytesIO(content))).upload
        rows.append(({**collection, "file": name, "upload": upload}, "file"))
    upload = (await world.admin.upload(io.BytesIO(good))).upload
    rows += [
        ({"label": "Figure", "doi": "not-a-doi", "legend": "A femur."}, "doi"),
        ({"label": "Figure", "doi": "10.1234/x", "collection": "y", "legend": "A femur."}, ""),
        ({**collection, "legend": "x" * 50_001}, "legend"),
        ({**collection, "legend": "A femur\x07 rings."}, "legend"),
        ({**collection, "legend": "A femur.", "language": "not a language"}, "language"),
        ({**collection, "label": "Figure\n1", "legend": "A femur."}, "label"),
        ({**collection, "file": "a.png"}, "upload"),
        ({**collection, "file": "a.png", "upload": "f" * 64}, "file"),
        ({**collection, "file": "a.png", "upload": "../../etc/passwd"}, "upload"),
        ({**collection}, ""),
        ({**collection, "legend": "x" * 50_000, "external_id": "longest"}, "good"),
        ({**collection, "file": "good.png", "upload": upload, "external_id": "good"}, "good"),
        ({**collection, "label": "Other", "file": "good.jpg", "upload": upload, "external_id": "misnamed"}, "warned"),
    ]
    job = await world.admin.start_import("bad rows", len(rows))
    sent = [{**row, "row": number} for number, (row, _) in enumerate(rows, start=1)]
    for _again in range(2):
        results = await world.admin.import_rows(job.id, sent)
        for (row, field), result in zip(rows, results, strict=True):
            if field in ("good", "warned"):
                assert result.figure is not None, (row, result)
                continue
            assert result.status == "rejected", (row, result)
            assert result.problem is not None, row
            assert (result.problem.field, bool(result.problem.remedy)) == (field, True), (row, result)
            assert result.problem.detail
    finished = await world.admin.import_(job.id)
    assert (finished.state, finished.created, finished.rejected) == ("done", 3, len(rows) - 3)
    rejects = [reject async for reject in world.admin.rejects(job.id) if reject.severity == "error"]
    assert [(reject.row, reject.field) for reject in rejects] == [
        (number, field) for number, (_, field) in enumerate(rows, start=1) if field not in ("good", "warned")
    ]
    assert rejects[0].file == "text.png"
    (warned,) = [reject async for reject in world.admin.rejects(job.id) if reject.severity == "warning"]
    assert (warned.row, warned.file, warned.field) == (len(rows), "good.jpg", "file")


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"doi": "10.x/y", "legend": "A femur."}, None),
        ({"legend": "A femur."}, None),
        ({"collection": "c", "legend": "y" * 50_001}, None),
        ({"collection": "c", "legend": "bell \x07"}, None),
        ({"collection": "c"}, b"no picture"),
        ({"collection": "c"}, b""),
        ({"collection": "c"}, bomb()),
        ({"collection": "c"}, png(3, width=300, height=300)[:5_000]),
    ],
    ids=["doi", "no article", "long", "control", "text", "empty", "bomb", "truncated"],
)
async def test_a_bad_figure_is_refused_with_a_remedy(
    world: World, tmp_path: Path, fields: dict[str, str], content: bytes | None
) -> None:
    file = None
    if content is not None:
        file = tmp_path / "figure.png"
        file.write_bytes(content)
    with pytest.raises(Rejected) as refused:
        await world.admin.create_figure(file, **fields)
    assert refused.value.problem.detail
    assert refused.value.problem.remedy
