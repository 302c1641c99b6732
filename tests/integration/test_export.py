"""Export over real embedded engines: events in; searches, CSV and XML out."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

from services.export.merge import merged
from services.export.model import MODELS, ExportJob, FigureRecord
from services.export.service import ExportService, build
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.blobs import Blob
from shared.clock import first_id
from shared.engine import Engine
from shared.errors import Erased, NotFound
from shared.events.envelope import Event
from shared.grants import Grant
from shared.http import Hop
from shared.search.port import FigureEntry
from tests.support.builders import (
    ANNOTATOR,
    article,
    image_deleted,
    image_uploaded,
    review_done,
    tag,
    tag_accepted,
)
from tests.support.embedded import at_work, embedded

GLIOMA = tag(key="MONDO:1|present", axis="disease", curie="MONDO:1", label="glioma")


@dataclass
class Running:
    engine: Engine
    service: ExportService
    hop: Hop

    async def tell(self, *events: Event) -> None:
        await self.engine.bus.publish(events)
        await self.engine.bus.settled(timeout=20)  # type: ignore[attr-defined]
        assert await self.engine.bus.dead_letters() == []

    async def ask(self, role: Role, method: str, path: str, **request: Any) -> httpx.Response:
        caller = Caller(ANNOTATOR, {DEFAULT_PROJECT: frozenset({role})})
        return await self.hop.request(method, path, token=self.engine.signer.token(caller, "export"), **request)

    async def search(self, role: Role = "administrator", **params: Any) -> dict[str, Any]:
        answer = await self.ask(role, "GET", "/api/v1/search", params=params)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def finished(self, id: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while True:
                job = (await self.ask("administrator", "GET", f"/api/v1/exports/{id}")).json()
                if job["state"] != "running":
                    return dict(job)
                await asyncio.sleep(0.005)

    async def export(self, **body: Any) -> tuple[dict[str, Any], bytes]:
        answer = await self.ask("administrator", "POST", "/api/v1/exports", json=body)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"/api/v1/exports/{answer.json()['id']}"
        job = await self.finished(answer.json()["id"])
        assert job["state"] == "done", job
        return job, await self.engine.blobs.read(self.granted(job).blob)

    def granted(self, job: dict[str, Any]) -> Grant:
        return self.engine.signer.granted(job["url"].removeprefix("/api/v1/files/"))


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Running]:
    async with embedded(folder, MODELS) as engine:
        service = build(engine)
        hop = Hop("export", app=service.app)
        async with at_work(engine, service):
            yield Running(engine, service, hop)
        await hop.close()


@pytest.fixture
async def export(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as started:
        yield started


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


async def test_approved_figures_are_exported_as_csv_and_valid_xml(export: Running) -> None:
    await export.tell(
        image_uploaded(figure="f2", label="Figure 2"),
        image_uploaded(figure="f10", label="Figure 10"),
        image_uploaded(figure="f3", label="Figure 3"),
        review_done(figure="f2", tags=[tag(), GLIOMA]),
        review_done(figure="f10", tags=[], no_tag_applies=True),
        tag_accepted(figure="f3"),
    )
    job, content = await export.export(format="csv")
    assert [(row["figure_id"], row["curie"]) for row in rows(content)] == [
        ("f2", "UBERON:0001954"), ("f2", "MONDO:1"), ("f10", ""),
    ]  # fmt: skip
    assert (job["rows"], job["bytes"]) == (3, len(content))
    grant = export.granted(job)
    assert (grant.media_type, grant.file_name) == ("text/csv; charset=utf-8", job["file_name"])
    assert job["file_name"] == f"mitagger-{job['created_at'][:10]}.csv"

    schema = (await export.ask("annotator", "GET", "/api/v1/schemas/figures.xsd")).content
    job, content = await export.export(format="xml")
    root = etree.fromstring(content, etree.XMLParser(schema=etree.XMLSchema(etree.fromstring(schema))))
    assert [figure.get("id") for figure in root] == ["f2", "f10"]
    assert job["rows"] == 3


async def test_other_statuses_are_exported_on_request_with_provisional_tags(export: Running) -> None:
    await export.tell(image_uploaded(), tag_accepted(), image_uploaded(figure="f2", label="Figure 2"))
    assert rows((await export.export(format="csv"))[1]) == []
    _, content = await export.export(format="csv", statuses=["provisional", "new", "approved"])
    assert [(row["figure_id"], row["status"], row["curie"]) for row in rows(content)] == [
        ("f1", "provisional", "UBERON:0001954"), ("f2", "new", ""),
    ]  # fmt: skip


async def test_exports_of_a_project_are_listed_the_newest_first(export: Running) -> None:
    await export.tell(image_uploaded())
    made = [(await export.export(format=format))[0]["id"] for format in ("csv", "xml", "csv")]
    first = (await export.ask("manager", "GET", "/api/v1/exports", params={"limit": "2"})).json()
    rest = (await export.ask("manager", "GET", "/api/v1/exports", params={"cursor": first["next"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == made[::-1]
    assert all(one["url"] for one in first["items"])
    assert (await export.ask("administrator", "GET", "/api/v1/exports", params={"project": "atlas"})).json()[
        "items"
    ] == []
    assert (await export.ask("reviewer", "GET", "/api/v1/exports")).status_code == 403


async def test_chosen_figures_alone_are_exported_as_far_as_they_are_in_a_status_asked_for(export: Running) -> None:
    await export.tell(
        *(image_uploaded(figure=figure) for figure in ("f1", "f2", "f3")),
        image_uploaded(figure="f9", project="atlas"),
        tag_accepted(figure="f2"),
    )
    job, content = await export.export(figures=["f2", "f1", "f2"], statuses=["new", "provisional"])
    assert [row["figure_id"] for row in rows(content)] == ["f1", "f2"]
    assert (job["rows"], job["figures"]) == (2, 2)
    assert [row["figure_id"] for row in rows((await export.export(figures=["f2", "f1"], statuses=["new"]))[1])] == [
        "f1"
    ]
    for others in (["f1", "f9"], ["f1", "erased"]):
        refused = await export.ask("administrator", "POST", "/api/v1/exports", json={"figures": others})
        assert refused.status_code == 422
        assert refused.json()["detail"] == "Of 2 figures, 1 are not in this project."


async def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    life = [
        image_uploaded(), tag_accepted(), tag_accepted(tag_id="t2", tag=GLIOMA), image_uploaded(figure="f2"),
        review_done(tags=[tag(), GLIOMA]), review_done(figure="f2", tags=[GLIOMA, tag()]),
    ]  # fmt: skip
    contents = []
    for number, events in enumerate([life, life[::-1] + life]):
        async with running(tmp_path / str(number)) as export:
            await export.tell(*events)
            contents.append((await export.export(format="csv"))[1])
            assert (await export.export(format="csv"))[1] == contents[-1]
    assert contents[0] == contents[1]


async def test_an_export_of_many_pages_has_every_figure_once(export: Running) -> None:
    figures = [f"f{number:03}" for number in range(450)]
    await export.tell(*(image_uploaded(figure=figure, label=f"Figure {figure}") for figure in figures))
    job, content = await export.export(format="csv", statuses=["new"])
    assert [row["figure_id"] for row in rows(content)] == figures
    assert job["rows"] == 450


async def test_an_export_left_running_by_a_crash_is_made_at_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path) as export:
        await export.tell(image_uploaded(), review_done())
        jobs = export.engine.documents.collection(ExportJob)
        job, content = await export.export(format="csv")
        # As a crash before the last write leaves it.
        await jobs.update(job["id"], lambda stored: (stored.changed(state="running", rows=0, blob=None), ()))
    async with running(tmp_path) as export:
        again = await export.finished(job["id"])
        assert (again["state"], again["rows"]) == ("done", 1)
        assert await export.engine.blobs.read(export.granted(again).blob) == content


async def test_a_stop_leaves_an_export_for_the_next_start(tmp_path: Path) -> None:
    async with running(tmp_path) as export:
        await export.tell(image_uploaded(), review_done())
        answer = await export.ask("administrator", "POST", "/api/v1/exports", json={"format": "csv"})
    async with running(tmp_path) as export:
        assert (await export.finished(answer.json()["id"]))["state"] == "done"


async def test_an_export_that_cannot_be_stored_fails_and_says_so(export: Running, tmp_path: Path) -> None:
    (tmp_path / "data" / "scratch").rmdir()
    answer = await export.ask("administrator", "POST", "/api/v1/exports", json={"format": "csv"})
    job = await export.finished(answer.json()["id"])
    assert (job["state"], job["url"]) == ("failed", None)
    assert "the server's log" in job["problem"]


async def test_erasing_a_figure_takes_it_out_of_search_records_and_files(export: Running) -> None:
    await export.tell(image_uploaded(), review_done(), image_uploaded(figure="f2"), review_done(figure="f2"))
    before, _ = await export.export(format="csv")
    file = export.granted(before).blob
    await export.tell(image_deleted())
    assert [found["figure"] for found in (await export.search())["items"]] == ["f2"]
    with pytest.raises(Erased):
        await export.engine.documents.collection(FigureRecord).get("f1")
    withdrawn = await export.finished(before["id"])
    assert (withdrawn["state"], withdrawn["url"]) == ("withdrawn", None)
    assert "ask for a new one" in withdrawn["problem"]
    with pytest.raises(NotFound):
        await export.engine.blobs.stat(file)
    _, content = await export.export(format="csv")
    assert [row["figure_id"] for row in rows(content)] == ["f2"]


async def test_late_and_doubled_events_of_an_erased_figure_bring_nothing_back(export: Running) -> None:
    await export.tell(image_deleted())
    await export.tell(image_uploaded(), image_deleted(), tag_accepted(), review_done(), image_uploaded(revision=3))
    assert (await export.search())["total"] == 0
    _, content = await export.export(format="csv", statuses=["new", "provisional", "returned", "approved"])
    assert rows(content) == []


async def test_an_erasure_during_an_export_makes_it_begin_again(
    export: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await export.tell(image_uploaded(), review_done(), image_uploaded(figure="f2"), review_done(figure="f2"))
    put, made = export.engine.blobs.put, list[str]()

    async def put_while_a_figure_is_erased(chunks: AsyncIterator[bytes]) -> Blob:
        blob = await put(chunks)
        made.append(blob.sha256)
        if len(made) == 1:
            await export.tell(image_deleted())
        return blob

    monkeypatch.setattr(export.engine.blobs, "put", put_while_a_figure_is_erased)
    _, content = await export.export(format="csv")
    assert [row["figure_id"] for row in rows(content)] == ["f2"]
    with pytest.raises(NotFound):
        await export.engine.blobs.stat(made[0])
    assert len(made) == 2


async def test_an_erasure_by_another_process_before_the_index_is_written_wins(
    export: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = export.engine.search.put

    async def put_after_an_erasure(entries: Sequence[FigureEntry]) -> None:
        await export.engine.documents.collection(FigureRecord).erase("f1")
        await export.engine.search.remove(["f1"])
        await put(entries)

    monkeypatch.setattr(export.engine.search, "put", put_after_an_erasure)
    await export.tell(image_uploaded(), image_uploaded(figure="f2"))
    assert [found["figure"] for found in (await export.search())["items"]] == ["f2"]


async def test_dying_between_record_and_index_is_healed_by_the_redelivery(export: Running) -> None:
    events = [image_uploaded(), review_done()]
    figures = export.engine.documents.collection(FigureRecord)
    stored = await figures.insert(reduce(merged, events, FigureRecord(id="f1")))
    assert (await export.search())["total"] == 0
    await export.tell(*events)
    assert await figures.get("f1") == stored
    assert [found["label"] for found in (await export.search(q="ammon"))["items"]] == ["Figure 1"]


async def test_a_lost_index_is_filled_by_the_same_events_again(export: Running) -> None:
    events = [image_uploaded(), review_done()]
    await export.tell(*events)
    before = await export.search(q="hippocampus")
    assert before["total"] == 1
    await export.engine.search.remove(["f1"])
    await export.tell(*events)
    assert await export.search(q="hippocampus") == before


async def test_an_administrator_has_the_index_rebuilt_from_the_records(export: Running) -> None:
    await export.tell(image_uploaded(), review_done())
    before = await export.search(q="hippocampus")
    await export.engine.search.remove(["f1"])
    for method, role in (("POST", "service"), ("POST", "annotator"), ("GET", "reviewer")):
        assert (await export.ask(role, method, "/api/v1/search/rebuild")).status_code == 403  # type: ignore[arg-type]
    assert (await export.ask("administrator", "GET", "/api/v1/search/rebuild")).status_code == 404
    answer = await export.ask("administrator", "POST", "/api/v1/search/rebuild")
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    async with asyncio.timeout(20):
        while (state := (await export.ask("administrator", "GET", "/api/v1/search/rebuild")).json())[
            "state"
        ] == "running":
            await asyncio.sleep(0.005)
    assert (state["state"], state["figures"], state["problem"]) == ("done", 1, "")
    assert await export.search(q="hippocampus") == before


async def test_search_finds_by_legend_tag_and_doi_with_facets(export: Running) -> None:
    await export.tell(
        image_uploaded(legend="MRI of a mouse", label="Figure 1"),
        image_uploaded(figure="f2", legend="Mouse liver", label="Figure 2", article=article(doi="10.5555/other")),
        review_done(tags=[tag(), GLIOMA]),
        review_done(figure="f2", tags=[GLIOMA]),
    )
    found = await export.search(q="mous")
    assert found["total"] == 2
    assert found["facets"] == {"anatomy": {"Ammon's horn": 1}, "disease": {"glioma": 2}}
    (one,) = (await export.search(q="mri mouse"))["items"]
    assert one["snippet"] == "MRI of a mouse"
    assert [found["label"] for found in one["tags"]] == ["Ammon's horn", "glioma"]
    for params in ({"q": "10.5555/other"}, {"doi": "10.5555/OTHER"}, {"q": "liver", "tag": ["glioma", "x"]}):
        assert [one["figure"] for one in (await export.search(**params))["items"]] == ["f2"]  # type: ignore[arg-type]
    assert (await export.search(axis="anatomy", status="approved"))["total"] == 1
    page = await export.search(q="mouse", offset=1, limit=1)
    assert (page["total"], page["offset"], len(page["items"])) == (2, 1, 1)
    newest = await export.search(q="mouse", order="newest", limit=1)
    (first,) = newest["items"]
    rest = await export.search(q="mouse", order="newest", before=first["figure"], facets=False)
    assert [one["figure"] < first["figure"] for one in rest["items"]] == [True]
    assert (newest["total"], rest["total"], bool(newest["facets"]["anatomy"]), rest["facets"]) == (2, 1, True, {})


@pytest.mark.parametrize("role", ["annotator", "reviewer", "service"])
async def test_nobody_but_administrators_finds_by_tags_of_others_that_are_not_approved(
    export: Running, role: Role
) -> None:
    other = GLIOMA.model_copy(update={"annotator": "p-colleague"})
    await export.tell(image_uploaded(legend="Mouse brain"), tag_accepted(tag=other))
    shown = await export.search(q="glioma")
    assert [one["tags"][0]["provisional"] for one in shown["items"]] == [True]
    assert shown["facets"] == {"disease": {"glioma": 1}}
    for params in ({"q": "glioma"}, {"tag": "MONDO:1"}, {"axis": "disease"}):
        assert (await export.search(role, **params))["total"] == 0  # type: ignore[arg-type]
    (one,) = (await export.search(role, q="mouse"))["items"]
    assert one["tags"] == []
    assert (await export.search(role))["facets"] == {}
    await export.tell(review_done(tags=[GLIOMA]))
    assert (await export.search(role, q="glioma"))["total"] == 1


async def test_annotators_find_by_their_own_tags_before_these_are_approved(export: Running) -> None:
    await export.tell(image_uploaded(legend="Mouse brain"), tag_accepted(tag=GLIOMA))
    found = await export.search("annotator", q="glioma")
    assert [(tag["label"], tag["provisional"]) for tag in found["items"][0]["tags"]] == [("glioma", True)]
    assert found["facets"] == {"disease": {"glioma": 1}}


async def test_figures_are_found_by_who_tagged_them_and_when_they_came_for_who_may_know(export: Running) -> None:
    young = first_id(datetime(2026, 6, 1, tzinfo=UTC)) + "0" * 20
    await export.tell(image_uploaded(figure=young), tag_accepted(figure=young), image_uploaded(figure="0" * 32))

    async def found(role: Role, **asked: str) -> list[str]:
        answer = await export.ask(role, "GET", "/api/v1/search", params=asked)
        return [one["figure"] for one in answer.json()["items"]] if answer.status_code == 200 else ["refused"]

    assert await found("administrator", person="person-ada") == [young]
    assert await found("administrator", person="person-nobody") == []
    assert await found("annotator", person="person-ada") == ["refused"]
    assert await found("annotator", since="2026-06-01") == [young]
    assert await found("annotator", until="2026-06-01T00:00:00Z") == ["0" * 32]


@pytest.mark.parametrize("role", ["annotator", "reviewer"])
async def test_who_may_not_export_is_refused(export: Running, role: Role) -> None:
    assert (await export.ask(role, "POST", "/api/v1/exports", json={})).status_code == 403
    assert (await export.ask(role, "GET", "/api/v1/exports/any")).status_code == 403
    nobody = await export.hop.request("GET", "/api/v1/search", token="forged")
    assert nobody.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "request_", "status"),
    [
        ("POST", "/api/v1/exports", {"json": {"format": "pdf"}}, 422),
        ("POST", "/api/v1/exports", {"json": {"statuses": []}}, 422),
        ("POST", "/api/v1/exports", {"json": {"statuses": ["lost"]}}, 422),
        ("POST", "/api/v1/exports", {"json": {"figures": []}}, 422),
        ("POST", "/api/v1/exports", {"json": {"figures": ["f"] * 1001}}, 422),
        ("POST", "/api/v1/exports", {"content": b"{"}, 422),
        ("GET", "/api/v1/exports/" + "0" * 32, {}, 404),
        ("GET", "/api/v1/search", {"params": {"q": "a" * 501}}, 422),
        ("GET", "/api/v1/search", {"params": {"axis": "colour"}}, 422),
        ("GET", "/api/v1/search", {"params": {"offset": 10_001}}, 422),
        ("GET", "/api/v1/search", {"params": {"before": "0123"}}, 422),
        ("GET", "/api/v1/search", {"params": {"limit": 201}}, 422),
        ("GET", "/api/v1/search", {"params": {"tag": ["x"] * 1002}}, 422),
        ("GET", "/api/v1/search", {"params": {"colour": "blue"}}, 422),
    ],
)
async def test_a_bad_request_gets_a_problem(
    export: Running, method: str, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = await export.ask("administrator", method, path, **request_)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("words", ['"', "NEAR(", "a AND", "\x00", "*", "😀", "doi:"])
async def test_hostile_words_are_only_words(export: Running, words: str) -> None:
    await export.tell(image_uploaded())
    assert (await export.search(q=words))["total"] in (0, 1)
