"""Quarantine through all services: who sees a picture when, and what is left of one that was blacked out or refused."""

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import pytest_asyncio
import pyvips
import tifffile

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import ClientError, Refused
from services.ingest.model import Figure
from shared.events.image import ImageUploaded
from tests.support.people import ANNOTATOR, PASSWORD
from tests.support.system import KEY, System, system
from tools import pictures

# One loop for all: worker processes belong to a loop, and starting one takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = m.Rectangle(left=0, top=0, width=64, height=16)  # where the patient's name stands
LEGEND = "Ultrasound of the hippocampus."


@pytest_asyncio.fixture(loop_scope="module")
async def world(tmp_path: Path) -> AsyncIterator[System]:
    async with system(tmp_path) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def admin(world: System) -> AsyncIterator[AsyncClient]:
    async with AsyncClient("http://system", key=KEY, transport=httpx.ASGITransport(world.app)) as client:
        yield client


def ultrasound() -> bytes:
    """Grey, with a white stripe at the top."""
    pixels = np.full((48, 64), 90, np.uint8)
    pixels[:16] = 255
    return pictures.dicom(pixels, Modality="US", BodyPartExamined="LIVER", WindowCenter=128, WindowWidth=256)


def screenshot() -> bytes:
    pixels = np.full((48, 64, 3), 90, np.uint8)
    pixels[:16] = 255
    image = pyvips.Image.new_from_array(pixels).copy()
    image.set_type(pyvips.GValue.gstr_type, "png-comment-0-Software", "gnome-screenshot")
    return bytes(image.pngsave_buffer())


async def held(admin: AsyncClient, content: bytes | None = None) -> m.Figure:
    return await sent(admin, ultrasound() if content is None else content, "DOE_JOHN.dcm")


async def sent(admin: AsyncClient, content: bytes, name: str) -> m.Figure:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, name)
        file.write_bytes(content)
        return await admin.create_figure(file, collection="c", label="Figure 1", legend=LEGEND)


async def told(world: System, figure: str) -> list[ImageUploaded]:
    await world.engine.bus.settled()
    events = (await world.engine.bus.read((ImageUploaded,), limit=1000)).events
    return [event for event in events if isinstance(event, ImageUploaded) and event.figure == figure]


async def stored(world: System, id: str) -> Figure:
    return await world.engine.documents.collection(Figure).get(id)


async def blobs(world: System) -> dict[str, bytes]:
    await world.engine.bus.settled()
    return {blob.sha256: await world.engine.blobs.read(blob.sha256) async for blob in world.engine.blobs.each()}


def brightest(jpeg: bytes) -> float:
    return float(pyvips.Image.new_from_buffer(jpeg, "").max())


async def test_a_waiting_picture_is_told_to_nobody_and_its_legend_is_worked_on(
    world: System, admin: AsyncClient
) -> None:
    figure = await held(admin)
    assert (figure.quarantine, figure.picture, figure.display_url) == ("waiting", None, None)
    (event,) = await told(world, figure.id)
    assert (event.picture, event.withheld, event.legend) == (None, True, LEGEND)
    found = await admin.recommendations(figure.id)
    assert "hippocampus" in {item.label for item in found.items}
    assert (await admin.status()).quarantine == 1
    (waiting,) = [one async for one in admin.quarantine()]
    assert (waiting.id, waiting.state, waiting.reasons) == (figure.id, "waiting", ["ultrasound"])


async def test_only_an_administrator_looks_and_decides(world: System, admin: AsyncClient) -> None:
    figure = await held(admin)
    async with AsyncClient("http://system", transport=httpx.ASGITransport(world.app)) as annotator:
        await annotator.sign_in(ANNOTATOR, PASSWORD)
        for ask in (
            annotator.quarantined(figure.id),
            annotator.confirm(figure.id),
            annotator.black_out(figure.id, [NAME]),
            annotator.refuse(figure.id, "other"),
        ):
            with pytest.raises(Refused):
                await ask
    assert (await admin.quarantined(figure.id)).state == "waiting"


async def test_a_confirmed_picture_is_seen_by_all_and_told_once(world: System, admin: AsyncClient) -> None:
    figure = await held(admin)
    seen = await admin.quarantined(figure.id)
    done = [await admin.confirm(figure.id, version=seen.version) for _ in range(2)]
    assert [one.state for one in done] == ["confirmed", "confirmed"]
    assert [event.picture is None for event in await told(world, figure.id)] == [True, False]
    assert (await admin.figure(figure.id)).display_url
    assert (await admin.status()).quarantine == 0


@pytest.mark.parametrize("content", [ultrasound(), screenshot()], ids=["DICOM", "PNG"])
async def test_what_was_blacked_out_is_in_no_file(world: System, admin: AsyncClient, content: bytes) -> None:
    figure = await held(admin, content)
    before = await blobs(world)
    assert any(brightest(data) > 200 for data in before.values() if data[:2] == b"\xff\xd8")
    done = [await admin.black_out(figure.id, [NAME]) for _ in range(2)]
    assert [one.state for one in done] == ["blacked_out", "blacked_out"]
    assert done[0].version == done[1].version
    after = await blobs(world)
    assert not before.keys() & after.keys()
    assert len(after) == 2  # so small that display and thumbnail are one
    for data in after.values():
        pixels = (
            tifffile.imread(io.BytesIO(data))
            if data[:2] in (b"II", b"MM")
            else pyvips.Image.new_from_buffer(data, "").numpy()
        )
        rows = pixels.shape[0] * 14 // 48
        assert pixels[:rows].max() < 30, "it is black"
        assert abs(float(pixels[-8:].mean()) - 90) < 8, "the rest is as it was"
    assert [event.picture is None for event in await told(world, figure.id)] == [True, False]
    again = await held(admin, content)
    assert (again.id, (await blobs(world)).keys()) == (figure.id, after.keys())


