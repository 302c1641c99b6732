"""A name is planted wherever a file can hold one, brought in by every door, and then sought in everything that is
stored, told, logged, answered and exported."""

import asyncio
import base64
import hashlib
import io
import secrets
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pydicom.config
import pytest
import pyvips
import tifffile
from pydicom import Dataset, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.sequence import Sequence

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.client.errors import Refused
from mitagger.importing import bring, read
from tests.support.people import until
from tests.support.system import KEY, System, system
from tests.support.work import quiet
from tools import pictures

NAME: Final = "Quxzorblatt"
UPPER: Final = NAME.upper()  # as code strings have it
_TEXTS: Final = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
# Without these it is no picture, or another one.
_NEEDED: Final = frozenset({"PhotometricInterpretation", "SpecificCharacterSet", "BurnedInAnnotation", "Modality"})
TORN: Final = b"a checksum is wrong here"
GREY: Final = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))


def planted(**elements: Any) -> Dataset:
    """A DICOM that has the name in every element of text that the standard knows, in sequences, in private elements, in
    overlays and curves, in the meta information and in the preamble."""
    dataset = dcmread(io.BytesIO(pictures.dicom(GREY)))
    for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
        if vr in _TEXTS and keyword not in _NEEDED and tag >> 16 > 2 and not retired:
            dataset[tag] = DataElement(tag, vr, UPPER if vr in ("CS", "AE") else NAME)
    inner = Dataset()
    inner.PatientName, inner.PersonIdentificationCodeSequence = NAME, Sequence([_person()])
    dataset.RequestAttributesSequence = Sequence([inner])
    block = dataset.private_block(0x0099, NAME, create=True)
    block.add_new(0x01, "LO", NAME)
    block.add_new(0x02, "OB", NAME.encode("utf-16-le"))
    for group in (0x5000, 0x6000):  # curve, overlay
        dataset.add_new((group, 0x0022), "LO", NAME)
        dataset.add_new((group, 0x3000), "OB", (NAME * 40).encode()[:384])
    dataset.add_new((0x6000, 0x0010), "US", 48)
    dataset.add_new((0x6000, 0x0011), "US", 64)
    dataset.add_new((0xFFFC, 0xFFFC), "OB", NAME.encode() + b"\0")  # trailing padding
    dataset.file_meta.SourceApplicationEntityTitle = UPPER
    dataset.file_meta.PrivateInformationCreatorUID = "1.2.3"
    dataset.file_meta.PrivateInformation = NAME.encode() + b"\0"
    dataset.preamble = NAME.encode().ljust(128, b"\0")
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset


def _person() -> Dataset:
    person = Dataset()
    person.CodeMeaning, person.InstitutionName = NAME, NAME
    return person


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    with pydicom.config.disable_value_validation():
        dataset.save_as(file)
    return file.getvalue()


def dicoms() -> dict[str, bytes]:
    """By file name, each another picture."""
    named = planted(InstanceNumber=1)
    # A window that is a name: what goes wrong with it is told of without it.
    named[0x00281050] = DataElement(0x00281050, "LO", NAME)
    whole = written(planted(InstanceNumber=2))
    return {
        f"{NAME}_1.dcm": written(planted(InstanceNumber=3, BodyPartExamined=UPPER)),
        f"{NAME}_us.dcm": written(planted(InstanceNumber=4, Modality="US", BodyPartExamined="LIVER")),
        f"{NAME}_burned.DCM": written(planted(InstanceNumber=5, BurnedInAnnotation="YES")),
        f"{NAME}/IM0001": written(planted(InstanceNumber=6, Modality="US")),
        f"{NAME}_disguised.png": written(planted(InstanceNumber=7)),
        f"{NAME}_window.dcm": written(named),
        f"{NAME}_cut.dcm": whole[: len(whole) - 2000],
        f"{NAME}_other": b"\0" * 128 + NAME.encode(),
    }


