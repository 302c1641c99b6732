"""What administrators do is recorded, and nothing else of it."""

from pathlib import Path

import pytest

import services.gateway
from services.gateway.audit import Audit
from services.gateway.model import AuditEntry
from services.gateway.origin import SAFE
from services.gateway.routes import ROUTES
from services.gateway.secret import key_parts, link_parts
from tests.unit.services.gateway.conftest import Installation
from tests.unit.services.gateway.test_accounts import PASSWORD, invited, joined


async def test_acts_are_recorded_with_who_what_whom_and_how_they_ended(installation: Installation) -> None:
    async with installation.signed_in() as administrator, installation.browser() as ada:
        me = (await administrator.get("/api/v1/session")).json()["person"]
        invitation = await invited(administrator)
        await joined(ada, invitation["link"])
        await administrator.delete(f"/api/v1/accounts/{me}")  # refused: the last one
        key = (await administrator.post("/api/v1/keys", json={"name": "PACS"})).json()
        await administrator.delete("/api/v1/figures/f1")
        await administrator.patch("/api/v1/figures/stale", json={"legend": "Secret legend."})
        await administrator.post("/api/v1/assignments/move", json={"of": me, "apply": True})
        # Not administration: a read, a preview, a refusal of somebody else, daily work.
        await administrator.post("/api/v1/assignments/move", json={"of": me})
        await administrator.get("/api/v1/figures/f1")
        await administrator.post("/api/v1/assignments/a1/decisions", json={})
        await ada.delete("/api/v1/figures/f1")
        answer = await administrator.get("/api/v1/audit")
        assert (await ada.get("/api/v1/audit")).status_code == 403
    entries = answer.json()["items"]
    assert [(one["action"], one["target"], one["outcome"]) for one in entries] == [
        ("POST /api/v1/assignments/move", "", "done"),
        ("PATCH /api/v1/figures/{id}", "stale", "refused"),
        ("DELETE /api/v1/figures/{id}", "f1", "done"),
        ("key.create", key["id"], "done"),
        ("account.delete", me, "refused"),
        ("account.invite", invitation["person"], "done"),
    ]
    assert {(one["actor"], one["actor_name"]) for one in entries} == {(me, "administrator")}
    assert entries[-1]["target_name"] == "Ada"
    assert entries[-1]["detail"] == {"roles": "annotator"}
    stored = "".join(
        entry.model_dump_json() for entry in (await installation.engine.documents.collection(AuditEntry).find()).items
    )
    link, sent = link_parts(invitation["link"]), key_parts(key["key"])
    assert link
    assert sent
    for secret in (link[1], sent[1], PASSWORD, "legend.", "Ada"):
        assert secret not in stored


async def test_an_act_within_a_project_names_it(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        made = await administrator.post("/api/v1/projects", json={"name": "Atlas of the eye", "id": "eye"})
        assert made.status_code == 201
        await administrator.post("/api/v1/exports", params={"project": "eye"}, json={})
        await administrator.post("/api/v1/exports", json={})
        await administrator.post("/api/v1/assignments/plan/job", params={"project": "eye"}, json={"team": []})
        await administrator.put("/api/v1/projects/eye/rules", json={})
        await administrator.post("/api/v1/invitations", json={"name": "Ada", "roles": ["annotator"], "project": "eye"})
        await administrator.delete("/api/v1/figures/f1")
        entries = (await administrator.get("/api/v1/audit")).json()["items"]
    assert [(one["action"], one["project"]) for one in reversed(entries)] == [
        ("project.create", ""),
        ("POST /api/v1/exports", "eye"),
        ("POST /api/v1/exports", "default"),
        ("POST /api/v1/assignments/plan/job", "eye"),
        ("PUT /api/v1/projects/{id}/rules", "eye"),
        ("account.invite", "eye"),
        ("DELETE /api/v1/figures/{id}", ""),
    ]


async def test_record_is_read_in_pages_and_by_time_and_cannot_be_changed(installation: Installation) -> None:
    async with installation.signed_in() as administrator:
        for number in range(5):
            await administrator.post("/api/v1/keys", json={"name": f"system {number}"})
        whole = (await administrator.get("/api/v1/audit")).json()["items"]
        parts, cursor = [], ""
        while cursor is not None:
            params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
            page = (await administrator.get("/api/v1/audit", params=params)).json()
            parts += page["items"]
            cursor = page["next"]
        assert parts == whole
        middle = {"since": whole[3]["at"], "until": whole[1]["at"]}
        found = (await administrator.get("/api/v1/audit", params=middle)).json()["items"]
        assert found == whole[2:4]
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await administrator.request(method, "/api/v1/audit")).status_code == 405


async def test_an_act_that_is_cut_off_stands_as_begun_or_failed(installation: Installation) -> None:
    audit = Audit(installation.engine.documents)
    entries = installation.engine.documents.collection(AuditEntry)

    async def outcomes() -> list[str]:
        return [entry.outcome for entry in (await entries.find()).items]

    async def broken() -> None:
        async with audit.recorded("me", "figure.erase", "f1"):
            assert await outcomes() == ["begun"]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await broken()
    assert await outcomes() == ["failed"]


def test_the_workbench_has_words_for_every_act_that_is_recorded() -> None:
    """A new route needs a line in web/src/lib/acts.ts, or `daily` in routes.py where it is no administration."""
    words = (Path(services.gateway.__file__).parent / "web" / "src" / "lib" / "acts.ts").read_text(encoding="utf-8")
    recorded = [one for one in ROUTES if not (one.granted or one.daily or one.method in SAFE)]
    assert [f"{one.method} {one.path}" for one in recorded if f"'{one.method} {one.path}':" not in words] == []
