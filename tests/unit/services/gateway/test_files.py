"""Files in and out."""

import errno
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.blobs import Blobs
from shared.grants import Grant
from tests.unit.services.gateway.conftest import UPLOAD_BYTES, Installation

CONTENT = bytes(range(256)) * 10
SHA = hashlib.sha256(CONTENT).hexdigest()


async def test_upload_is_kept_under_its_content_hash(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        for _ in range(2):
            answer = await browser.post("/api/v1/uploads", content=CONTENT)
            assert (answer.status_code, answer.json()) == (201, {"upload": SHA, "bytes": len(CONTENT)})
    assert await installation.engine.blobs.read(SHA) == CONTENT


async def test_upload_beyond_the_bound_is_refused_whether_or_not_it_declares_its_length(
    installation: Installation,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    async with installation.browser(Authorization="Bearer local") as browser:
        declared = await browser.post("/api/v1/uploads", content=b"x" * (UPLOAD_BYTES + 1))
        streamed = await browser.post("/api/v1/uploads", content=endless())
        form = await browser.post("/api/v1/figures", files={"file": ("big.png", b"x" * (UPLOAD_BYTES + 1))})
    assert [declared.status_code, streamed.status_code, form.status_code] == [413, 413, 413]
    assert "100,000 bytes" in form.json()["detail"]


async def test_upload_needs_the_right_to_write_before_a_byte_is_read(installation: Installation) -> None:
    read = 0

    async def counted() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"x"

    async with installation.signed_in() as administrator:
        body = {"name": "Ada", "password": "four unrelated words", "roles": ["annotator"]}
        await administrator.post("/api/v1/accounts", json=body)
    async with installation.signed_in("Ada", "four unrelated words") as ada:
        for path in ("/api/v1/uploads", "/api/v1/figures", "/api/v1/imports/archive"):
            assert (await ada.post(path, content=counted())).status_code == 403
    async with installation.browser() as stranger:
        assert (await stranger.post("/api/v1/uploads", content=counted())).status_code == 401
    assert read == 0


async def test_figure_form_becomes_json_with_the_upload(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        form = {"collection": "Atlas", "legend": "Fémur — α", "year": "2021", "label": ""}
        answer = await browser.post("/api/v1/figures", data=form, files={"file": ("á b.png", CONTENT)})
    assert answer.status_code == 200
    assert answer.json()["path"] == "/internal/figures"
    sent = '{"collection":"Atlas","legend":"Fémur — α","year":"2021","file":"á b.png","upload":"SHA"}'
    assert answer.json()["body"] == sent.replace("SHA", SHA)
    assert await installation.engine.blobs.read(SHA) == CONTENT


@pytest.mark.parametrize("raw", [True, False])
async def test_archive_is_taken_raw_or_as_a_form(installation: Installation, raw: bool) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        if raw:
            answer = await browser.post("/api/v1/imports/archive?name=a.zip", content=CONTENT)
        else:
            answer = await browser.post("/api/v1/imports/archive", files={"file": ("a.zip", CONTENT)})
    assert answer.json()["path"] == "/internal/imports"
    assert answer.json()["body"] == '{"name":"a.zip","upload":"SHA"}'.replace("SHA", SHA)


async def test_form_without_a_file_is_no_archive_and_json_is_no_form(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        empty = await browser.post("/api/v1/imports/archive", files={"x": (None, "y")})
        json = await browser.post("/api/v1/figures", json={"doi": "10.1/x"})
    assert (empty.status_code, empty.json()["field"]) == (422, "file")
    assert (json.status_code, json.json()["field"]) == (415, "Content-Type")


async def test_full_disk_is_said_plainly(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Blobs, "_keep", full)
    async with installation.browser(Authorization="Bearer local") as browser:
        answer = await browser.post("/api/v1/uploads", content=CONTENT)
    assert answer.status_code == 507
    assert answer.json()["remedy"]
    assert answer.json()["detail"] == "The server has no room left for this file."


async def test_granted_image_is_shown_to_whoever_holds_the_address(installation: Installation) -> None:
    blob = await installation.engine.blobs.put_bytes(CONTENT)
    url = f"/api/v1/files/{installation.engine.signer.grant(Grant(blob.sha256, 'image/png'))}"
    async with installation.browser() as browser:
        answer = await browser.get(url)
        assert (answer.status_code, answer.content) == (200, CONTENT)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"] == "inline"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["content-length"] == str(len(CONTENT))
        known = await browser.get(url, headers={"If-None-Match": answer.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/javascript", "text/csv"])
async def test_what_a_browser_could_run_is_saved_never_shown(installation: Installation, media_type: str) -> None:
    blob = await installation.engine.blobs.put_bytes(CONTENT)
    grant = installation.engine.signer.grant(Grant(blob.sha256, media_type, "tägs.csv"))
    async with installation.browser() as browser:
        headers = (await browser.get(f"/api/v1/files/{grant}")).headers
    assert headers["content-disposition"] == "attachment; filename*=UTF-8''t%C3%A4gs.csv"
    assert headers["content-type"] in ("application/octet-stream", "text/csv")


@pytest.mark.parametrize(
    ("asked", "status", "start", "end"),
    [("bytes=0-9", 206, 0, 10), ("bytes=2550-", 206, 2550, 2560), ("bytes=-5", 206, 2555, 2560),
     ("bytes=0-1,5-6", 200, 0, 2560), ("lines=1-2", 200, 0, 2560)],
)  # fmt: skip
async def test_range_gives_that_part(installation: Installation, asked: str, status: int, start: int, end: int) -> None:
    blob = await installation.engine.blobs.put_bytes(CONTENT)
    url = f"/api/v1/files/{installation.engine.signer.grant(Grant(blob.sha256, 'image/png'))}"
    async with installation.browser() as browser:
        answer = await browser.get(url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, CONTENT[start:end])
        if status == 206:
            assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/2560"
        beyond = await browser.get(url, headers={"Range": "bytes=9999-"})
        assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */2560")


async def test_forged_grants_and_missing_files_are_refused(installation: Installation) -> None:
    missing = installation.engine.signer.grant(Grant("0" * 64, "image/png"))
    async with installation.browser() as browser:
        assert (await browser.get("/api/v1/files/forged")).status_code == 401
        assert (await browser.get(f"/api/v1/files/{missing[:-4]}AAAA")).status_code == 401
        assert (await browser.get(f"/api/v1/files/{missing}")).status_code == 404
