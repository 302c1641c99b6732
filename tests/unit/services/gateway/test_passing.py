"""What the gateway passes on, and what it does not."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.gateway.routes import ROUTES, Route
from shared.http import MAX_JSON_BYTES
from tests.unit.services.gateway.conftest import Installation, installed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One for all, which only ask."""
    async with installed(tmp_path_factory.mktemp("gateway")) as found:
        yield found


async def test_request_arrives_whole_with_who_asks(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        answer = await browser.post(
            "/api/v1/assignments/a%3A1/decisions?x=1&x=%C3%A9",
            content=b'{"kind":"accept"}',
            headers={"If-Match": '"3"'},
        )
        person = (await browser.get("/api/v1/session")).json()["person"]
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"7"'
    assert answer.json() == {
        "service": "annotation",
        "method": "POST",
        "path": "/api/v1/assignments/a:1/decisions",
        "query": [["x", "1"], ["x", "é"]],
        "body": '{"kind":"accept"}',
        "version": 3,
        "person": person,
        "roles": {"default": ["administrator"]},
    }


async def test_a_header_that_is_not_ascii_is_passed_on_as_it_came(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        answer = await browser.get("/api/v1/figures/f1", headers=[(b"If-Match", b'"\xb2"')])
    assert (answer.status_code, answer.json()["field"]) == (422, "If-Match")


async def test_problems_pass_unchanged_and_cookies_of_services_do_not(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        problem = await browser.patch("/api/v1/figures/stale", json={})
        assert problem.status_code == 409
        assert problem.headers["content-type"] == "application/problem+json"
        assert problem.json()["difference"] == {"version": {"yours": 1, "theirs": 2}}
        assert "set-cookie" not in (await browser.get("/api/v1/figures")).headers


async def test_what_is_no_upload_is_read_no_further_than_its_bound(installation: Installation) -> None:
    taken = 0

    async def large() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(3 * MAX_JSON_BYTES // 100_000):
            taken += 100_000
            yield bytes(100_000)

    async with installation.signed_in() as browser:
        answer = await browser.request("GET", "/api/v1/figures", content=large())
    assert answer.status_code == 413
    assert taken <= MAX_JSON_BYTES + 100_000


@pytest.mark.parametrize(
    "route", [one for one in ROUTES if not one.granted], ids=lambda route: f"{route.method} {route.path}"
)
async def test_every_route_reaches_its_service_and_needs_somebody(installation: Installation, route: Route) -> None:
    method, service = route.method, route.service
    named = route.path.replace("{curie}", "GO:0005634").replace("projects/{id}", "projects/default")
    path = re.sub(r"\{\w+\}", "f1", named)
    async with installation.browser() as stranger:
        assert (await stranger.request(method, path)).status_code == 401
    async with installation.browser(Authorization="Bearer local") as browser:
        answer = await browser.request(method, path)
    assert answer.status_code == 200
    if path not in ("/api/v1/search", "/api/v1/quarantine"):  # which say what a status needs
        assert (answer.json()["service"], answer.json()["path"]) == (service, path)


@pytest.mark.parametrize("route", [one for one in ROUTES if one.granted], ids=lambda route: route.path)
async def test_a_grant_in_the_path_is_for_the_service_to_check(installation: Installation, route: Route) -> None:
    path = re.sub(r"\{\w+\}", "f1", route.path)
    async with installation.browser() as stranger:
        answer = await stranger.get(path)
    assert answer.json() == {"service": route.service, "path": path, "token": None}
    assert answer.headers["cache-control"] == "private"


@pytest.mark.parametrize(
    "path",
    [
        "/internal/figures",
        "/internal/republish",
        "/api/v1/figures/..%2F..%2Finternal%2Frepublish",
        "/api/v1/figures/%2e%2e",
        "/api/v1/unknown",
    ],
)
async def test_nothing_else_is_reachable(installation: Installation, path: str) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        for method in ("GET", "POST"):
            answer = await browser.request(method, path)
            assert answer.status_code in (404, 405), (method, answer.text)


async def test_large_body_is_refused_before_it_reaches_anything(installation: Installation) -> None:
    async def endless() -> object:
        for _ in range(100):
            yield b"x" * 100_000

    async with installation.browser(Authorization="Bearer local") as browser:
        for path in ("/api/v1/imports", "/api/v1/session", "/sign-in"):
            answer = await browser.post(path, content=endless())  # type: ignore[arg-type]
            assert answer.status_code == 413, path
            assert answer.json()["remedy"]


async def test_answers_carry_protecting_headers(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        for path in ("/api/v1/figures", "/api/v1/nothing", "/healthz"):
            headers = (await browser.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("body", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '{"name":' * 50_000, "{", "\udcff"])
async def test_json_that_is_nested_beyond_reason_or_broken_is_a_problem_with_a_remedy(
    installation: Installation, body: str
) -> None:
    headers = {"Content-Type": "application/json"}
    async with installation.browser(Authorization="Bearer local") as browser:
        sent = body.encode(errors="surrogateescape")
        answer = await browser.post("/api/v1/keys", content=sent, headers=headers)
        assert answer.status_code in (400, 422)
        assert answer.json()["remedy"]
        assert (await browser.get("/api/v1/session")).status_code == 200
