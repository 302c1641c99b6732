"""Figures looked at in depth, through ingest's door on the embedded engines."""

import asyncio
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvips
import tifffile
from numpy.typing import NDArray

from mitagger.client import AsyncClient
from mitagger.client.errors import NotAllowed
from services.ingest import views
from services.ingest.model import MODELS, Figure
from shared import metrics
from shared.blobs import Blobs
from shared.errors import Unauthenticated
from tests.integration.test_ingest import World, dicom, running, serving, world
from tests.support.deadly import die
from tests.support.embedded import embedded
from tests.support.images import png
from tests.support.people import ANNOTATOR, REVIEWER
from tests.support.system import system
from tools import pictures

__all__ = ["world"]

# One loop for all: worker processes belong to a loop, and starting one takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

Pixels = NDArray[Any]


def seen(answer: httpx.Response) -> Pixels:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    pixels: Pixels = pyvips.Image.new_from_buffer(answer.content, "").numpy()
    return pixels


def tiff(pixels: Pixels, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


async def granted(world: World, path: str, **params: Any) -> httpx.Response:
    """Without a token: the address is the leave."""
    return await world.client.get(path, params=params)


async def figure_of(world: World, content: bytes, file: str = "a.png") -> dict[str, Any]:
    return await world.added(file=file, upload=await world.upload(content), label="Figure 1")


async def view(world: World, id: str, **params: Any) -> dict[str, Any]:
    answer = await world.ask("GET", f"/api/v1/figures/{id}/view", params=params)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_tiles_put_together_are_the_picture_at_every_level(world: World) -> None:
    y, x = np.mgrid[:701, :1301]
    pixels = np.dstack([x / 1300, y / 700, (x + y) / 2000]) * 255
    figure = await figure_of(world, bytes(pyvips.Image.new_from_array(pixels.astype(np.uint8)).pngsave_buffer()))
    tiles = (await view(world, figure["id"]))["tiles"]
    assert (tiles["width"], tiles["height"], tiles["max_level"], tiles["tile_size"]) == (1301, 701, 11, 512)
    for level, width, height in ((11, 1301, 701), (10, 651, 351), (8, 163, 88)):
        rows = []
        for row in range(-(-height // 512)):
            columns = range(-(-width // 512))
            parts = [await granted(world, f"{tiles['url']}{level}/{column}_{row}.jpg") for column in columns]
            rows.append(np.concatenate([seen(part) for part in parts], axis=1))
        whole = np.concatenate(rows)
        assert whole.shape == (height, width, 3)
        there = [(np.arange(size) * full / size).astype(int) for size, full in ((height, 701), (width, 1301))]
        assert np.abs(whole.astype(float) - pixels[np.ix_(*there)]).mean() < 3
    missing = await granted(world, f"{tiles['url']}11/3_0.jpg")
    assert (missing.status_code, "3 columns" in missing.json()["remedy"]) == (404, True)


async def test_an_address_is_the_leave_to_see_one_figure_and_no_other(world: World) -> None:
    figure = await figure_of(world, png(1))
    tiles = (await view(world, figure["id"]))["tiles"]
    answer = await granted(world, tiles["render"])
    assert answer.headers["cache-control"].startswith("private")
    again = await world.client.get(tiles["render"], headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    grant = tiles["about"].rpartition("/")[2]
    assert (await granted(world, f"/api/v1/views/{grant[:-3]}abc/render")).status_code == 401
    with pytest.raises(Unauthenticated):
        world.engine.signer.granted(grant)  # a grant for views opens no file
    file = figure["display_url"].rpartition("/")[2]
    assert (await granted(world, f"/api/v1/views/{file}/render")).status_code == 401
    assert (await granted(world, f"/api/v1/figures/{figure['id']}/render")).status_code == 401


async def test_a_window_moves_over_the_values_of_a_dicom_whose_file_is_gone(world: World) -> None:
    pixels = np.tile(np.arange(256, dtype=np.int16) * 8 - 1024, (64, 1))
    file = pictures.dicom(
        pixels, RescaleSlope=1, RescaleIntercept=24, RescaleType="HU", WindowCenter=0, WindowWidth=2048
    )
    upload = await world.upload(file)
    figure = await world.added(file="Smith^John.dcm", upload=upload, label="Figure 1")
    assert await world.kept(upload) == [False]
    page = await view(world, figure["id"])
    assert (page["low"], page["high"], page["unit"]) == (-1000, 1040, "HU")
    assert (page["window"], page["level"], page["tiles"]["windowed"]) == (2048, 0, True)
    render = f"/api/v1/figures/{figure['id']}/render"
    as_is = seen(await world.ask("GET", render))
    asked = seen(await world.ask("GET", render, params={"window": 2048, "level": 0}))
    assert np.array_equal(as_is, asked)
    narrow = seen(await world.ask("GET", render, params={"window": 16, "level": 104}))
    assert (narrow[:, :136].max(), narrow[:, 144:].min()) == (0, 255)  # black below 96, white above 112
    inverted = seen(await world.ask("GET", render, params={"invert": True})).astype(int)
    assert np.abs(255 - inverted - as_is).max() <= 2
    kept = await world.engine.documents.collection(Figure).get(figure["id"])
    assert kept.pixels is not None
    assert b"CompressedSamples" not in await world.engine.blobs.read(kept.pixels)


async def test_frames_and_pages_are_counted_from_0_and_each_can_be_seen(world: World) -> None:
    values = np.stack([np.full((40, 50), 100 * frame, np.uint16) for frame in range(3)])
    film = pictures.dicom(values[0], NumberOfFrames=3, PixelData=values.tobytes(), WindowCenter=128, WindowWidth=256)
    figure = await figure_of(world, film, "a.dcm")
    assert (figure["picture"]["frames"], figure["picture"]["pages"]) == (3, 1)
    render = f"/api/v1/figures/{figure['id']}/render"
    shades = [int(seen(await world.ask("GET", render, params={"frame": frame})).mean()) for frame in range(3)]
    assert shades == [0, 100, 200]
    answer = await world.ask("GET", render, params={"frame": 3})
    assert (answer.status_code, "has 3" in answer.json()["remedy"]) == (404, True)
    pages = await figure_of(
        world, tiff(np.stack([values[2], values[1]]).astype(np.uint8), photometric="minisblack"), "b.tif"
    )
    assert (await view(world, pages["id"], page=1))["page"] == 1
    assert seen(await world.ask("GET", f"/api/v1/figures/{pages['id']}/render", params={"page": 1})).mean() == 100
    assert (await world.ask("GET", f"/api/v1/figures/{pages['id']}/render", params={"page": 2})).status_code == 404


async def test_a_wrong_question_is_told_what_is_wrong(world: World) -> None:
    figure = await figure_of(world, png(1))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"window": 10}, "level"),
        ({"level": 10}, "window"),
        ({"region": "0,0,10"}, "region"),
        ({"region": "0,0,-1,10"}, "region"),
        ({"region": "60,0,10,10"}, "region"),
        ({"region": "0,0,0,10"}, "region"),
        ({"size": 100_000}, "size"),
        ({"window": "nan", "level": 1}, "window"),
        ({"window": 0, "level": 1}, "window"),
        ({"page": -1}, "page"),
        ({"invert": "perhaps"}, "invert"),
    ]
    for params, field in wrong:
        answer = await world.ask("GET", f"/api/v1/figures/{figure['id']}/render", params=params)
        problem = answer.json()
        assert (answer.status_code, bool(problem["remedy"])) == (422, True), params
        assert field in (problem.get("field") or problem["errors"][0]["field"]), params


async def test_what_was_made_of_an_erased_figure_goes_with_it(world: World) -> None:
    figure = await figure_of(world, dicom(), "a.dcm")
    tiles = (await view(world, figure["id"]))["tiles"]
    await granted(world, tiles["render"])
    pixels = (await world.engine.documents.collection(Figure).get(figure["id"])).pixels
    assert pixels is not None
    folder = world.engine.blobs.scratch / "views"
    assert len(list(folder.iterdir())) == 2
    assert await world.kept(pixels) == [True]
    assert (await world.ask("DELETE", f"/api/v1/figures/{figure['id']}")).status_code == 204
    assert (await granted(world, tiles["render"])).status_code == 410
    assert await world.kept(pixels) == [False]
    async with asyncio.timeout(20):
        while list(folder.iterdir()):
            await asyncio.sleep(0.005)


async def test_what_another_process_left_of_erased_figures_is_swept_at_the_start(tmp_path: Path) -> None:
    async with running(tmp_path) as world:
        figure = await figure_of(world, png(1))
        await view(world, figure["id"])
        folder = world.engine.blobs.scratch / "views"
        (pyramid,) = folder.glob("*.tif")
        (folder / pyramid.name.replace(figure["id"], "gone")).write_bytes(b"")
        (folder / "half.part").write_bytes(b"")
    async with running(tmp_path):
        async with asyncio.timeout(20):
            while {path.stem for path in folder.iterdir()} != {pyramid.stem}:
                await asyncio.sleep(0.005)


async def test_a_worker_that_dies_or_is_late_fails_its_request_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = await figure_of(world, png(1))
    render = f"/api/v1/figures/{figure['id']}/render"
    await view(world, figure["id"])
    with monkeypatch.context() as late:
        late.setattr(views, "CUT_SECONDS", 0.0001)
        answer = await world.ask("GET", render)
        assert (answer.status_code, "took longer" in answer.json()["detail"]) == (504, True)
    with monkeypatch.context() as deadly:
        deadly.setattr(views, "cut_view", die)
        answer = await world.ask("GET", render)
        assert (answer.status_code, "die" in answer.json()["detail"]) == (422, True)
    assert (await world.ask("GET", render)).status_code == 200


async def test_a_page_that_cannot_be_prepared_is_not_tried_for_each_of_its_tiles(world: World) -> None:
    content = tiff(pictures.colour(), compression="zlib", rowsperstrip=32)
    figure = await figure_of(world, content, "a.tif")
    tiles = (await view(world, figure["id"]))["tiles"]
    path = world.engine.blobs.path(figure["picture"]["sha256"])
    assert path is not None
    path.write_bytes(content[:-60_000] + bytes(60_000))
    for left in (world.engine.blobs.scratch / "views").iterdir():
        left.unlink()
    before = refused()
    answers = await asyncio.gather(*(granted(world, tiles["render"], size=size) for size in range(100, 106)))
    assert [answer.status_code for answer in answers] == [422] * 6
    assert all("damaged" in answer.json()["detail"] for answer in answers)
    assert (await granted(world, tiles["render"])).status_code == 422
    assert refused() == before + 1


def refused() -> float:
    return float(metrics.WORKER_TASKS.labels("prepare_view", "refused")._value.get())


async def test_an_annotator_looks_into_what_was_assigned_to_them_and_asks_for_no_other(tmp_path: Path) -> None:
    """Through the gateway: the assignment's addresses need no session, as a viewer's pictures have none elsewhere."""
    (tmp_path / "a.png").write_bytes(png(1, width=700, height=600))
    async with system(tmp_path) as running:
        work = running.work
        figure = await work.ask("admin", lambda c: c.create_figure(tmp_path / "a.png", collection="c"))
        await running.engine.bus.settled()
        people = await work.ask("admin", accounts)
        sent = {"figures": [figure.id], "annotator": people[ANNOTATOR], "reviewer": people[REVIEWER]}
        made = await work.ask("admin", lambda c: c.assign(**sent))
        zoom = (await work.ask(ANNOTATOR, lambda c: c.assignment(made.items[0].id))).figure.zoom
        assert zoom is not None
        assert (zoom.width, zoom.height, zoom.max_level, zoom.windowed) == (700, 600, 10, False)
        transport = httpx.ASGITransport(running.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://system") as stranger:
            tile = await stranger.get(f"{zoom.url}10/1_1.jpg")
            assert seen(tile).shape == (88, 188)
            assert tile.headers["x-content-type-options"] == "nosniff"
            assert tile.headers["cache-control"] == "private, max-age=1800"
            known = {"If-None-Match": tile.headers["etag"]}
            assert (await stranger.get(f"{zoom.url}10/1_1.jpg", headers=known)).status_code == 304
        with pytest.raises(NotAllowed):
            await work.ask(ANNOTATOR, lambda c: c.view(figure.id))
        page = await work.ask("admin", lambda c: c.view(figure.id))
        assert (page.low, page.high, page.tiles.width) == (0, 255, 700)
        into = io.BytesIO()
        await work.ask("admin", lambda c: c.render(figure.id, into, size=70, region="0,0,100,100", invert=True))
        assert pyvips.Image.new_from_buffer(into.getvalue(), "").width == 70


async def accounts(client: AsyncClient) -> dict[str, str]:
    return {account.name: account.person async for account in client.accounts()}


async def test_a_slide_in_an_object_store_is_read_from_a_copy_that_goes_with_it(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as plain:
        engine = replace(plain, blobs=Blobs("memory:///", scratch=tmp_path / "scratch"))
        async with serving(engine) as world:
            content = tiff(np.tile(pictures.colour(), (12, 9, 1)), tile=(256, 256), photometric="rgb")
            figure = await figure_of(world, content, "a.tif")
            render = f"/api/v1/figures/{figure['id']}/render"
            assert seen(await world.ask("GET", render, params={"size": 100})).shape == (100, 100, 3)
            folder = engine.blobs.scratch / "views"
            (copy,) = folder.glob("*.tif")
            assert copy.read_bytes() == content
            copy.unlink()  # to make room, say
            assert (await world.ask("GET", render, params={"size": 101})).status_code == 200
            await world.ask("DELETE", f"/api/v1/figures/{figure['id']}")
            await engine.bus.settled()
            assert list(folder.iterdir()) == []


async def test_a_dicom_from_before_its_pixels_were_kept_is_seen_as_its_display(world: World) -> None:
    figure = await figure_of(world, dicom(), "a.dcm")
    figures = world.engine.documents.collection(Figure)
    await figures.update(figure["id"], lambda old: (old.changed(pixels=None), ()))
    page = await view(world, figure["id"])
    assert (page["low"], page["high"], page["curve"]) == (0, 255, "even")
    display = pyvips.Image.new_from_buffer(await world.engine.blobs.read(figure["picture"]["display"]["blob"]), "")
    shown = seen(await world.ask("GET", f"/api/v1/figures/{figure['id']}/render"))
    assert np.abs(shown.astype(int) - display.numpy()).mean() < 2