def others() -> dict[str, bytes]:
    """Pictures of other formats, whose own metadata hold the name."""
    image = pyvips.Image.new_from_array(np.dstack([GREY] * 3)).copy(interpretation="srgb")
    xmp = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>{NAME}</dc:creator></x:xmpmeta>'.encode()
    byline = b"\x1c\x02\x50\0" + bytes([len(NAME)]) + NAME.encode()
    iptc = b"Photoshop 3.0\x008BIM\x04\x04\0\0" + len(byline).to_bytes(4, "big") + byline
    for name in ("ImageDescription", "Artist", "Copyright"):
        image.set_type(pyvips.GValue.gstr_type, f"exif-ifd0-{name}", NAME)
    image.set_type(pyvips.GValue.gstr_type, "exif-ifd2-UserComment", NAME)
    image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    image.set_type(pyvips.GValue.blob_type, "iptc-data", iptc)
    texts = image.copy()
    texts.set_type(pyvips.GValue.gstr_type, "png-comment-0-Author", NAME)
    jpeg = bytes(image.jpegsave_buffer())
    comment = len(NAME) + 2
    gif = bytes(image.gifsave_buffer())
    colours = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    tiff = io.BytesIO()
    with tifffile.TiffWriter(tiff) as out:
        out.write(GREY, description=NAME, software=NAME, metadata=None)
        out.write(GREY[:8], description=f"label {NAME}", subfiletype=1, metadata=None)
    return {
        "a.png": bytes(texts.pngsave_buffer()),
        "b.jpg": jpeg[:2] + b"\xff\xfe" + comment.to_bytes(2, "big") + NAME.encode() + jpeg[2:],
        "c.tif": tiff.getvalue(),
        "d.gif": gif[:colours] + b"\x21\xfe" + bytes([len(NAME)]) + NAME.encode() + b"\0" + gif[colours:],
        "e.webp": bytes(image.webpsave_buffer()),
    }


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as out:
        out.comment = NAME.encode()
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            member.comment = NAME.encode()
            out.writestr(member, data)
    return content.getvalue().replace(TORN, TORN.swapcase())


def forms(name: str) -> Iterator[bytes]:
    """As it may stand in lower-case bytes: in UTF-8 or Latin-1, UTF-16, and any of the three shifts of base64."""
    for text in (name, name.upper(), name.lower()):
        yield text.encode().lower()
        yield text.encode("utf-16-le").lower()
        for shift in range(3):
            yield base64.b64encode(b"\0" * shift + text.encode())[4:-4].lower()


FORMS: Final = frozenset(forms(NAME))


def leaks(data: bytes) -> bool:
    low = data.lower()
    return any(form in low for form in FORMS)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[System]:
    async with system(tmp_path) as found:
        yield found


def test_the_name_is_found_where_it_is() -> None:
    content = written(planted())
    assert content.lower().count(NAME.lower().encode()) > 1_400
    assert all(leaks(data) for data in others().values())
    assert leaks(NAME.encode("utf-16-le"))
    assert leaks(base64.b64encode(b"xy" + NAME.encode()))
    assert not leaks(b"nobody")


async def test_a_planted_name_is_nowhere_once_the_files_are_read(
    world: System, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with AsyncClient("http://system", key=KEY, transport=httpx.ASGITransport(world.app)) as admin:
        heard, originals = await _brought(admin, tmp_path / NAME)
        await world.engine.bus.settled()
        _nowhere(tmp_path / "data", heard, originals)
    said = capfd.readouterr()
    assert not leaks((said.out + said.err).encode())


@pytest.mark.servers
@pytest.mark.timeout(240)
async def test_a_planted_name_is_nowhere_on_kafka_and_mongodb_either(tmp_path: Path, mongodb: str) -> None:
    from tests.support.cluster import Cluster
    from tests.support.servers import kafka, mongo

    name, place = f"sentinel{secrets.token_hex(4)}", tmp_path / "data"
    place.mkdir()
    documents = mongo.named(mongodb, name)
    cluster = Cluster(place, bus=f"kafka://{kafka.address()}/{name}", documents=documents)
    try:
        await cluster.start()
        async with cluster.client() as admin:
            heard, originals = await _brought(admin, tmp_path / NAME)
            await until(lambda: quiet(admin), what="every group has caught up")
        stored = [one async for one in _documents(documents)]
        published = [one async for one in _records(kafka.address(), name)]
        assert min(len(stored), len(published)) > 50
        assert [one[:300] for one in (*stored, *published) if leaks(one)] == []
        await cluster.stop()
        _nowhere(place, heard, originals)  # their logs too
    finally:
        await cluster.kill()


async def _documents(address: str) -> AsyncIterator[bytes]:
    from bson import encode
    from pymongo import AsyncMongoClient

    async with AsyncMongoClient[dict[str, Any]](address) as client:
        database = client.get_default_database()
        for name in await database.list_collection_names():
            async for document in database[name].find():
                yield encode(document)


async def _records(address: str, prefix: str) -> AsyncIterator[bytes]:
    """Of all topics, from the first to the last that is there."""
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        topics = [topic for topic in await admin.list_topics() if topic.startswith(f"{prefix}.")]
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    places = [TopicPartition(one["topic"], part["partition"]) for one in described for part in one["partitions"]]
    async with AIOKafkaConsumer(bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < ends[place] for place in places]):
            for records in (await consumer.getmany(timeout_ms=100)).values():
                for record in records:
                    yield repr((record.key, record.headers)).encode() + (record.value or b"")


