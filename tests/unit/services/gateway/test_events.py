"""Events to pull and to follow; dead letters; readiness through the door."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from services.gateway.api import events as door
from shared.access import DEFAULT_PROJECT
from shared.bus.port import Subscription
from shared.errors import Invalid, Unavailable
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.events.legend import LegendTokenized
from tests.unit.services.gateway.conftest import Installation


def deleted(figure: str) -> ImageDeleted:
    return ImageDeleted(
        time=datetime(2026, 1, 1, tzinfo=UTC), project=DEFAULT_PROJECT, actor="a", figure=figure, revision=1
    )


async def test_pull_goes_on_from_its_cursor_and_filters_topics(installation: Installation) -> None:
    await installation.engine.bus.publish([deleted(f"f{number}") for number in range(3)])
    async with installation.browser(Authorization="Bearer local") as browser:
        first = (await browser.get("/api/v1/events?limit=2")).json()
        assert [event["subject"] for event in first["items"]] == ["f0", "f1"]
        assert first["items"][0]["type"] == "org.mitagger.image.deleted.v1"
        assert first["items"][0]["data"]["revision"] == 1
        second = (await browser.get("/api/v1/events", params={"after": first["next"]})).json()
        assert [event["subject"] for event in second["items"]] == ["f2"]
        last = (await browser.get("/api/v1/events", params={"after": second["next"]})).json()
        assert last == {"items": [], "next": second["next"]}
        other = (await browser.get("/api/v1/events?topic=tag.accepted&topic=review.done")).json()
        assert other["items"] == []


@pytest.mark.parametrize("query", ["after=nonsense", "topic=nonsense", "limit=0", "limit=100000"])
async def test_bad_queries_are_refused(installation: Installation, query: str) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        assert (await browser.get(f"/api/v1/events?{query}")).status_code == 422


async def read_stream(installation: Installation, wanted: int, headers: dict[str, str]) -> list[dict[str, str]]:
    """The first messages of the stream, which is then closed as a browser does."""
    assert installation.gateway.app is not None
    received = bytearray()
    enough = asyncio.Event()
    asked = False

    async def receive() -> dict[str, object]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
        received.extend(message.get("body", b""))  # type: ignore[arg-type]
        if received.count(b"data: ") >= wanted:
            enough.set()

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": "/api/v1/events/stream", "raw_path": b"/api/v1/events/stream", "query_string": b"", "root_path": "",
        "headers": [(b"authorization", b"Bearer local"), *((k.encode(), v.encode()) for k, v in headers.items())],
        "client": ("test", 1), "server": ("mitagger.test", 80), "state": {},
    }  # fmt: skip
    async with asyncio.timeout(10):
        await installation.gateway.app(scope, receive, send)  # type: ignore[arg-type]
    blocks = [block for block in received.decode().split("\n\n") if "data: " in block]
    return [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]


async def test_stream_resumes_after_the_last_event_that_the_client_saw(installation: Installation) -> None:
    await installation.engine.bus.publish([deleted("f0")])
    async with installation.browser(Authorization="Bearer local") as browser:
        cursor = (await browser.get("/api/v1/events")).json()["next"]
    await installation.engine.bus.publish([deleted("f1"), deleted("f2")])
    messages = await read_stream(installation, 2, {"last-event-id": cursor})
    assert [message["event"] for message in messages] == ["image.deleted", "image.deleted"]
    assert [json.loads(message["data"])["subject"] for message in messages] == ["f1", "f2"]
    (rest,) = await read_stream(installation, 1, {"last-event-id": messages[0]["id"]})
    assert json.loads(rest["data"])["subject"] == "f2"


async def test_stream_ends_when_its_time_is_over(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "STREAM_SECONDS", 0.05)
    async with installation.browser(Authorization="Bearer local") as browser:
        answer = await browser.get("/api/v1/events/stream")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_stream_refuses_before_it_begins(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        answer = await browser.get("/api/v1/events/stream", headers={"Last-Event-ID": "nonsense"})
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
    async with installation.browser() as stranger:
        assert (await stranger.get("/api/v1/events/stream")).status_code == 401


async def test_dead_letter_is_listed_shown_and_replayed_to_its_group(installation: Installation) -> None:
    bus = installation.engine.bus
    broken = True
    handled: list[str] = []

    async def handler(events: Sequence[Event]) -> None:
        if broken:
            raise Invalid("The legend cannot be read.")
        handled.extend(event.figure for event in events)

    bus.subscribe(Subscription("nlp", (ImageDeleted,), handler))
    await bus.start()
    await bus.publish([deleted("f1")])
    await bus.settled(timeout=10)  # type: ignore[attr-defined]
    async with installation.browser(Authorization="Bearer local") as browser:
        (letter,) = (await browser.get("/api/v1/dead-letters?group=nlp")).json()["items"]
        assert (letter["group"], letter["topic"], letter["figure"]) == ("nlp", "image.deleted", "f1")
        assert "traceback" not in letter
        shown = (await browser.get(f"/api/v1/dead-letters/{letter['id']}")).json()
        assert shown["data"]["figure"] == "f1"
        assert (await browser.get("/api/v1/dead-letters/unknown")).status_code == 404
        assert (await browser.post("/api/v1/dead-letters/unknown/replay")).status_code == 404
        broken = False
        assert (await browser.post(f"/api/v1/dead-letters/{letter['id']}/replay")).status_code == 204
        await bus.settled(timeout=10)  # type: ignore[attr-defined]
        assert (await browser.get("/api/v1/dead-letters")).json()["items"] == []
    assert handled == ["f1"]


async def test_republish_asks_each_owner_for_its_own_topics(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        for topics, sent in ((["image.uploaded"], 1), (["review.done", "tag.accepted", "image.uploaded"], 3)):
            answer = await browser.post("/api/v1/events/republish", json={"topics": topics})
            assert answer.json() == {"republished": sent}
        for derived in ("legend.tokenized", "nonsense"):
            refused = await browser.post("/api/v1/events/republish", json={"topics": ["image.uploaded", derived]})
            assert (refused.status_code, refused.json()["field"]) == (422, "topics")
            assert "image.uploaded" in refused.json()["remedy"]


async def test_readiness_names_the_group_that_waits(installation: Installation) -> None:
    bus = installation.engine.bus
    tried = asyncio.Event()

    async def handler(_events: Sequence[Event]) -> None:
        tried.set()
        raise Unavailable("bioportal")

    bus.subscribe(Subscription("recommender", (ImageDeleted, LegendTokenized), handler))
    await bus.start()
    async with installation.browser() as browser:
        assert (await browser.get("/readyz")).json() == {"ready": True, "problems": []}
        assert (await browser.get("/healthz")).status_code == 200
        await bus.publish([deleted("f1")])
        await asyncio.wait_for(tried.wait(), 10)
        answer = await browser.get("/readyz")
        assert answer.json()["problems"] == ["recommender waits for bioportal."]
    async with installation.browser(Authorization="Bearer local") as browser:
        status = (await browser.get("/api/v1/status")).json()
        assert status["ready"] is False
        assert status["figures"] == {"new": 3, "provisional": 3, "returned": 3, "approved": 3}
        assert status["services"] == ["gateway", "ingest", "nlp", "recommender", "annotation", "export"]
        assert (await browser.get("/readyz")).status_code == 503
