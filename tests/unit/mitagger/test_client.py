"""The client against answers as a server may give them."""

import asyncio
import inspect
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mitagger.client import (
    AsyncClient,
    Busy,
    Client,
    ClientError,
    Conflict,
    Failed,
    Missing,
    NotAllowed,
    NotMitagger,
    NotSignedIn,
    Rejected,
    ServerFailed,
    Unreachable,
    asynchronous,
    synchronous,
)
from mitagger.client.address import on_loopback

Answer = Callable[[httpx.Request], httpx.Response]
STATUS = {"version": "1", "ready": True, "problems": [], "services": [], "figures": {}, "progress": []}


def client(answer: Answer) -> Client:
    return Client("http://mitagger.test", key="k", transport=httpx.MockTransport(answer))


def async_client(answer: Answer) -> AsyncClient:
    return AsyncClient("http://mitagger.test", key="k", transport=httpx.MockTransport(answer))


def problem(status: int, **fields: object) -> httpx.Response:
    body = {"title": "A problem", "status": status, **fields}
    return httpx.Response(
        status, content=json.dumps(body), headers={"content-type": "application/problem+json; charset=utf-8"}
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries and polls without waiting."""

    def four() -> Iterator[float]:
        return iter([0.0] * 3)

    for module in (synchronous, asynchronous):
        monkeypatch.setattr(module, "retries", four)
        monkeypatch.setattr(module, "polls", four)


def test_both_clients_offer_the_same_methods() -> None:
    def offered(kind: type) -> dict[str, list[str]]:
        functions = inspect.getmembers(kind, inspect.isfunction)
        return {
            name: list(inspect.signature(function).parameters)
            for name, function in functions
            if not name.startswith("_")
        }

    assert offered(Client) == offered(AsyncClient)


def test_client_stands_alone() -> None:
    """A script that uses it loads nothing of the server."""
    code = "import sys, mitagger.client; print([n for n in sys.modules if n.split('.')[0] in ('services', 'shared')])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, NotSignedIn), (403, NotAllowed), (404, Missing), (410, Missing), (409, Conflict), (422, Rejected),
     (413, Rejected), (429, Busy), (503, Busy), (504, Busy), (500, ServerFailed)],
)  # fmt: skip
async def test_problems_become_errors_that_say_what_to_do(status: int, expected: type[ClientError]) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return problem(status, detail="It went wrong.", remedy="Do this.", difference={"a": {"yours": 1, "theirs": 2}})

    with pytest.raises(expected, match=r"It went wrong\. Do this\.") as caught:
        client(answer).status()
    assert caught.value.problem.difference == {"a": {"yours": 1, "theirs": 2}}  # type: ignore[attr-defined]
    with pytest.raises(expected):
        await async_client(answer).status()


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(502, text="<html>Bad gateway</html>"),
        httpx.Response(200, text="<html>Welcome to nginx</html>"),
        httpx.Response(200, json={"something": "else"}),
        httpx.Response(400, content=b"{}", headers={"content-type": "application/problem+json"}),
    ],
)
def test_another_server_is_not_taken_for_mitagger(response: httpx.Response) -> None:
    with pytest.raises(NotMitagger):
        client(lambda _request: response).status()


async def test_safe_requests_are_tried_again_when_the_connection_fails_and_others_are_not() -> None:
    tries: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tries.append(request.method)
        if len(tries) % 4:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200, json=STATUS)

    assert client(answer).status().ready
    assert (await async_client(answer).status()).ready
    assert tries == ["GET"] * 8
    tries.clear()
    with pytest.raises(Unreachable, match=r"mitagger\.test"):
        client(answer).submit("a1")
    assert tries == ["POST"]


async def test_safe_requests_give_up_after_four_tries() -> None:
    tries = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal tries
        tries += 1
        raise httpx.ReadError("reset", request=request)

    with pytest.raises(Unreachable):
        client(answer).status()
    with pytest.raises(Unreachable):
        await async_client(answer).status()
    assert tries == 8


async def test_lists_follow_pages_as_they_are_read() -> None:
    asked: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        cursor = request.url.params.get("cursor")
        asked.append(cursor)
        assert request.url.params["article"] == "a1"
        number = int(cursor or 0)
        item = {"id": f"a{number}", "version": 1, "figure": None, "annotator": "p", "reviewer": "q", "state": "open"}
        return httpx.Response(200, json={"items": [item], "next": str(number + 1) if number < 2 else None})

    listed = client(answer).assignments(article="a1")
    assert next(listed).id == "a0"
    assert asked == [None]
    assert [one.id for one in listed] == ["a1", "a2"]
    assert [one.id async for one in async_client(answer).assignments(article="a1")] == ["a0", "a1", "a2"]
    assert asked == [None, "1", "2"] * 2


async def test_upload_streams_and_carries_the_key(tmp_path: Path) -> None:
    content = bytes(3_000_000)
    file = tmp_path / "x.png"
    file.write_bytes(content)

    def sync_answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer k"
        assert request.headers["transfer-encoding"] == "chunked"
        return httpx.Response(201, json={"upload": "ab" * 32, "bytes": len(request.read())})

    async def async_answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201, json={"upload": "ab" * 32, "bytes": len(await request.aread())})

    assert client(sync_answer).upload(file).bytes == len(content)
    transport = httpx.MockTransport(async_answer)
    assert (await AsyncClient("http://x", transport=transport).upload(file)).bytes == len(content)


def test_figure_without_a_file_is_a_multipart_form_too() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
        body = request.read()
        assert b'name="legend"\r\n\r\nF\xc3\xa9mur' in body
        assert b"label" not in body
        return problem(422, detail="seen")

    with pytest.raises(Rejected, match="seen"):
        client(answer).create_figure(None, collection="Atlas", legend="Fémur", label=None)


def test_version_travels_as_if_match_and_ids_are_quoted() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["if-match"] == '"7"'
        assert request.url.raw_path == b"/api/v1/assignments/a%2F..%3Fx/submit"
        return problem(409, detail="seen")

    with pytest.raises(Conflict, match="seen"):
        client(answer).submit("a/..?x", version=7)


@pytest.mark.parametrize("url", ["https://evil.example/x", "//evil.example/x", ""])
async def test_download_never_sends_the_key_elsewhere(url: str) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    with pytest.raises(NotMitagger):
        client(answer).download(url, io.BytesIO())
    with pytest.raises(NotMitagger):
        await async_client(answer).download(url, io.BytesIO())


async def test_download_writes_the_file_or_raises_the_problem() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"a,b\n") if request.url.path == "/there" else problem(404)

    into = io.BytesIO()
    assert client(answer).download("/there", into) == 4
    assert await async_client(answer).download("/there", into) == 4
    assert into.getvalue() == b"a,b\na,b\n"
    with pytest.raises(Missing):
        client(answer).download("/gone", into)


async def test_finished_export_waits_and_says_why_it_failed() -> None:
    states = iter(["running", "done", "running", "failed"] * 2)

    def answer(_request: httpx.Request) -> httpx.Response:
        job = {
            "id": "e1", "format": "csv", "statuses": ["approved"], "state": next(states), "rows": 1, "bytes": 2,
            "file_name": "t.csv", "url": None, "problem": "The disk is full.", "created_at": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        return httpx.Response(200, json=job)

    assert client(answer).finished_export("e1").rows == 1
    with pytest.raises(Failed, match="The disk is full"):
        client(answer).finished_export("e1")
    assert (await async_client(answer).finished_export("e1")).rows == 1
    with pytest.raises(Failed, match="The disk is full"):
        await async_client(answer).finished_export("e1")


async def test_events_are_followed_with_their_cursors() -> None:
    event = {
        "id": "1", "source": "/mitagger/ingest", "type": "org.mitagger.image.deleted.v1",
        "time": "2026-01-01T00:00:00Z", "subject": "f1", "data": {"figure": "f1"},
    }  # fmt: skip
    stream = f": ping\n\nevent: image.deleted\ndata: {json.dumps(event)}\nid: s1\n\ndata: {{}}\nid: s2\n\n"

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["last-event-id"] == "s0"
        assert request.url.params.get_list("topic") == ["image.deleted"]
        return httpx.Response(200, text=stream, headers={"content-type": "text/event-stream"})

    followed = client(answer).follow_events(after="s0", topics=["image.deleted"])
    cursor, found = next(followed)
    assert (cursor, found.subject) == ("s1", "f1")
    with pytest.raises(NotMitagger):
        next(followed)
    async_followed: AsyncIterator[tuple[str, object]] = async_client(answer).follow_events(
        after="s0", topics=["image.deleted"]
    )
    assert (await anext(async_followed))[0] == "s1"
    with pytest.raises(NotSignedIn):
        next(client(lambda _request: problem(401)).follow_events())


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:8420", True), ("http://[::1]:8420", True), ("http://localhost", True),
     ("https://mitagger.example", False), ("http://10.0.0.1", False)],
)  # fmt: skip
def test_proxy_of_the_environment_is_asked_for_other_machines_alone(url: str, expected: bool) -> None:
    assert on_loopback(url) is expected


async def test_server_on_this_machine_is_reached_behind_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(STATUS).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, AsyncClient(url) as near:
        assert (await near.status()).ready
        assert (await asyncio.to_thread(Client(url).status)).ready
