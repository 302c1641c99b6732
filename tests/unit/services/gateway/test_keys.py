"""API keys of people and of other systems."""

from datetime import timedelta

import httpx
import pytest

from services.gateway.keys import Keys
from services.gateway.model import Key
from shared.clock import now
from tests.unit.services.gateway.conftest import Installation
from tests.unit.services.gateway.test_accounts import PASSWORD, invited, joined


async def test_a_persons_key_is_that_person_with_no_more_than_they_have(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        invitation = await invited(administrator, roles=["annotator", "reviewer"])
        person = invitation["person"]
        await joined(ada, invitation["link"])
        created = (await ada.post("/api/v1/keys/personal", json={"name": "notebook", "roles": ["annotator"]})).json()
        assert (created["owner"], created["projects"], created["roles"]) == (person, ["default"], ["annotator"])
        async with installation.browser(Authorization=f"Bearer {created['key']}") as script:

            async def roles() -> list[str] | int:
                answer = await script.get("/api/v1/session")
                assert answer.status_code != 200 or answer.json()["person"] == person
                return answer.json()["roles"] if answer.status_code == 200 else answer.status_code  # type: ignore[no-any-return]

            assert await roles() == ["annotator"]
            await administrator.patch(f"/api/v1/accounts/{person}", json={"roles": ["reviewer"]})
            assert await roles() == []
            assert (await script.get("/api/v1/keys")).status_code == 403
            await administrator.patch(f"/api/v1/accounts/{person}", json={"roles": ["annotator"]})
            assert await roles() == ["annotator"]
            await administrator.patch(f"/api/v1/accounts/{person}", json={"disabled": True})
            assert await roles() == 401
            await administrator.patch(f"/api/v1/accounts/{person}", json={"disabled": False})
            assert await roles() == ["annotator"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({"roles": ["administrator"]}, "roles"), ({"projects": ["another"]}, "projects"), ({"name": "\u0007"}, "name")],
)
async def test_a_key_beyond_its_owner_is_refused(
    installation: Installation, body: dict[str, object], field: str
) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        await joined(ada, (await invited(administrator))["link"])
        answer = await ada.post("/api/v1/keys/personal", json={"name": "k", **body})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_key_makes_no_keys_of_its_owner_and_changes_no_password(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        key = (await administrator.post("/api/v1/keys/personal", json={"name": "k"})).json()["key"]
    async with installation.browser(Authorization=f"Bearer {key}") as script:
        change = {"old": installation.password, "password": PASSWORD}
        assert (await script.post("/api/v1/keys/personal", json={"name": "more"})).status_code == 403
        assert (await script.put("/api/v1/session/password", json=change)).status_code == 403
        assert (await script.get("/api/v1/sessions")).status_code == 403
        assert (await script.delete("/api/v1/sessions")).status_code == 403


async def test_keys_are_listed_and_deleted_by_owner_and_administrators_alone(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada, installation.browser() as lin:
        await joined(ada, (await invited(administrator, "Ada"))["link"])
        await joined(lin, (await invited(administrator, "Lin"))["link"])
        system = (await administrator.post("/api/v1/keys", json={"name": "PACS"})).json()["id"]
        one, two = [(await ada.post("/api/v1/keys/personal", json={"name": name})).json()["id"] for name in "ab"]

        async def listed(browser: httpx.AsyncClient) -> list[str]:
            return [key["id"] for key in (await browser.get("/api/v1/keys")).json()["items"]]

        assert (await listed(administrator), await listed(ada), await listed(lin)) == (
            [system, one, two],
            [one, two],
            [],
        )
        assert (await lin.delete(f"/api/v1/keys/{one}")).status_code == 404
        assert (await lin.delete(f"/api/v1/keys/{'0' * 32}")).status_code == 404
        assert (await lin.delete(f"/api/v1/keys/{system}")).status_code == 404
        assert (await lin.post("/api/v1/keys", json={"name": "PACS"})).status_code == 403
        assert (await ada.delete(f"/api/v1/keys/{one}")).status_code == 204
        assert (await administrator.delete(f"/api/v1/keys/{two}")).status_code == 204
        assert (await listed(administrator), await listed(ada)) == ([system], [])


async def test_expired_key_is_refused(installation: Installation) -> None:
    keys = installation.engine.documents.collection(Key)
    async with installation.signed_in() as administrator:
        created = (await administrator.post("/api/v1/keys", json={"name": "PACS", "days": 1})).json()
    async with installation.browser(Authorization=f"Bearer {created['key']}") as system:
        assert (await system.get("/api/v1/session")).status_code == 200
        await keys.update(created["id"], lambda key: (key.changed(expires_at=now()), ()))
        answer = await system.get("/api/v1/session")
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]


async def test_last_use_is_noted_at_most_once_a_minute(installation: Installation) -> None:
    documents = installation.engine.documents.collection(Key)
    keys = Keys(installation.engine.documents)
    key, text = await keys.create("PACS", ["service"])
    for _ in range(3):
        await keys.holder(text)
    noted = await documents.get(key.id)
    assert noted.version == 2
    assert noted.last_used_at is not None
    earlier = noted.last_used_at - timedelta(minutes=1)
    await documents.update(key.id, lambda one: (one.changed(last_used_at=earlier), ()))
    await keys.holder(text)
    again = await documents.get(key.id)
    assert again.last_used_at is not None
    assert again.last_used_at > noted.last_used_at