async def test_every_frame_can_be_looked_at_and_is_blacked_out(world: System, admin: AsyncClient) -> None:
    frames = np.full((3, 48, 64), 90, np.uint8)
    frames[2, :16] = 255  # the name stands in the last one only
    content = pictures.dicom(
        frames[0], Modality="US", NumberOfFrames=3, WindowCenter=128, WindowWidth=256, PixelData=frames.tobytes()
    )
    figure = await held(admin, content)
    found = await admin.quarantined(figure.id)
    assert found.frames == 3
    seen = []
    for frame in range(3):
        into = io.BytesIO()
        await admin.render_quarantined(figure.id, into, frame=frame)
        seen.append(brightest(into.getvalue()) > 200)
    assert seen == [False, False, True]
    with pytest.raises(Refused):  # not where everybody's pictures are
        await admin.render(figure.id, io.BytesIO(), frame=2)
    await admin.black_out(figure.id, [NAME])
    into = io.BytesIO()
    await admin.render(figure.id, into, frame=2)
    assert brightest(into.getvalue()) < 110
    kept = (await stored(world, figure.id)).pixels
    assert kept is not None
    assert tifffile.imread(io.BytesIO((await blobs(world))[kept]))[:, :16].max() == 0


async def test_every_page_is_blacked_out_also_of_a_picture_that_all_have_seen(
    world: System, admin: AsyncClient, tmp_path: Path
) -> None:
    pages = np.full((3, 48, 64), 90, np.uint8)
    pages[:, :16] = 255
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack", description="DOE^JOHN", metadata=None)
    figure = await admin.create_figure(tmp_path / "a.tif", collection="c", legend=LEGEND)
    assert figure.quarantine is None
    await admin.black_out(figure.id, [NAME])
    picture = (await stored(world, figure.id)).picture
    assert picture is not None
    data = (await blobs(world))[picture.sha256]
    kept = tifffile.imread(io.BytesIO(data))
    assert kept.shape == pages.shape
    assert kept[:, :16].max() == 0
    assert (kept[:, 16:] == 90).all()
    assert b"DOE" not in data


async def test_a_refused_picture_is_gone_for_good_and_its_legend_stays(world: System, admin: AsyncClient) -> None:
    figure = await held(admin)
    done = [await admin.refuse(figure.id, "names_patient") for _ in range(2)]
    assert [(one.state, one.refusal, one.display_url) for one in done] == [("refused", "names_patient", None)] * 2
    assert await blobs(world) == {}
    assert [(event.picture, event.withheld) for event in await told(world, figure.id)] == [(None, True)] * 2
    assert (await admin.figure(figure.id)).legend == LEGEND
    assert (await held(admin)).quarantine == "refused"  # sent again
    assert await blobs(world) == {}
    with pytest.raises(ClientError):
        await admin.confirm(figure.id)


async def test_of_two_administrators_one_decides(world: System, admin: AsyncClient) -> None:
    figure = await held(admin)
    seen = (await admin.quarantined(figure.id)).version
    answers = await asyncio.gather(
        admin.confirm(figure.id, version=seen),
        admin.refuse(figure.id, "other", version=seen),
        admin.black_out(figure.id, [NAME], version=seen),
        return_exceptions=True,
    )
    done = [answer for answer in answers if isinstance(answer, m.Quarantined)]
    assert len(done) == 1
    assert sum(isinstance(answer, ClientError) for answer in answers) == 2
    assert (await stored(world, figure.id)).version == seen + 1
    assert len(await told(world, figure.id)) == 2
    state = (await admin.quarantined(figure.id)).state
    assert (state, len(await blobs(world))) == (done[0].state, 0 if state == "refused" else 2)


async def test_hearing_of_a_decision_twice_changes_nothing(world: System, admin: AsyncClient) -> None:
    figure = await held(admin, screenshot())
    await admin.black_out(figure.id, [NAME])
    events, before = await told(world, figure.id), await blobs(world)
    await world.engine.bus.publish(events)
    assert await blobs(world) == before


async def test_erasing_a_figure_erases_a_picture_that_waits(world: System, admin: AsyncClient) -> None:
    figure = await held(admin, screenshot())
    assert len(await blobs(world)) == 2
    await admin.delete_figure(figure.id)
    assert await blobs(world) == {}


async def test_a_part_outside_of_the_picture_is_refused(world: System, admin: AsyncClient) -> None:
    figure = await held(admin)
    with pytest.raises(ClientError, match="64 x 48"):
        await admin.black_out(figure.id, [m.Rectangle(left=0, top=0, width=65, height=1)])
    assert (await admin.quarantined(figure.id)).state == "waiting"
