"""Sign-in by OpenID Connect, against Authlib's own authorization server with PKCE."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import flask
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from services.gateway import provider as adapter
from services.gateway.api.oidc import own_page
from services.gateway.model import MODELS, Account, AuditEntry
from services.gateway.oidc import Attempt, Terms, roles_of
from services.gateway.provider import HttpProvider, allowed
from services.gateway.service import build
from shared.access import DEFAULT_PROJECT
from shared.engine import Engine
from shared.errors import Invalid, Unavailable
from shared.http import Hop
from shared.settings import Settings
from tests.support.embedded import embedded
from tests.support.openid import CLIENT, SECRET, OpenId, new_key, provided
from tests.unit.services.gateway.conftest import UPLOAD_BYTES, Installation, echo

START: Final = "/api/v1/session/oidc"
CALLBACK: Final = "/api/v1/session/oidc/callback"
COOKIE: Final = "mitagger_oidc"
ATTEMPT: Final = Attempt("state", "nonce", "v" * 64, "http://mitagger.test/callback", "/")


def terms(issuer: str) -> Terms:
    return Terms(
        name="Hospital",
        issuer=issuer,
        client=CLIENT,
        secret=SECRET,
        scopes=("openid", "profile"),
        roles_claim="groups",
        roles={"annotators": ("annotator",), "heads": ("administrator", "reviewer")},
        name_claim="name",
        creates=True,
    )


@dataclass
class House(Installation):
    """A gateway whose people sign in at `openid`."""

    openid: OpenId

    async def sent(self, browser: httpx.AsyncClient, page: str = "/work") -> dict[str, str]:
        """Goes to the provider, which consents, and returns what it sends back by the browser."""
        answer = await browser.get(START, params={"page": page})
        assert answer.status_code == 303, answer.text
        async with httpx.AsyncClient(trust_env=False) as web:
            back = await web.get(answer.headers["location"])
        assert back.status_code == 302, back.text
        return {name: value for name, (value,) in parse_qs(urlsplit(back.headers["location"]).query).items()}

    async def came_back(self, browser: httpx.AsyncClient) -> httpx.Response:
        return await browser.get(CALLBACK, params=await self.sent(browser))

    async def accounts(self) -> dict[str, Account]:
        return {one.name: one for one in (await self.engine.documents.collection(Account).find()).items}

    async def record(self) -> list[AuditEntry]:
        found = (await self.engine.documents.collection(AuditEntry).find(sort=("at",))).items
        return [entry for entry in found if entry.action == "account.oidc"]


@asynccontextmanager
async def opened(engine: Engine, openid: OpenId, **changed: Any) -> AsyncIterator[House]:
    hops = {name: Hop(name, app=echo(name, engine).app) for name in ("ingest", "recommender", "annotation", "export")}
    asked = replace(terms(openid.issuer), **changed)
    gateway = build(engine, hops, upload_bytes=UPLOAD_BYTES, oidc=asked)
    await gateway.start()
    yield House(gateway, engine, gateway.first_sign_in.password if gateway.first_sign_in else "", openid)
    await gateway.stop()


@pytest.fixture
def openid(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenId]:
    with provided(monkeypatch) as serving:
        yield serving


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with embedded(tmp_path, MODELS) as found:
        yield found


@pytest.fixture
async def house(engine: Engine, openid: OpenId) -> AsyncIterator[House]:
    async with opened(engine, openid) as found:
        yield found


async def test_person_of_a_group_gets_an_account_with_its_roles_and_a_session(house: House) -> None:
    async with house.browser() as browser:
        assert (await browser.get("/api/v1/session/methods")).json() == {"oidc": "Hospital"}
        answer = await house.came_back(browser)
        assert (answer.status_code, answer.headers["location"]) == (303, "/work")
        cookies = answer.headers.get_list("set-cookie")
        assert any("mitagger_session=" in one and "HttpOnly" in one and "SameSite=strict" in one for one in cookies)
        session = (await browser.get("/api/v1/session")).json()
        assert (session["name"], session["roles"]) == ("Ada", ["annotator"])
        assert COOKIE not in browser.cookies
    account = (await house.accounts())["Ada"]
    assert (account.issuer, account.subject, account.password_hash) == (house.openid.issuer, "ada-1", "")
    (entry,) = await house.record()
    assert (entry.target, entry.outcome, entry.detail) == (account.id, "done", {"roles": "annotator"})


async def test_the_same_person_is_one_account_with_the_roles_of_today(house: House) -> None:
    async with house.browser() as browser:
        await house.came_back(browser)
        house.openid.person = {"sub": "ada-1", "name": "Ada Lovelace", "groups": ["annotators", "heads", "others"]}
        await house.came_back(browser)
        await house.came_back(browser)
        assert (await browser.get("/api/v1/session")).json()["roles"] == ["administrator", "annotator", "reviewer"]
    assert sorted(await house.accounts()) == ["Ada", "administrator"]
    assert [entry.detail["roles"] for entry in await house.record()] == [
        "annotator",
        "administrator,annotator,reviewer",
    ]


async def test_who_lost_every_group_is_told_so_and_is_out_everywhere(house: House) -> None:
    async with house.browser() as before, house.browser() as browser:
        await house.came_back(before)
        house.openid.person = {**house.openid.person, "groups": ["cleaners", 7, None]}
        answer = await house.came_back(browser)
        assert answer.status_code == 403
        assert "none of your groups there has a role" in answer.text
        assert (await browser.get("/api/v1/session")).status_code == 401
        assert (await before.get("/api/v1/session")).status_code == 401
    assert (await house.accounts())["Ada"].roles[DEFAULT_PROJECT] == ()
    assert (await house.record())[-1].outcome == "refused"


async def test_disabled_person_stays_out(house: House) -> None:
    async with house.browser() as browser:
        await house.came_back(browser)
        await house.gateway.identity.accounts.change((await house.accounts())["Ada"].id, disabled=True)
        answer = await house.came_back(browser)
        assert (answer.status_code, "disabled" in answer.text) == (403, True)
        assert (await browser.get("/api/v1/session")).status_code == 401


async def test_name_of_somebody_else_opens_no_account_of_theirs(house: House) -> None:
    house.openid.person = {"sub": "x", "name": "Administrator", "groups": ["annotators"]}
    async with house.browser() as browser:
        await house.came_back(browser)
        assert (await browser.get("/api/v1/session")).json()["roles"] == ["annotator"]
    assert sorted(await house.accounts()) == ["Administrator 2", "administrator"]


async def test_the_last_administrator_is_not_demoted_by_claims(house: House) -> None:
    async with house.signed_in() as root, house.browser() as browser:
        house.openid.person = {"sub": "h", "name": "Head", "groups": ["heads"]}
        await house.came_back(browser)
        first = (await house.accounts())["administrator"].id
        assert (await root.patch(f"/api/v1/accounts/{first}", json={"disabled": True})).status_code == 200
        house.openid.person = {"sub": "h", "name": "Head", "groups": ["annotators"]}
        answer = await house.came_back(browser)
        assert (answer.status_code, "last administrator" in answer.text) == (409, True)


async def test_unknown_people_stay_out_where_none_are_created(engine: Engine, openid: OpenId) -> None:
    async with opened(engine, openid, creates=False) as house, house.browser() as browser:
        answer = await house.came_back(browser)
        assert (answer.status_code, "no account here yet" in answer.text) == (403, True)
        assert sorted(await house.accounts()) == ["administrator"]


async def test_administrator_connects_an_account_to_a_person_of_the_provider(engine: Engine, openid: OpenId) -> None:
    async with opened(engine, openid, creates=False) as house, house.signed_in() as root, house.browser() as browser:
        invited = (await root.post("/api/v1/invitations", json={"name": "A. L.", "roles": ["annotator"]})).json()
        connected = await root.patch(f"/api/v1/accounts/{invited['person']}", json={"subject": "ada-1"})
        assert (connected.json()["subject"], connected.json()["state"]) == ("ada-1", "active")
        assert (await house.came_back(browser)).status_code == 303
        assert (await browser.get("/api/v1/session")).json()["name"] == "A. L."
        another = (await root.post("/api/v1/invitations", json={"name": "B", "roles": ["annotator"]})).json()
        taken = await root.patch(f"/api/v1/accounts/{another['person']}", json={"subject": "ada-1"})
        assert (taken.status_code, "connected to another account" in taken.text) == (409, True)
        parted = await root.patch(f"/api/v1/accounts/{invited['person']}", json={"subject": ""})
        assert parted.json()["subject"] is None
        assert (await browser.get("/api/v1/session")).status_code == 401
        assert (await house.came_back(browser)).status_code == 403


async def test_two_gateways_share_one_sign_in_and_take_its_answer_once(engine: Engine, openid: OpenId) -> None:
    openid.reusable = True
    async with opened(engine, openid) as one, opened(engine, openid) as other, one.browser() as browser:
        answer = await one.sent(browser)
        slip = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        async with other.browser(**slip) as there, one.browser(**slip) as here:
            both = await asyncio.gather(there.get(CALLBACK, params=answer), here.get(CALLBACK, params=answer))
            assert sorted(each.status_code for each in both) == [303, 401]
            assert (await there.get(CALLBACK, params=answer)).status_code == 401
    assert sorted(await one.accounts()) == ["Ada", "administrator"]


async def test_code_that_was_used_is_refused_by_the_provider_and_said_so(house: House) -> None:
    async with house.browser() as browser:
        first = await house.sent(browser)
        slip = browser.cookies[COOKIE]
        assert (await browser.get(CALLBACK, params=first)).status_code == 303
    async with house.browser(Cookie=f"{COOKIE}={slip}") as again:
        assert (await again.get(CALLBACK, params=first)).status_code == 401
        assert (await again.get("/api/v1/session")).status_code == 401


async def test_wrong_verifier_fails_at_the_provider(house: House) -> None:
    async with house.browser() as browser:
        answer = await house.sent(browser)
        attempt = house.engine.signer.attempted(browser.cookies[COOKIE])
        slip = house.engine.signer.attempt({**attempt, "verifier": "v" * 64})
        browser.cookies.clear()
        refused = await browser.get(CALLBACK, params=answer, headers={"Cookie": f"{COOKIE}={slip}"})
        assert (refused.status_code, "(token)" in refused.text) == (401, True)
    assert sorted(await house.accounts()) == ["administrator"]


async def test_answer_that_is_not_ours_asks_the_provider_nothing(house: House) -> None:
    for forged in ({"state": "other"}, {"state": ""}, {"iss": "https://x.example"}, {"code": ""}, {"error": "denied"}):
        async with house.browser() as browser:
            answer = {**await house.sent(browser), **forged}
            assert (await browser.get(CALLBACK, params=answer)).status_code == 401, forged
    assert house.openid.asked == ["discovery"]


async def test_answer_in_another_browser_or_after_the_attempt_has_expired_is_refused(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.browser() as browser, house.browser() as other:
        answer = await house.sent(browser)
        assert (await other.get(CALLBACK, params=answer)).status_code == 401
        at = time.time()
        monkeypatch.setattr(time, "time", lambda: at + 700)
        refused = await browser.get(CALLBACK, params=answer)
        assert (refused.status_code, "older than 10 minutes" in refused.text) == (401, True)


def _at(seconds: int) -> int:
    return int(time.time()) + seconds


SPOILT: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "nonce": lambda: {"nonce": "another"},
    "audience": lambda: {"aud": "another"},
    "audience of our party": lambda: {"aud": "another", "azp": CLIENT},
    "audiences without party": lambda: {"aud": [CLIENT, "another"]},
    "party": lambda: {"azp": "another"},
    "issuer": lambda: {"iss": "https://other.example"},
    "expired": lambda: {"exp": _at(-90), "iat": _at(-300)},
    "clock ahead": lambda: {"iat": _at(90)},
    "not yet": lambda: {"nbf": _at(90)},
    "old": lambda: {"iat": _at(-700)},
    "time as text": lambda: {"iat": "now"},
    "subject": lambda: {"sub": ["ada-1"]},
    "no subject": lambda: {"sub": ""},
    "long subject": lambda: {"sub": "x" * 256},
    "token hash": lambda: {"at_hash": "another"},
}


async def test_id_token_that_is_not_as_it_must_be_opens_nothing(house: House) -> None:
    for name, spoilt in SPOILT.items():
        house.openid.spoilt = spoilt()
        async with house.browser() as browser:
            assert (await house.came_back(browser)).status_code == 401, name
            assert (await browser.get("/api/v1/session")).status_code == 401, name
    house.openid.spoilt = {}
    house.openid.signing = new_key("first")  # of the name of the key that was published
    async with house.browser() as browser:
        assert (await house.came_back(browser)).status_code == 401, "a key that is not published"
    assert sorted(await house.accounts()) == ["administrator"]


async def test_clocks_may_differ_by_less_than_a_minute(house: House) -> None:
    house.openid.spoilt = {"iat": _at(40), "exp": _at(-40)}
    async with house.browser() as browser:
        assert (await house.came_back(browser)).status_code == 303


async def test_keys_that_changed_are_asked_for_anew(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAUSE_SECONDS", 0.0)
    async with house.browser() as browser:
        assert (await house.came_back(browser)).status_code == 303
        house.openid.signing = new_key("second")
        assert (await house.came_back(browser)).status_code == 303


async def test_groups_that_stand_in_the_userinfo_alone_are_found_there(house: House) -> None:
    house.openid.thin = True
    async with house.browser() as browser:
        assert (await house.came_back(browser)).status_code == 303
        assert (await browser.get("/api/v1/session")).json()["name"] == "Ada"


HOSTILE: Final[dict[str, Callable[[OpenId], flask.Response]]] = {
    "huge": lambda openid: flask.Response((b" " * 65536 for _ in range(1_000_000)), content_type="application/json"),
    "elsewhere": lambda openid: flask.Response(
        "{}", 302, {"Location": openid.issuer.replace("127.0.0.1", "localhost") + "/elsewhere"}
    ),
    "another issuer": lambda openid: flask.jsonify({**openid.document(), "issuer": "https://other.example"}),
    "without TLS": lambda openid: flask.jsonify({**openid.document(), "token_endpoint": "http://other.example/token"}),
    "a file": lambda openid: flask.jsonify({**openid.document(), "jwks_uri": "file:///etc/passwd"}),
    "no addresses": lambda openid: flask.jsonify({"issuer": openid.issuer}),
    "a list": lambda openid: flask.jsonify([1]),
    "no JSON": lambda openid: flask.Response("<html>"),
    "failing": lambda openid: flask.Response("{}", 500),
}


async def test_hostile_discovery_is_a_clear_error(openid: OpenId) -> None:
    for name, hostile in HOSTILE.items():
        openid.discovery = lambda hostile=hostile: hostile(openid)  # type: ignore[misc]
        provider, before = HttpProvider(terms(openid.issuer)), len(openid.asked)
        for _ in range(2):  # not asked again by everybody who tries meanwhile
            with pytest.raises(Unavailable, match="Hospital cannot sign anybody in"):
                await provider.address(ATTEMPT)
        assert len(openid.asked) == before + 1, name


async def test_slow_discovery_ends_in_time(openid: OpenId) -> None:
    stop = threading.Event()

    def dripping() -> Iterator[bytes]:
        while not stop.wait(0.05):
            yield b" "

    openid.discovery = lambda: flask.Response(dripping(), content_type="application/json")
    try:
        with pytest.raises(Unavailable, match=r"within 0\.3 s"):
            await HttpProvider(terms(openid.issuer), seconds=0.3).address(ATTEMPT)
    finally:
        stop.set()


async def test_passwords_still_work_while_the_provider_is_away(engine: Engine, openid: OpenId) -> None:
    away = replace(openid, issuer="http://127.0.0.1:9")
    async with opened(engine, away) as house, house.browser() as browser:
        answer = await browser.get(START)
        assert (answer.status_code, "ConnectError" in answer.text) == (503, True)
        async with house.signed_in():
            pass


async def test_address_that_fails_often_has_to_wait(house: House) -> None:
    async with house.browser() as browser:
        found = {(await browser.get(CALLBACK)).status_code for _ in range(60)}
        assert found == {401, 429}


async def test_without_a_provider_there_is_no_such_door(installation: Installation) -> None:
    async with installation.browser() as browser:
        assert (await browser.get("/api/v1/session/methods")).json() == {"oidc": None}
        assert (await browser.get(START)).status_code == 404
        assert (await browser.get(CALLBACK)).status_code == 404
    async with installation.signed_in() as root:
        person = (await root.get("/api/v1/session")).json()["person"]
        refused = await root.patch(f"/api/v1/accounts/{person}", json={"subject": "x"})
        assert (refused.status_code, refused.json()["field"]) == (422, "subject")


async def test_nobody_is_led_to_another_place(house: House) -> None:
    async with house.browser() as browser:
        for page in ("https://x.example", "//x.example", "/\\x.example", "work", "/nowhere", "/\t"):
            assert (await browser.get(START, params={"page": page})).status_code == 422, page


@given(st.text(alphabet="/\\:@?#.%\t\n aework", max_size=12))
def test_own_page_never_has_a_host(text: str) -> None:
    try:
        page = own_page(text)
    except Invalid:
        return
    parts = urlsplit(page)
    assert (parts.scheme, parts.netloc) == ("", "")


@pytest.mark.parametrize(
    ("claims", "claim", "expected"),
    [
        ({"groups": ["annotators", "heads"]}, "groups", ("administrator", "annotator", "reviewer")),
        ({"groups": "annotators"}, "groups", ("annotator",)),
        ({"groups": {"annotators": 1}}, "groups", ()),
        ({}, "groups", ()),
        ({"realm_access": {"roles": ["annotators"]}}, "realm_access.roles", ("annotator",)),
        ({"https://x.org/roles": ["annotators"]}, "https://x.org/roles", ("annotator",)),
        ({"realm_access": "annotators"}, "realm_access.roles", ()),
    ],
)
def test_roles_come_from_the_table(claims: dict[str, Any], claim: str, expected: tuple[str, ...]) -> None:
    assert roles_of(claims, replace(terms("https://id.example"), roles_claim=claim)) == expected


def test_settings_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    def settings(**given: Any) -> Settings:
        return Settings(data=tmp_path, cache=tmp_path, **given)

    assert Terms.of(settings()) is None
    with pytest.raises(Invalid, match="MITAGGER_OIDC_CLIENT"):
        Terms.of(settings(oidc="https://id.example"))
    with pytest.raises(Invalid, match="MITAGGER_OIDC_ROLES"):
        Terms.of(settings(oidc="https://id.example", oidc_client="x"))
    whole = Terms.of(
        settings(
            oidc="https://id.example/", oidc_client="x", oidc_roles={"a": ["annotator"]}, oidc_secret=SecretStr("s")
        )
    )
    assert whole is not None
    assert (whole.secret, whole.scopes) == ("s", ("openid", "profile"))
    for wrong in ({"oidc": "http://id.example"}, {"oidc": "id"}, {"oidc_roles": {"a": ["king"]}}):
        with pytest.raises(ValidationError):
            settings(**wrong)


def test_addresses_without_tls_are_for_this_machine_alone() -> None:
    assert allowed("https://keys.example/keys", "https://id.example")
    assert allowed("http://127.0.0.1:1/keys", "http://localhost:1")
    assert not allowed("http://127.0.0.1/keys", "https://id.example")
    assert not allowed("https:///keys", "https://id.example")


async def test_document_of_an_older_store_opens(engine: Engine) -> None:
    account = Account(id="a", name="A", name_key="a", password_hash="x", roles={}, created_at="2026-01-01T00:00:00Z")  # type: ignore[arg-type]
    old = json.loads(account.model_dump_json(exclude={"issuer", "subject"}))
    assert Account.model_validate(old).subject is None
