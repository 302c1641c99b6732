"""ingest through its doors, on the embedded engines: figures, imports, archives, erasure."""

import asyncio
import hashlib
import io
import json
import os
import signal
import sys
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import numpy as np
import pytest
import pytest_asyncio
from pydicom.data import get_testdata_file

from services.ingest import figures
from services.ingest import imports as importing
from services.ingest.model import MODELS, Figure
from services.ingest.service import Ingest, build
from shared.access import DEFAULT_PROJECT, Caller
from shared.blobs import Blobs
from shared.engine import Engine
from shared.errors import Erased, NotFound, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted, ImageUploaded
from tests.support.embedded import at_work, embedded
from tests.support.images import bomb, png
from tools import pictures

# One loop for all: worker processes belong to a loop, and starting one takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

ADMINISTRATOR = Caller(person="root", roles={DEFAULT_PROJECT: frozenset({"administrator"})})


@dataclass
class World:
    engine: Engine
    service: Ingest
    client: httpx.AsyncClient

    async def ask(self, method: str, path: str, **sent: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.engine.signer.token(ADMINISTRATOR, 'ingest')}"}
        return await self.client.request(method, path, headers={**headers, **sent.pop("headers", {})}, **sent)

    async def add(self, **fields: Any) -> httpx.Response:
        return await self.ask("POST", "/internal/figures", json={"collection": "c", **fields})

    async def added(self, **fields: Any) -> dict[str, Any]:
        answer = await self.add(**fields)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def upload(self, content: bytes) -> str:
        return (await self.engine.blobs.put_bytes(content)).sha256

    async def rows(self, rows: Sequence[dict[str, Any]], *, job: str = "") -> tuple[str, list[dict[str, Any]]]:
        if not job:
            job = (await self.ask("POST", "/api/v1/imports", json={"name": "rows", "total": len(rows)})).json()["id"]
        numbered = [{"collection": "c", "row": number, **row} for number, row in enumerate(rows, start=1)]
        answer = await self.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": numbered})
        assert answer.status_code == 200, answer.text
        return job, answer.json()["items"]

    async def archive(self, content: bytes, name: str = "figures.zip") -> str:
        body = {"name": name, "upload": await self.upload(content)}
        answer = await self.ask("POST", "/internal/imports", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def finished(self, job: str) -> dict[str, Any]:
        async with asyncio.timeout(20):
            while (found := (await self.ask("GET", f"/api/v1/imports/{job}")).json())["state"] == "running":
                await asyncio.sleep(0.005)
        return dict(found)

    async def rejects(self, job: str) -> list[dict[str, Any]]:
        return list((await self.ask("GET", f"/api/v1/imports/{job}/rejects")).json()["items"])

    async def figures(self) -> list[Figure]:
        return (await self.engine.documents.collection(Figure).find(limit=1000)).items

    async def told(self, *topics: type[Event]) -> list[Event]:
        return (await self.engine.bus.read(topics or (ImageUploaded, ImageDeleted), limit=1000)).events

    async def gone(self, blob: str) -> None:
        async with asyncio.timeout(20):
            while await self.kept(blob) == [True]:
                await asyncio.sleep(0.005)

    async def kept(self, *blobs: str) -> list[bool]:
        await self.engine.bus.settled()
        found = []
        for blob in blobs:
            try:
                await self.engine.blobs.stat(blob)
            except NotFound:
                found.append(False)
            else:
                found.append(True)
        return found


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    async with embedded(folder, MODELS) as engine, serving(engine) as world:
        yield world


@asynccontextmanager
async def serving(engine: Engine) -> AsyncIterator[World]:
    service = build(engine, workers=1)
    transport = httpx.ASGITransport(app=service.app)  # type: ignore[arg-type]
    client = httpx.AsyncClient(transport=transport, base_url="http://ingest")
    async with at_work(engine, service), client:
        yield World(engine, service, client)


@pytest_asyncio.fixture(loop_scope="module")
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


def dicom() -> bytes:
    return Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()


def zipped(**members: bytes | str) -> bytes:
    """Members by name; "_" stands for the dot."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        for name, data in members.items():
            out.writestr(name.replace("_", "."), data)
    return content.getvalue()


# Adding


async def test_a_figure_comes_in_with_its_renditions_and_is_told_once(world: World) -> None:
    upload = await world.upload(png(1, width=400, height=300))
    figure = await world.added(file="one.png", upload=upload, label="Figure 1", legend="A femur.")
    assert (figure["revision"], figure["picture"]["format"], figure["picture"]["width"]) == (1, "png", 400)
    assert figure["picture"]["thumbnail"]["width"] == 320
    (event,) = await world.told()
    assert isinstance(event, ImageUploaded)
    assert (event.figure, event.revision, event.legend) == (figure["id"], 1, "A femur.")
    assert all(await world.kept(*(figure["picture"][kind]["blob"] for kind in ("display", "thumbnail"))))


async def test_adding_twice_is_adding_once(world: World) -> None:
    upload = await world.upload(png(1))
    fields = {"file": "one.png", "upload": upload, "label": "Figure 1", "legend": "A femur."}
    first, second = await world.add(**fields), await world.add(**fields)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert len(await world.told()) == 1


async def test_adding_at_the_same_time_is_adding_once(world: World) -> None:
    fields = {"upload": await world.upload(png(1)), "file": "one.png", "label": "Figure 1"}
    answers = await asyncio.gather(*(world.add(**fields) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json()["id"] for answer in answers}) == len(await world.told()) == 1


async def test_a_figure_that_comes_again_with_another_legend_is_left_as_it_is_and_that_is_said(world: World) -> None:
    row = {"label": "Figure 1", "legend": "A femur.", "external_id": "e1"}
    _, (first,) = await world.rows([row])
    _, (second,) = await world.rows([{**row, "legend": "A tibia."}])
    assert (second["status"], second["figure"], second["problem"]["field"]) == ("existing", first["figure"], "legend")
    assert "PATCH" in second["problem"]["remedy"]
    assert [figure.legend for figure in await world.figures()] == ["A femur."]


async def test_duplicates_within_a_batch_are_one_figure(world: World) -> None:
    upload = await world.upload(png(1))
    row = {"file": "one.png", "upload": upload, "label": "Figure 1"}
    job, results = await world.rows([row, {"legend": "Other.", "label": "Figure 2"}, row])
    assert [result["status"] for result in results] == ["created", "created", "existing"]
    assert results[0]["figure"] == results[2]["figure"]
    done = await world.finished(job)
    assert (done["created"], done["existing"], done["rejected"], done["next_row"]) == (2, 1, 0, 4)


async def test_the_same_image_under_another_label_or_article_is_another_figure(world: World) -> None:
    row = {"file": "one.png", "upload": await world.upload(png(1)), "label": "Figure 1"}
    _, results = await world.rows([row, {**row, "label": "Figure 2"}, {**row, "collection": "d"}])
    assert len({result["figure"] for result in results}) == 3


async def test_a_doi_is_one_article_however_it_is_written(world: World) -> None:
    one = await world.added(collection=None, doi="https://doi.org/10.1234/ABC", legend="A femur.", title="Bones")
    two = await world.added(collection=None, doi="doi:10.1234/abc", legend="A tibia.")
    assert one["article"] == two["article"]
    assert one["article"]["title"] == "Bones"
    assert len((await world.ask("GET", "/api/v1/articles")).json()["items"]) == 1


# DICOM


async def test_figures_are_listed_by_their_ids_and_by_when_they_came(world: World) -> None:
    first, second = await world.added(label="F1", legend="l"), await world.added(label="F2", legend="l")

    async def listed(**asked: Any) -> list[str]:
        return [one["id"] for one in (await world.ask("GET", "/api/v1/figures", params=asked)).json()["items"]]

    assert await listed(id=[first["id"], "0" * 32]) == [first["id"]]
    assert await listed(since=second["created_at"]) == [second["id"]]
    assert await listed(until=second["created_at"]) == [first["id"]]
    assert await listed(since="2001-01-01", until="2001-01-02") == []


async def test_a_dicom_original_is_dropped_once_its_figure_is_stored(world: World) -> None:
    upload = await world.upload(dicom())
    figure = await world.added(file="Smith^John.dcm", upload=upload, label="Figure 1")
    assert (figure["picture"]["format"], figure["picture"]["file"]) == ("dicom", f"{upload[:16]}.dcm")
    assert figure["technical"]["Modality"] == "CT"
    display = figure["picture"]["display"]["blob"]
    assert await world.kept(upload, display) == [False, True]
    await world.upload(dicom())
    again = await world.added(file="again.dcm", upload=upload, label="Figure 1")
    assert again["id"] == figure["id"]
    assert await world.kept(upload, display) == [False, True]
    assert "Smith" not in b"".join(event.body() for event in await world.told()).decode()


async def test_a_dicom_original_left_by_a_death_goes_at_the_next_start(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        service = build(engine, workers=1)  # it stores the figure and never hears of it: its bus does not start
        transport = httpx.ASGITransport(app=service.app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            world = World(engine, service, client)
            upload = await world.upload(dicom())
            await world.added(file="a.dcm", upload=upload)
    async with running(tmp_path) as world:
        assert await world.kept(upload) == [False]


# Correcting


async def test_a_correction_raises_the_revision_and_is_told(world: World) -> None:
    figure = await world.added(legend="A femur.", language="en", label="Figure 1")
    path = f"/api/v1/figures/{figure['id']}"
    answer = await world.ask("PATCH", path, json={"legend": "A tibia.", "language": ""}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"2"')
    corrected = answer.json()
    assert (corrected["revision"], corrected["legend"], corrected["label"]) == (2, "A tibia.", "Figure 1")
    assert corrected["language"] is None
    events = await world.told()
    assert [(event.revision, getattr(event, "legend", None)) for event in events] == [(1, "A femur."), (2, "A tibia.")]
    assert len({event.id for event in events}) == 2


async def test_a_correction_that_changes_nothing_is_not_told(world: World) -> None:
    figure = await world.added(legend="A femur.")
    answer = await world.ask("PATCH", f"/api/v1/figures/{figure['id']}", json={"legend": " A femur. "})
    assert answer.json()["revision"] == 1
    assert len(await world.told()) == 1


async def test_a_stale_correction_is_a_conflict_with_the_difference(world: World) -> None:
    figure = await world.added(legend="A femur.", label="Figure 1")
    path = f"/api/v1/figures/{figure['id']}"
    await world.ask("PATCH", path, json={"legend": "Theirs."})
    stale = await world.ask("PATCH", path, json={"legend": "Mine.", "label": "Figure 1"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 409
    assert stale.json()["difference"] == {"legend": {"yours": "Mine.", "theirs": "Theirs."}}
    assert (await world.ask("GET", path)).json()["legend"] == "Theirs."


async def test_a_correction_whose_answer_was_lost_can_be_sent_again(world: World) -> None:
    figure = await world.added(legend="A femur.")
    sent = {"json": {"legend": "A tibia."}, "headers": {"If-Match": '"1"'}}
    answers = [await world.ask("PATCH", f"/api/v1/figures/{figure['id']}", **sent) for _ in range(2)]
    assert [(answer.status_code, answer.json()["revision"]) for answer in answers] == [(200, 2), (200, 2)]
    assert len(await world.told()) == 2


@pytest.mark.parametrize(
    ("correction", "field"),
    [({"legend": "x" * 50_001}, "legend"), ({"legend": "bell \x07"}, "legend"), ({"language": "not one"}, "language")],
)
async def test_a_bad_correction_is_refused(world: World, correction: dict[str, str], field: str) -> None:
    figure = await world.added(legend="A femur.")
    answer = await world.ask("PATCH", f"/api/v1/figures/{figure['id']}", json=correction)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["remedy"]


async def test_a_figure_keeps_an_image_or_a_legend(world: World) -> None:
    figure = await world.added(legend="A femur.")
    answer = await world.ask("PATCH", f"/api/v1/figures/{figure['id']}", json={"legend": ""})
    assert answer.status_code == 422


# Erasing


async def test_erasing_removes_files_and_leaves_a_tombstone(world: World) -> None:
    upload = await world.upload(png(1))
    figure = await world.added(file="one.png", upload=upload, legend="A femur.")
    blobs = [upload, *(figure["picture"][kind]["blob"] for kind in ("display", "thumbnail"))]
    assert await world.kept(*blobs) == [True] * 3
    answers = [await world.ask("DELETE", f"/api/v1/figures/{figure['id']}") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [204, 204]
    assert await world.kept(*blobs) == [False] * 3
    assert [type(event) for event in await world.told()] == [ImageDeleted]
    assert (await world.ask("GET", f"/api/v1/figures/{figure['id']}")).status_code == 410
    assert (await world.ask("PATCH", f"/api/v1/figures/{figure['id']}", json={"label": "x"})).status_code == 410
    with pytest.raises(Erased):
        await world.engine.documents.collection(Figure).get(figure["id"])
    assert (await world.ask("DELETE", "/api/v1/figures/unknown")).status_code == 404


async def test_erasing_keeps_the_files_that_another_figure_shows(world: World) -> None:
    content = png(1)
    # The same pixels, another file: a text chunk before the end.
    twin = content[:-12] + b"\0\0\0\x04tEXta\0bc" + b"\x46\x19\x8c\x37" + content[-12:]
    uploads = [await world.upload(content), await world.upload(twin)]
    one, other = [await world.added(file="a.png", upload=upload, label=upload[:4]) for upload in uploads]
    shown = one["picture"]["display"]["blob"]
    assert other["picture"]["display"]["blob"] == shown
    await world.ask("DELETE", f"/api/v1/figures/{one['id']}")
    assert await world.kept(uploads[0], uploads[1], shown) == [False, True, True]
    await world.ask("DELETE", f"/api/v1/figures/{other['id']}")
    assert await world.kept(uploads[1], shown) == [False, False]


async def test_erasing_a_figure_erases_what_was_noted_of_its_row_and_no_more(world: World) -> None:
    upload, other = await world.upload(png(1)), await world.upload(png(2))
    job, items = await world.rows(
        [{"file": "Ada Lovelace.jpg", "upload": upload}, {"file": "b.jpg", "upload": other}, {"legend": ""}]
    )
    assert [reject["row"] for reject in await world.rejects(job)] == [1, 2, 3]
    await world.ask("DELETE", f"/api/v1/figures/{items[0]['figure']}")
    await world.engine.bus.settled()
    assert [reject["row"] for reject in await world.rejects(job)] == [2, 3]


async def test_an_erased_figure_can_come_in_again_as_a_new_one(world: World) -> None:
    first = await world.added(legend="A femur.")
    await world.ask("DELETE", f"/api/v1/figures/{first['id']}")
    second = await world.added(legend="A femur.")
    assert second["id"] != first["id"]


async def test_what_the_ledger_names_is_erased_again_when_ingest_starts(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        erased, kept = await world.added(legend="A femur."), await world.added(legend="A tibia.")
        await world.ask("DELETE", f"/api/v1/figures/{erased['id']}")
        assert await world.engine.erasures.all() == [erased["id"]]
        # As a restored backup has it: the figure is there, the ledger says that it was erased.
        await world.engine.erasures.add([kept["id"], "of another backup"])
    for _start in range(2):
        async with running(tmp_path) as world:
            assert (await world.ask("GET", f"/api/v1/figures/{kept['id']}")).status_code == 410
            await world.engine.bus.settled()
            told = [event.figure for event in await world.told(ImageDeleted)]
    assert told == [erased["id"], kept["id"]]


# Rows


async def test_rows_sent_again_change_nothing(world: World) -> None:
    rows = [{"legend": "A femur.", "label": "1"}, {"legend": "bell \x07"}, {"legend": "A tibia.", "label": "2"}]
    job, first = await world.rows(rows)
    done = await world.finished(job)
    _, second = await world.rows(rows, job=job)
    assert [result["status"] for result in first] == ["created", "rejected", "created"]
    assert [result["status"] for result in second] == ["existing", "rejected", "existing"]
    assert [result["figure"] for result in first] == [result["figure"] for result in second]
    assert await world.finished(job) == done
    assert [(reject["row"], reject["field"], reject["severity"]) for reject in await world.rejects(job)] == [
        (2, "legend", "error")
    ]


@pytest.mark.parametrize("row", [{}, {"row": 0}, {"row": "1"}, {"row": True}, {"row": 1.5}, {"row": 10**12}])
async def test_rows_without_a_number_are_refused_whole(world: World, row: dict[str, Any]) -> None:
    job = (await world.ask("POST", "/api/v1/imports", json={"name": "rows"})).json()["id"]
    rows = [{"row": 1, "collection": "c", "legend": "A femur."}, {"collection": "c", "legend": "A tibia.", **row}]
    answer = await world.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": rows})
    assert (answer.status_code, answer.json()["field"]) == (422, "row")
    assert answer.json()["remedy"]
    assert await world.figures() == []


async def test_a_half_surrogate_is_a_bad_row_and_nothing_more(world: World) -> None:
    job = (await world.ask("POST", "/api/v1/imports", json={"name": "rows"})).json()["id"]
    rows = [{"row": 1, "collection": "c", "file": "\ud800.png"}, {"row": 2, "collection": "c", "legend": "A femur."}]
    sent = {"content": json.dumps({"rows": rows}), "headers": {"Content-Type": "application/json"}}
    answer = await world.ask("POST", f"/api/v1/imports/{job}/rows", **sent)
    assert answer.status_code == 200, answer.text
    assert [item["status"] for item in answer.json()["items"]] == ["rejected", "created"]
    (reject,) = await world.rejects(job)
    assert (reject["row"], reject["field"], reject["file"]) == (1, "file", "?.png")


async def test_an_upload_that_is_not_there_is_a_bad_row(world: World) -> None:
    _, (result,) = await world.rows([{"file": "a.png", "upload": "f" * 64}])
    assert (result["status"], result["problem"]["field"]) == ("rejected", "file")


async def test_a_refused_file_is_not_kept_and_its_row_counts_once(world: World) -> None:
    upload = await world.upload(b"Jane Doe, not a picture")
    row = {"file": "a.png", "upload": upload}
    job, (result,) = await world.rows([row])
    assert result["status"] == "rejected"
    with pytest.raises(NotFound):
        await world.engine.blobs.stat(upload)
    again = {"collection": "c", **row, "row": 1}
    await world.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": [again]})
    assert len(await world.rejects(job)) == 1


async def test_a_file_whose_name_misleads_goes_in_and_is_reported(world: World) -> None:
    job, (result,) = await world.rows([{"file": "a.tif", "upload": await world.upload(png(1))}])
    assert (result["status"], result["problem"]["field"]) == ("created", "file")
    (warning,) = await world.rejects(job)
    assert (warning["file"], warning["severity"]) == ("a.tif", "warning")
    assert (await world.finished(job))["rejected"] == 0


async def test_five_hundred_rows_at_once_are_enough(world: World) -> None:
    job = (await world.ask("POST", "/api/v1/imports", json={"name": "rows"})).json()["id"]
    rows = [{"row": number + 1, "collection": "c", "legend": f"Femur {number}."} for number in range(501)]
    assert (await world.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": rows})).status_code == 422
    answer = await world.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": rows[:500]})
    assert {item["status"] for item in answer.json()["items"]} == {"created"}


# Archives


async def test_an_archive_is_read_with_its_bad_rows_and_members_reported(world: World) -> None:
    manifest = "collection,label,file,legend,color\nA,1,a.png,A femur.,red\nA,2,b.png,,\nA,3,gone.png,,\n,4,,x\x07,\n"
    content = zipped(figures_csv=manifest, a_png=png(1), b_png=b"no picture", __up_png=png(2))
    content = content.replace(b"..up.png", b"../u.png")
    done = await world.finished(job := await world.archive(content))
    assert (done["state"], done["total"], done["created"], done["rejected"]) == ("done", 5, 1, 4), done
    told = await world.rejects(job)
    errors = {(one["row"], one["file"], one["field"]) for one in told if one["severity"] == "error"}
    assert {(3, "b.png", "file"), (4, "gone.png", "file"), (0, "../u.png", "")} <= errors
    assert {row for row, _, _ in errors} == {0, 3, 4, 5}
    assert all(one["problem"] and one["remedy"] for one in told)
    (warning,) = [one for one in told if one["severity"] == "warning"]
    assert "color" in warning["problem"]


async def test_an_archive_of_all_formats_goes_in_whole(world: World) -> None:
    samples = [sample for sample in pictures.samples() if "pyramid" not in sample.title]
    done = await world.finished(await world.archive(zipped(**{s.name: s.make() for s in samples})))
    assert (done["created"], done["rejected"]) == (len(samples), 0), done
    formats = {figure.picture.format for figure in await world.figures() if figure.picture}
    assert formats == {"png", "jpeg", "tiff", "webp", "gif", "bmp", "jpeg2000", "dicom"}


async def test_hostile_files_are_reported_once_and_the_others_go_in(world: World) -> None:
    hostile = {
        "bomb.png": bomb(),
        "claims.jp2": b"\xff\x4f\xff\x51\0\x29\0\0" + b"\0\0\xff\xff" * 2 + bytes(8) + bytes(400),
        "cut.jpg": next(s for s in pictures.samples() if s.title == "JPEG").make()[:5000],
        "deflated.dcm": Path(str(get_testdata_file("image_dfl.dcm", download=False))).read_bytes(),
        "loop.tif": b"II*\0\x08\0\0\0\0\0\x08\0\0\0",  # a directory whose next one is itself
        "nested.zip": zipped(a_png=png(1)),
        "page.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    }
    whole = {f"{letter}.png": png(number) for number, letter in enumerate("aglz")}
    done = await world.finished(job := await world.archive(zipped(**hostile, **whole)))
    assert (done["state"], done["created"], done["rejected"]) == ("done", len(whole), len(hostile)), done
    told = [one for one in await world.rejects(job) if one["severity"] == "error"]
    # What may be a DICOM is told of without its name (see services.ingest.naming).
    ids = {
        "deflated.dcm": f"{hashlib.sha256(hostile['deflated.dcm']).hexdigest()[:16]}.dcm",
        "nested.zip": f"file {1 + list(hostile).index('nested.zip')} of the zip",
    }
    assert sorted(one["file"] for one in told) == sorted(ids.get(name, name) for name in hostile)
    assert all(one["problem"] and one["remedy"] for one in told)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", zipped(figures_csv="a,b\n1,2\n"), zipped(figures_csv="")[:-9]],
    ids=["empty", "text", "no columns", "cut"],
)
async def test_an_archive_that_cannot_be_read_fails_with_the_reason_and_is_dropped(
    world: World, content: bytes
) -> None:
    upload = await world.upload(content)
    done = await world.finished(await world.archive(content))
    assert done["state"] == "failed"
    assert done["problem"]
    await world.gone(upload)


async def test_an_archive_is_dropped_when_it_is_read_and_takes_no_rows(world: World) -> None:
    content = zipped(a_png=png(1))
    job = await world.archive(content)
    row = {"row": 1, "collection": "c", "legend": "A femur."}
    assert (await world.ask("POST", f"/api/v1/imports/{job}/rows", json={"rows": [row]})).status_code == 422
    assert (await world.finished(job))["created"] == 1
    await world.gone(hashlib.sha256(content).hexdigest())


async def test_an_archive_sent_twice_is_one_import_of_its_figures(world: World) -> None:
    content = zipped(a_png=png(1), b_png=png(2), c_dcm=dicom())
    jobs = [await world.archive(content) for _ in range(3)]
    done = [await world.finished(job) for job in jobs]
    assert [one["state"] for one in done] == ["done"] * 3
    assert sum(one["created"] for one in done) == len(await world.figures()) == 3
    assert sum(one["existing"] for one in done) == 6


async def test_an_archive_goes_on_where_a_death_left_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "BATCH", 2)
    content = zipped(**{f"p{number}_png": png(number) for number in range(7)})
    unpacked = 0
    put_file = Blobs.put_file

    async def refusing(self: Blobs, path: Path) -> Any:
        nonlocal unpacked
        if path.name == "member":
            unpacked += 1
            if unpacked > 5:
                raise Unavailable("blobs")
        return await put_file(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "put_file", refusing)
        async with running(tmp_path) as world:
            job = await world.archive(content)
            async with asyncio.timeout(20):
                while unpacked <= 5:
                    await asyncio.sleep(0.005)
            half = (await world.ask("GET", f"/api/v1/imports/{job}")).json()
            assert (half["state"], half["next_row"], half["created"]) == ("running", 5, 4)
    async with running(tmp_path) as world:
        done = await world.finished(job)
        assert (done["state"], done["total"], done["created"], done["existing"]) == ("done", 7, 7, 0)
        assert len(await world.told(ImageUploaded)) == 7


own_workers = pytest.mark.asyncio(loop_scope="function")


@own_workers
async def test_a_picture_that_takes_too_long_is_reported_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as world:
        before = children()
        monkeypatch.setattr(figures, "RENDER_SECONDS", 0.01)  # no worker loads libvips that fast
        done = await world.finished(job := await world.archive(zipped(a_png=png(1), b_png=png(2))))
        assert (done["state"], done["created"], done["rejected"]) == ("done", 0, 2)
        assert all(
            "could not be rendered within" in one["problem"] and one["remedy"] for one in await world.rejects(job)
        )
        assert list((tmp_path / "data" / "scratch").iterdir()) == []
        async with asyncio.timeout(20):
            while children() - before:
                await asyncio.sleep(0.01)
        monkeypatch.undo()
        again = await world.finished(await world.archive(zipped(a_png=png(1), b_png=png(2))))
        assert again["created"] == 2


@own_workers
@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
async def test_a_picture_whose_worker_dies_is_reported_and_the_others_go_in(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        before = children()
        slow = bytes(
            imagecodecs.jpeg2k_encode(np.random.default_rng(1).integers(0, 255, (2500, 2500), np.uint8), level=0)
        )
        job = await world.archive(zipped(a_jp2=slow, b_png=png(2), c_png=png(3), d_png=png(4)))
        async with asyncio.timeout(20):
            while not (
                busy := [pid for pid in children() - before if "libvips" in Path(f"/proc/{pid}/maps").read_text()]
            ):
                await asyncio.sleep(0.001)
        os.kill(busy[0], signal.SIGKILL)
        done = await world.finished(job)
        assert (done["state"], done["created"], done["rejected"]) == ("done", 3, 1), done
        (told,) = await world.rejects(job)
        assert "process that ran render die" in told["problem"]
        assert told["remedy"]
        assert len(children() - before) == 1  # the one that took its place
        assert list((tmp_path / "data" / "scratch").iterdir()) == []


def children() -> set[int]:
    """The processes that this one started."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


async def test_nothing_is_left_in_the_scratch_folder(world: World, tmp_path: Path) -> None:
    await world.finished(await world.archive(zipped(a_png=png(1), b_png=b"bad", c_dcm=dicom())))
    assert list((tmp_path / "data" / "scratch").iterdir()) == []
