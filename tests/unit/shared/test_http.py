import asyncio

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import generate_latest
from pydantic import BaseModel

from shared.access import Caller
from shared.errors import (
    Conflict,
    DeadlineExceeded,
    Duplicate,
    Erased,
    Forbidden,
    Invalid,
    MitaggerError,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from shared.grants import Signer
from shared.http import MAX_JSON_BYTES, CallerDep, Hop, IfMatch, door, etag, status_of
from shared.metrics import REGISTRY
from tests.support.samples import Risen

SIGNER = Signer(b"k" * 32)


def token() -> str:
    """Holds for a minute: not made when the module is imported."""
    return SIGNER.token(Caller("ada", {"default": frozenset({"annotator"})}), "service")


class Item(BaseModel):
    name: str


def app() -> FastAPI:
    routes = APIRouter()

    @routes.get("/who")
    async def who(caller: CallerDep) -> str:
        return caller.person

    @routes.put("/item")
    async def item(body: Item, version: IfMatch = None) -> int | None:
        return version

    @routes.get("/figure/{id}")
    async def figure(id: str) -> str:
        return id

    @routes.get("/conflict")
    async def conflict() -> None:
        raise Conflict("Changed.", difference={"name": {"yours": "a", "theirs": "b"}})

    @routes.get("/down")
    async def down() -> None:
        raise Unavailable("documents")

    @routes.get("/broken")
    async def broken() -> None:
        raise RuntimeError("the patient's legend")

    @routes.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(60)

    return door("service", routes, signer=SIGNER)


async def ask(method: str, path: str, **more: object) -> httpx.Response:
    hop = Hop("service", app=app())
    try:
        return await hop.request(method, path, **{"token": token(), **more})  # type: ignore[arg-type]
    finally:
        await hop.close()


async def test_a_token_says_who_asks() -> None:
    assert (await ask("GET", "/who")).json() == "ada"


@pytest.mark.parametrize("bad", ["", "nonsense", SIGNER.token(Caller("ada"), "another-service")])
async def test_without_a_good_token_nobody_is_there(bad: str) -> None:
    answer = await ask("GET", "/who", token=bad)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_conflict_carries_the_difference() -> None:
    answer = await ask("GET", "/conflict")
    assert answer.status_code == 409
    assert answer.json()["difference"] == {"name": {"yours": "a", "theirs": "b"}}
    assert answer.json()["remedy"]


async def test_down_is_never_absent() -> None:
    answer = await ask("GET", "/down")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_an_unexpected_error_is_a_problem_and_its_message_stays_here() -> None:
    with structlog.testing.capture_logs() as lines:
        answer = await ask("GET", "/broken")
    assert (answer.status_code, answer.json()["title"]) == (500, "Unexpected error")
    assert "legend" not in answer.text
    assert [line["event"] for line in lines] == ["unexpected error"]


async def test_what_does_not_exist_is_a_problem_too() -> None:
    answer = await ask("GET", "/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_bad_body_says_which_field() -> None:
    answer = await ask("PUT", "/item", json={"nam": "x"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "body.name", "message": "Field required"}]


async def test_a_body_above_the_bound_is_refused() -> None:
    answer = await ask("PUT", "/item", content=b" " * (MAX_JSON_BYTES + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize(("header", "version"), [('"3"', 3), ('W/"3"', 3), ("*", None), (None, None), (etag(12), 12)])
async def test_if_match_is_the_version_seen(header: str | None, version: int | None) -> None:
    headers = {"If-Match": header} if header else {}
    assert (await ask("PUT", "/item", json={"name": "x"}, headers=headers)).json() == version


@pytest.mark.parametrize("header", ['"x"', "", '"1", "2"', '"' + "9" * 30 + '"', '"-1"', '"²"'])
async def test_a_foreign_if_match_is_refused(header: str) -> None:
    answer = await ask("PUT", "/item", json={"name": "x"}, headers={"If-Match": header})
    assert answer.status_code == 422


async def test_a_service_that_does_not_answer_in_time_is_given_up() -> None:
    with pytest.raises(DeadlineExceeded):
        await ask("GET", "/slow", seconds=0.05)


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    hop = Hop("service", url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await hop.request("GET", "/", token="x")
    await hop.close()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TooLarge("x"), 413),
        (Unsupported("x"), 415),
        (Invalid("x"), 422),
        (NotFound("x"), 404),
        (Erased("x"), 410),
        (Duplicate("x"), 409),
        (Conflict("x"), 409),
        (Unauthenticated("x"), 401),
        (Forbidden("x"), 403),
        (Unavailable("x"), 503),
        (DeadlineExceeded("x"), 504),
        (MitaggerError("x"), 500),
    ],
)
def test_every_error_has_its_status(error: MitaggerError, status: int) -> None:
    assert status_of(error) == status


async def test_requests_show_in_metrics_by_the_template_of_their_route() -> None:
    risen = Risen()
    await ask("GET", "/figure/of-a-patient")
    await ask("GET", "/figure/of-another")
    await ask("GET", "/broken")
    await ask("GET", "/nowhere/of-a-patient")
    await ask("BREW", "/figure/of-a-patient")
    counted = "mitagger_http_requests_total"
    assert risen(counted, service="service", route="/figure/{id}", method="GET", status="200") == 2
    assert risen(counted, service="service", route="/broken", method="GET", status="500") == 1
    assert risen(counted, service="service", route="", method="GET", status="404") == 1
    assert risen(counted, service="service", route="/figure/{id}", method="other", status="405") == 1
    assert risen("mitagger_http_request_seconds_count", service="service", route="/figure/{id}", method="GET") == 2
    assert risen("mitagger_hop_requests_total", service="service", outcome="2xx") == 2
    assert risen("mitagger_hop_requests_total", service="service", outcome="5xx") == 1
    assert "of-a-patient" not in generate_latest(REGISTRY).decode()


async def test_requests_that_fail_on_their_way_show_in_metrics() -> None:
    risen = Risen()
    with pytest.raises(DeadlineExceeded):
        await ask("GET", "/slow", seconds=0.05)
    hop = Hop("service", url="http://127.0.0.1:9")
    with pytest.raises(Unavailable):
        await hop.request("GET", "/", token="x")
    await hop.close()
    for outcome in ("deadline", "unreachable"):
        assert risen("mitagger_hop_requests_total", service="service", outcome=outcome) == 1
