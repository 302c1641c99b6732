"""Signing in, accounts, keys."""

import asyncio

import pytest
from pwdlib import PasswordHash

from services.gateway.identity import Identity
from services.gateway.model import Account, Session
from services.gateway.secret import fingerprint
from shared.clock import now
from tests.unit.services.gateway.conftest import Installation

ADA = {"name": "Ada", "password": "four unrelated words", "roles": ["annotator"]}


async def test_first_start_creates_one_administrator_whose_password_is_stored_nowhere(
    installation: Installation,
) -> None:
    assert await Identity(installation.engine.documents).first_sign_in() is None
    (account,) = (await installation.engine.documents.collection(Account).find()).items
    assert account.name == "administrator"
    assert installation.password not in account.model_dump_json()
    assert account.password_hash.startswith("$argon2id$")


def test_a_stolen_hash_is_expensive_to_guess(slow_hasher: PasswordHash) -> None:
    assert slow_hasher.hash(ADA["password"]).startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # type: ignore[arg-type]


async def test_session_cookie_is_http_only_strict_and_hashed_at_rest(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        cookie = browser.cookies["mitagger_session"]
        sessions = (await installation.engine.documents.collection(Session).find()).items
        assert [session.id for session in sessions] == [fingerprint(cookie)]
        answer = await browser.post(
            "/api/v1/session", json={"name": "administrator", "password": installation.password}
        )
        flags = answer.headers["set-cookie"].lower()
        assert "httponly" in flags
        assert "samesite=strict" in flags


async def test_signed_in_person_is_shown_and_sign_out_ends_the_session_at_once(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        cookie = browser.cookies["mitagger_session"]
        session = (await browser.get("/api/v1/session")).json()
        assert (session["name"], session["roles"]) == ("administrator", ["administrator"])
        assert (await browser.delete("/api/v1/session")).status_code == 204
    async with installation.browser(Cookie=f"mitagger_session={cookie}") as stolen:
        assert (await stolen.get("/api/v1/session")).status_code == 401


async def test_expired_session_is_refused_and_swept(installation: Installation) -> None:
    sessions = installation.engine.documents.collection(Session)
    async with installation.signed_in() as browser:
        id = fingerprint(browser.cookies["mitagger_session"])
        await sessions.update(id, lambda session: (session.changed(expires_at=now()), ()))
        assert (await browser.get("/api/v1/session")).status_code == 401
        assert (await sessions.find()).items == []
    async with installation.signed_in() as browser:
        id = fingerprint(browser.cookies["mitagger_session"])
        await sessions.update(id, lambda session: (session.changed(expires_at=now()), ()))
        await Identity(installation.engine.documents).sweep()
        assert (await sessions.find()).items == []


@pytest.mark.parametrize("name", ["administrator", "nobody of this name"])
async def test_wrong_password_and_unknown_name_get_the_same_answer(installation: Installation, name: str) -> None:
    async with installation.browser() as browser:
        answer = await browser.post("/api/v1/session", json={"name": name, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Name or password is wrong."


async def test_guessing_is_slowed_down_for_that_name_alone(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as browser:
        await administrator.post("/api/v1/accounts", json=ADA)
        wrong = {"name": "ada", "password": "wrong"}
        answers = await asyncio.gather(*(browser.post("/api/v1/session", json=wrong) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 3
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        good = {"name": "administrator", "password": installation.password}
        assert (await browser.post("/api/v1/session", json=good)).status_code == 201


async def test_names_that_look_the_same_are_one_account(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        assert (await browser.post("/api/v1/accounts", json=ADA)).status_code == 201
        again = await browser.post("/api/v1/accounts", json={**ADA, "name": " ADA "})
        assert again.status_code == 409
        async with installation.signed_in("aDa", ADA["password"]) as ada:  # type: ignore[arg-type]
            assert (await ada.get("/api/v1/session")).json()["name"] == "Ada"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"password": "short"}, "password"), ({"name": "a\u202eb"}, "name"), ({"name": "   "}, "name")],
)
async def test_bad_accounts_are_refused_with_the_field(
    installation: Installation, change: dict[str, str], field: str
) -> None:
    async with installation.signed_in() as browser:
        answer = await browser.post("/api/v1/accounts", json={**ADA, **change})
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert answer.json()["remedy"]


async def test_only_administrators_see_names(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        await administrator.post("/api/v1/accounts", json=ADA)
        names = [account["name"] for account in (await administrator.get("/api/v1/accounts")).json()["items"]]
        assert names == ["Ada", "administrator"]
    async with installation.signed_in("Ada", "four unrelated words") as ada:
        for path in ("/api/v1/accounts", "/api/v1/audit", "/api/v1/status", "/api/v1/dead-letters", "/api/v1/events"):
            assert (await ada.get(path)).status_code == 403, path


async def test_api_key_works_until_it_is_deleted_and_is_shown_once(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        created = (await administrator.post("/api/v1/keys", json={"name": "PACS"})).json()
        listed = (await administrator.get("/api/v1/keys")).json()["items"]
        assert [(key["id"], key["name"], "key" in key) for key in listed] == [(created["id"], "PACS", False)]
        async with installation.browser(Authorization=f"Bearer {created['key']}") as system:
            assert (await system.get("/api/v1/session")).json()["roles"] == ["service"]
            assert (await system.get("/api/v1/figures")).json()["person"] == created["id"]
            assert (await administrator.delete(f"/api/v1/keys/{created['id']}")).status_code == 204
            assert (await system.get("/api/v1/session")).status_code == 401
            assert (await administrator.delete(f"/api/v1/keys/{created['id']}")).status_code == 410


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", "Bearer mitagger_" + "0" * 32 + "_wrong", "Bearer mitagger__", ""],
)
async def test_wrong_keys_are_refused(installation: Installation, header: str) -> None:
    async with installation.browser(Authorization=header) as browser:
        answer = await browser.get("/api/v1/session")
    assert answer.status_code == 401
    assert answer.json()["remedy"]


async def test_key_with_another_keys_secret_is_refused(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        one, other = [(await administrator.post("/api/v1/keys", json={"name": name})).json() for name in "ab"]
    secret = other["key"].split("_", 2)[2]
    async with installation.browser(Authorization=f"Bearer mitagger_{one['id']}_{secret}") as mixed:
        assert (await mixed.get("/api/v1/session")).status_code == 401


async def test_local_key_of_the_process_has_an_administrators_rights(installation: Installation) -> None:
    async with installation.browser(Authorization="Bearer local") as browser:
        assert (await browser.get("/api/v1/session")).json()["roles"] == ["administrator"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://mitagger.test"}, 201),
        ({"Origin": "http://mitagger.test"}, 201),
        ({}, 201),
    ],
)
async def test_another_site_cannot_use_the_session(
    installation: Installation, headers: dict[str, str], status: int
) -> None:
    async with installation.signed_in() as browser:
        answer = await browser.post("/api/v1/keys", json={"name": "k"}, headers=headers)
        assert answer.status_code == status
        # Reading is harmless: the answer stays with the browser.
        assert (await browser.get("/api/v1/keys", headers=headers)).status_code == 200


async def test_another_site_cannot_sign_somebody_in(installation: Installation) -> None:
    body = {"name": "administrator", "password": installation.password}
    async with installation.browser(**{"Sec-Fetch-Site": "cross-site"}) as browser:
        assert (await browser.post("/api/v1/session", json=body)).status_code == 403