async def _brought(admin: AsyncClient, folder: Path) -> tuple[list[bytes], set[str]]:
    """All that the server answered, and the content hashes of pictures that are kept as they were sent."""
    files, harmless = dicoms(), others()
    for name, data in {**files, **harmless}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    heard: list[bytes] = []

    async def listen(answer: httpx.Response) -> None:
        heard.append(await answer.aread() + str(answer.headers).encode())

    admin._http.event_hooks["response"].append(listen)
    await _by_every_door(admin, folder, files, harmless)
    await _decided(admin)
    await until(lambda: quiet(admin), what="every group has caught up")
    await _asked(admin)
    # Pictures of other formats are kept, behind every door.
    return heard, {hashlib.sha256(data).hexdigest() for data in harmless.values()}


def _nowhere(data: Path, heard: list[bytes], originals: set[str]) -> None:
    stored = [path for path in data.rglob("*") if path.is_file() and path.name not in originals]
    assert len(stored) > 20
    assert [path.name for path in stored if leaks(path.read_bytes()) or leaks(path.name.encode())] == []
    assert len(heard) > 60
    assert [answer[:300] for answer in heard if leaks(answer)] == []


async def _by_every_door(admin: AsyncClient, folder: Path, files: dict[str, bytes], harmless: dict[str, bytes]) -> None:
    # One by one, as a form; some are refused.
    for number, name in enumerate([*files, *harmless]):
        try:
            await admin.create_figure(folder / name, collection="c", label=f"Figure {number}", legend="A liver.")
        except Refused:
            continue
    # Rows, with and without their file.
    job = await admin.start_import("rows", None)
    rows: list[dict[str, Any]] = []
    for number, name in enumerate([*files, *harmless], start=1):
        upload = (await admin.upload(folder / name)).upload
        row = {"row": number, "collection": "d", "file": name, "label": f"Figure {number}"}
        rows.append(row if number % 4 == 0 else {**row, "upload": upload})
    await admin.import_rows(job.id, [*rows, {"row": len(rows) + 1, "file": f"{NAME}.dcm"}])
    # A zip named after the patient, of a folder named so, with what no zip should hold.
    unwanted = {f"../{NAME}.dcm": b"x", f"{NAME}.zip": zipped({f"{NAME}.dcm": b"x"}), f"{NAME}_1.txt": b"\xff\xfe\0"}
    unwanted[f"{NAME}_torn.dcm"] = b"\0" * 128 + b"DICM" + TORN + bytes(100_000)
    archive = folder.parent / f"{NAME}.zip"
    archive.write_bytes(zipped({f"{NAME}/{name}": data for name, data in {**files, **unwanted, **harmless}.items()}))
    await _finished(admin, (await admin.import_archive(archive)).id)
    manifest = "collection,file,legend\n" + "".join(f"m,{name},A liver.\n" for name in files) + f"m,{NAME}.dcm,x\n"
    archive.write_bytes(zipped({**files, "figures.csv": manifest.encode()}))
    await _finished(admin, (await admin.import_archive(archive)).id)
    # The command line's way: a folder, and a zip that it reads itself.
    for path in (folder, archive):
        with await asyncio.to_thread(read, path) as source:
            brought = await bring(admin, source)
        assert brought.created + brought.existing > 3


async def _finished(admin: AsyncClient, job: str) -> None:
    async with asyncio.timeout(60):
        while (found := await admin.import_(job)).state == "running":
            await asyncio.sleep(0.01)
    assert (found.state, found.created > 3) == ("done", True), found


async def _decided(admin: AsyncClient) -> None:
    waiting = [one async for one in admin.quarantine()]
    assert {reason for one in waiting for reason in one.reasons} == {"ultrasound", "burned_in_annotation"}
    await admin.confirm(waiting[0].id)
    await admin.black_out(waiting[1].id, [m.Rectangle(left=0, top=0, width=9, height=9)])
    await admin.refuse(waiting[2].id, "names_patient")


async def _asked(admin: AsyncClient) -> None:
    """Everything that can be read of what is there."""
    shown = io.BytesIO()
    figures = [one async for one in admin.figures()]
    assert len(figures) > 20
    for one in figures:
        if one.display_url:
            await admin.download(one.display_url, shown)
            await admin.download(str(one.thumbnail_url), shown)
            await admin.render(one.id, shown)
            await admin.view(one.id)
        await admin.recommendations(one.id) if one.legend else None
    assert not leaks(shown.getvalue())
    async for job in admin.imports():
        told = [one async for one in admin.rejects(job.id)]
        assert all(one.row or one.file or one.severity == "warning" for one in told), "an administrator finds the row"
    for kind in ("csv", "xml"):
        done = await admin.finished_export((await admin.start_export(kind, ["new"])).id, seconds=60)
        await admin.download(str(done.url), shown)
    assert not leaks(shown.getvalue())
    after = ""
    while (page := await admin.events(after=after, limit=100)).items:
        after = page.next
    assert [one async for one in admin.articles()]
    assert [one async for one in admin.quarantine()]
    assert (await admin.search("liver")).total > 0
    assert await admin.dead_letters() == []
    await admin.status()
