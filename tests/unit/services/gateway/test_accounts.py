"""People: invited, signed in and out, disabled, deleted; and nobody is let in who should not be."""

import asyncio
import time
from datetime import timedelta

import httpx
import pytest

from services.gateway.accounts import Accounts
from services.gateway.model import Account, Administrators, Session
from services.gateway.passwords import Passwords
from services.gateway.secret import link_parts
from services.gateway.service import build
from services.gateway.throttle import FREE_OF_AN_ADDRESS, Throttle, network_of
from shared.clock import now
from shared.errors import Conflict
from shared.http import Hop
from shared.settings import Settings
from tests.unit.services.gateway.conftest import Installation, echo

PASSWORD = "four quite unrelated words"
OTHER = "some entirely different sentence"


async def invited(administrator: httpx.AsyncClient, name: str = "Ada", **more: object) -> dict[str, str]:
    answer = await administrator.post("/api/v1/invitations", json={"name": name, "roles": ["annotator"], **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, str] = answer.json()
    return found


async def joined(browser: httpx.AsyncClient, link: str, password: str = PASSWORD) -> httpx.Response:
    return await browser.post("/api/v1/join", json={"link": link, "password": password})


async def states(administrator: httpx.AsyncClient) -> dict[str, str]:
    return {one["name"]: one["state"] for one in (await administrator.get("/api/v1/accounts")).json()["items"]}


async def test_who_is_invited_sets_the_password_once_and_is_signed_in(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        invitation = await invited(administrator)
        assert invitation["path"] == f"/join#{invitation['link']}"
        assert (await states(administrator))["Ada"] == "invited"
        shown = (await ada.post("/api/v1/join/link", json={"link": invitation["link"]})).json()
        assert (shown["name"], shown["roles"], shown["invited"]) == ("Ada", ["annotator"], True)
        answers = await asyncio.gather(*(joined(ada, invitation["link"]) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [201, 401]
        assert (await joined(ada, invitation["link"], OTHER)).status_code == 401
        assert (await states(administrator))["Ada"] == "active"
    (account,) = (await installation.engine.documents.collection(Account).find({"name_key": "ada"})).items
    link = link_parts(invitation["link"])
    assert link
    assert link[1] not in account.model_dump_json()
    async with installation.signed_in("Ada", PASSWORD) as ada:
        assert (await ada.get("/api/v1/session")).json()["roles"] == ["annotator"]


async def test_links_end_by_time_by_a_newer_one_and_with_the_account(installation: Installation) -> None:
    accounts = installation.engine.documents.collection(Account)
    async with installation.signed_in() as administrator, installation.browser() as ada:
        first = await invited(administrator)
        second = (await administrator.post(f"/api/v1/accounts/{first['person']}/link", json={})).json()
        assert (await joined(ada, first["link"])).status_code == 401
        stored = await accounts.get(first["person"])
        assert stored.link is not None
        expired = stored.link.model_copy(update={"expires_at": now() - timedelta(seconds=1)})
        await accounts.update(stored.id, lambda account: (account.changed(link=expired), ()))
        assert (await joined(ada, second["link"])).status_code == 401
        third = (await administrator.post(f"/api/v1/accounts/{first['person']}/link", json={})).json()
        await administrator.patch(f"/api/v1/accounts/{first['person']}", json={"disabled": True})
        assert (await joined(ada, third["link"])).status_code == 401
        assert (await administrator.post(f"/api/v1/accounts/{first['person']}/link", json={})).status_code == 409
        await administrator.patch(f"/api/v1/accounts/{first['person']}", json={"disabled": False})
        assert (await joined(ada, third["link"])).status_code == 401
        for nonsense in ("x", "_", "0" * 32 + "_", "0" * 32 + "_secret"):
            assert (await joined(ada, nonsense)).status_code == 401, nonsense


@pytest.mark.parametrize("password", ["short", "password12345", "AdaLovelace1", "aaaaaaaaaaaaaaaa", "mitagger2026"])
async def test_passwords_that_are_easy_to_guess_are_refused_and_the_link_stays(
    installation: Installation, password: str
) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        link = (await invited(administrator, "Ada Lovelace"))["link"]
        answer = await joined(ada, link, password)
        assert (answer.status_code, answer.json()["field"]) == (422, "password")
        assert answer.json()["remedy"]
        assert (await joined(ada, link)).status_code == 201


async def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(installation: Installation) -> None:
    async with installation.signed_in() as one, installation.signed_in() as other:
        before = one.cookies["mitagger_session"]
        wrong = await one.put("/api/v1/session/password", json={"old": "wrong", "password": OTHER})
        assert wrong.status_code == 401
        weak = await one.put("/api/v1/session/password", json={"old": installation.password, "password": "password123"})
        assert weak.status_code == 422
        change = {"old": installation.password, "password": OTHER}
        assert (await one.put("/api/v1/session/password", json=change)).status_code == 200
        assert one.cookies["mitagger_session"] != before
        assert (await one.get("/api/v1/session")).status_code == 200
        assert (await other.get("/api/v1/session")).status_code == 401
    async with installation.browser() as browser:
        old = {"name": "administrator", "password": installation.password}
        assert (await browser.post("/api/v1/session", json=old)).status_code == 401
    async with installation.signed_in(password=OTHER):
        pass


async def test_guessing_the_old_password_at_an_open_session_is_slowed_down(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        wrong = {"old": "wrong", "password": OTHER}
        answers = await asyncio.gather(*(browser.put("/api/v1/session/password", json=wrong) for _ in range(7)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 2


async def test_sessions_are_listed_and_ended_one_by_one_or_all(installation: Installation) -> None:
    async with installation.signed_in() as one, installation.signed_in() as two, installation.signed_in() as three:
        listed = (await one.get("/api/v1/sessions")).json()["items"]
        assert [session["current"] for session in listed].count(True) == 1
        assert len(listed) == 3
        (mine,) = [
            session["id"] for session in (await two.get("/api/v1/sessions")).json()["items"] if session["current"]
        ]
        assert (await one.delete(f"/api/v1/sessions/{mine}")).status_code == 204
        assert (await two.get("/api/v1/session")).status_code == 401
        assert (await one.delete("/api/v1/sessions")).status_code == 204
        assert (await three.get("/api/v1/session")).status_code == 401
        invitation = await invited(ada_by := await again(installation))
        await joined(one, invitation["link"])
        (foreign,) = [session["id"] for session in (await ada_by.get("/api/v1/sessions")).json()["items"]]
        assert (await one.delete(f"/api/v1/sessions/{foreign}")).status_code == 404
        await ada_by.aclose()


async def again(installation: Installation) -> httpx.AsyncClient:
    browser = installation.browser()
    body = {"name": "administrator", "password": installation.password}
    assert (await browser.post("/api/v1/session", json=body)).status_code == 201
    return browser


async def test_signing_in_again_ends_the_session_of_the_same_browser(installation: Installation) -> None:
    async with installation.signed_in() as browser:
        before = browser.cookies["mitagger_session"]
        await browser.post("/api/v1/session", json={"name": "administrator", "password": installation.password})
        assert browser.cookies["mitagger_session"] != before
    async with installation.browser(Cookie=f"mitagger_session={before}") as fixed:
        assert (await fixed.get("/api/v1/session")).status_code == 401


async def test_disabled_person_is_out_at_once_and_comes_back_with_the_same_password(
    installation: Installation,
) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        person = (invitation := await invited(administrator))["person"]
        await joined(ada, invitation["link"])
        changed = (await administrator.patch(f"/api/v1/accounts/{person}", json={"disabled": True})).json()
        assert changed["state"] == "disabled"
        assert (await ada.get("/api/v1/session")).status_code == 401
        sign_in = {"name": "Ada", "password": PASSWORD}
        assert (await ada.post("/api/v1/session", json=sign_in)).status_code == 401
        await administrator.patch(f"/api/v1/accounts/{person}", json={"disabled": False})
        assert (await ada.post("/api/v1/session", json=sign_in)).status_code == 201


async def test_deleted_account_leaves_nothing_but_its_pseudonym(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        person = (invitation := await invited(administrator))["person"]
        await joined(ada, invitation["link"])
        key = (await ada.post("/api/v1/keys/personal", json={"name": "Ada's notebook"})).json()
        assert (await administrator.delete(f"/api/v1/accounts/{person}")).status_code == 204
        assert (await ada.get("/api/v1/session")).status_code == 401
        async with installation.browser(Authorization=f"Bearer {key['key']}") as script:
            assert (await script.get("/api/v1/session")).status_code == 401
        assert list(await states(administrator)) == ["administrator"]
        assert (await administrator.get("/api/v1/keys")).json()["items"] == []
        assert (await installation.engine.documents.collection(Session).find({"account": person})).items == []
        assert (await administrator.delete(f"/api/v1/accounts/{person}")).status_code == 410
        assert (await invited(administrator))["person"] != person  # the name is free again


async def test_last_administrator_cannot_be_disabled_deleted_or_demoted(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        me = (await administrator.get("/api/v1/session")).json()["person"]
        # Who is invited cannot sign in yet, and so does not count.
        await invited(administrator, "Grace", roles=["administrator"])
        for answer in (
            await administrator.patch(f"/api/v1/accounts/{me}", json={"disabled": True}),
            await administrator.patch(f"/api/v1/accounts/{me}", json={"roles": ["annotator"]}),
            await administrator.delete(f"/api/v1/accounts/{me}"),
        ):
            assert answer.status_code == 409
            assert "last administrator" in answer.json()["detail"]


async def test_two_administrators_who_demote_each_other_at_once_leave_one(installation: Installation) -> None:
    accounts = Accounts(installation.engine.documents, Passwords())
    async with installation.signed_in() as administrator:
        me = (await administrator.get("/api/v1/session")).json()["person"]
    other = (await accounts.create("Grace", PASSWORD, ["administrator"])).id
    done = await asyncio.gather(
        *(accounts.change(one, roles=["annotator"]) for one in (me, other)), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in done) == 1
    administrators = [one.id for one in (await accounts.page(None, 10)).items if one.administers]
    assert len(administrators) == 1
    kept = await installation.engine.documents.collection(Administrators).get("administrators")
    assert list(kept.people) == administrators


async def test_administrators_of_an_older_store_are_counted_at_the_start(installation: Installation) -> None:
    people = installation.engine.documents.collection(Administrators)
    before = await people.get("administrators")
    await people.update("administrators", lambda them: (them.changed(people=()), ()))
    accounts = Accounts(installation.engine.documents, Passwords())
    for _ in range(2):
        await accounts.prepare()
    assert (await people.get("administrators")).people == before.people


async def test_an_address_that_guesses_many_names_has_to_wait_and_believes_no_header(
    installation: Installation,
) -> None:
    async with installation.browser() as browser:

        async def guess(number: int) -> int:
            headers = {"X-Forwarded-For": f"10.0.0.{number}"}
            body = {"name": f"name {number}", "password": "wrong"}
            return (await browser.post("/api/v1/session", json=body, headers=headers)).status_code

        for _ in range(FREE_OF_AN_ADDRESS - 1):
            installation.gateway.identity.addresses.failed("127.0.0.1", time.monotonic())
        answers = await asyncio.gather(*(guess(number) for number in range(3)))
    assert sorted(answers) == [401, 429, 429]


@pytest.mark.parametrize(("trusted", "secure"), [((), False), (("127.0.0.0/8",), True), (("10.0.0.0/8",), False)])
async def test_only_trusted_proxies_say_who_asks_and_how(
    installation: Installation, trusted: tuple[str, ...], secure: bool
) -> None:
    engine = installation.engine
    hops = {name: Hop(name, app=echo(name, engine).app) for name in ("ingest", "recommender", "annotation", "export")}
    app = build(engine, hops, upload_bytes=1, trusted_proxies=trusted).app
    assert app is not None
    body = {"name": "administrator", "password": installation.password}
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://mitagger.test", headers=headers) as browser:
        answer = await browser.post("/api/v1/session", json=body)
    assert ("; secure" in answer.headers["set-cookie"].lower()) is secure


@pytest.mark.parametrize("proxies", [["not an address"], ["0.0.0.0/0"], ["::/0"], ["10.0.0.1/8"]])
def test_settings_name_proxies_and_not_everybody(proxies: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    monkeypatch.setenv("MITAGGER_TRUSTED_PROXIES", json.dumps(proxies))
    with pytest.raises(ValueError, match="trusted_proxies"):
        Settings()


def test_addresses_of_one_network_count_together() -> None:
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert len(network_of("x" * 5000)) <= 100


def test_success_forgives_one_failure_of_an_address_and_no_more() -> None:
    throttle = Throttle(2)
    for _ in range(3):
        throttle.failed("one", 0.0)
    throttle.forgiven("one")
    assert throttle.seconds("one", 0.0) == 1.0
    throttle.forgiven("one")
    assert throttle.seconds("one", 0.0) == 0.0
