"""Multipart forms, cut anywhere."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import suppress
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway.forms import MAX_FIELD_BYTES, MAX_FIELDS, Form, read_form
from shared.errors import Invalid, TooLarge, Unsupported


async def keep(_name: str, chunks: AsyncIterable[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def stream(body: bytes, cuts: Sequence[int] = ()) -> AsyncIterator[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    for start, end in pairwise(edges):
        yield body[start:end]


def encoded(fields: dict[str, str], file: tuple[str, bytes] | None) -> tuple[str, bytes]:
    parts: dict[str, object] = {name: (None, value) for name, value in fields.items()}
    if file is not None:
        parts["file"] = file
    request = httpx.Request("POST", "http://x", files=parts)  # type: ignore[arg-type]
    return request.headers["content-type"], request.read()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
NAMES = st.text("abcdefghij_", min_size=1, max_size=8)


@given(
    fields=st.dictionaries(NAMES, TEXT, min_size=1, max_size=5),
    content=st.binary(max_size=2000) | st.just(b"\r\n--" * 100),
    cuts=st.lists(st.integers(0, 10_000), max_size=8),
)
def test_what_was_sent_comes_out_wherever_the_stream_is_cut(
    fields: dict[str, str], content: bytes, cuts: list[int]
) -> None:
    fields.pop("file", None)
    kind, body = encoded(fields, ("a.png", content))
    form: Form[bytes] = asyncio.run(read_form(kind, stream(body, cuts), keep))
    assert (form.fields, form.file_name, form.stored) == (fields, "a.png", content)


@given(st.binary(max_size=3000))
def test_any_bytes_give_a_form_or_a_clear_error(body: bytes) -> None:
    with suppress(Invalid):
        asyncio.run(read_form("multipart/form-data; boundary=x", stream(b"--x\r\n" + body), keep))


@given(st.integers(0, 400))
def test_form_that_is_cut_off_is_refused(end: int) -> None:
    kind, body = encoded({"doi": "10.1/x"}, ("a.png", b"content"))
    with pytest.raises(Invalid):
        asyncio.run(read_form(kind, stream(body[: min(end, len(body) - 5)]), keep))


@pytest.mark.parametrize("kind", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"])
async def test_other_types_are_unsupported(kind: str) -> None:
    with pytest.raises(Unsupported):
        await read_form(kind, stream(b""), keep)


async def test_bounds() -> None:
    long = encoded({"legend": "x" * (MAX_FIELD_BYTES + 1)}, None)
    many = encoded({f"f{number}": "x" for number in range(MAX_FIELDS + 1)}, None)
    for kind, body in (long, many):
        with pytest.raises(TooLarge):
            await read_form(kind, stream(body), keep)
    kind, body = encoded({}, ("x" * 5000, b""))
    with pytest.raises(Invalid):
        await read_form(kind, stream(body), keep)


async def test_second_file_repeated_field_and_other_encodings_are_refused() -> None:
    def part(disposition: str, content: bytes) -> bytes:
        return b"--x\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"

    file = part('name="file"; filename="a"', b"1")
    field = part('name="doi"', b"1")
    for parts in (file + file, field + field, part('name="doi"', b"\xff"), b"--x\r\n\r\nno name\r\n"):
        with pytest.raises(Invalid):
            await read_form("multipart/form-data; boundary=x", stream(parts + b"--x--\r\n"), keep)
