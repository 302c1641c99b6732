"""Every endpoint for everybody: who gets in is what the rule table (shared/access.py) says, and nothing else.

Real requests to all services in this process; the endpoints come from the OpenAPI document, so that a new one without a
row here fails.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args

import httpx
import pytest
import pytest_asyncio

from mitagger.client import AsyncClient
from mitagger.serve import MODELS
from services.gateway.api import changes as following
from services.gateway.identity import Identity
from services.gateway.keys import Keys
from services.gateway.model import Account, Key, Session
from services.gateway.secret import fingerprint
from shared.access import DEFAULT_PROJECT, RULES, Action, Caller, MemberRole, Relation, Role
from shared.clock import new_id, now
from tests.support.embedded import embedded
from tests.support.system import KEY, composed

DOCUMENT: Final = json.loads(Path("services/gateway/openapi.json").read_text(encoding="utf-8"))
ABSENT: Final = "0" * 32
OTHER: Final = "another"

Object: TypeAlias = Literal["none", "assignment", "figure", "project"]


class Row(NamedTuple):
    """What an endpoint needs. `of`: what the path names, to which callers have relations; "none": whoever's it is."""

    action: Action
    of: Object = "none"


# Doors that ask nobody: a grant or a link in the request is the permission, or one signs in here.
OPEN: Final = frozenset({
    "POST /api/v1/session", "GET /api/v1/session/methods", "GET /api/v1/session/oidc",
    "GET /api/v1/session/oidc/callback", "POST /api/v1/join", "POST /api/v1/join/link", "GET /api/v1/files/{grant}",
    "GET /api/v1/views/{grant}", "GET /api/v1/views/{grant}/render", "GET /api/v1/views/{grant}/tiles/{zoom}/{tile}",
})  # fmt: skip
# Anybody who is signed in, whatever the roles: of oneself, or nobody's secret.
SIGNED_IN: Final = frozenset({
    "GET /api/v1/session", "GET /api/v1/session/changes", "DELETE /api/v1/session", "GET /api/v1/schemas/figures.xsd",
    "GET /api/v1/projects",
})  # fmt: skip
# People themselves, with a session: no key, whoever's.
IN_PERSON: Final = frozenset({
    "PUT /api/v1/session/password", "GET /api/v1/sessions", "DELETE /api/v1/sessions", "DELETE /api/v1/sessions/{id}",
})  # fmt: skip
# They end the session that the other tests need; tests/unit/services/gateway/test_accounts.py does.
ENDING: Final = frozenset({"DELETE /api/v1/session", "DELETE /api/v1/sessions", "PUT /api/v1/session/password"})
# For whom may in one of their projects: what comes of it is of these alone, or of no project.
SOMEWHERE: Final = frozenset({
    "GET /api/v1/events", "GET /api/v1/events/stream", "POST /api/v1/uploads", "GET /api/v1/concepts",
    "GET /api/v1/concepts/lineage", "GET /api/v1/concepts/{curie}/descendants",
    "GET /api/v1/concepts/{curie}", "GET /api/v1/vocabularies", "GET /api/v1/mappings/targets",
})  # fmt: skip
# One's own keys, whatever the project.
OWN_KEYS: Final = frozenset({"GET /api/v1/keys", "DELETE /api/v1/keys/{id}", "POST /api/v1/keys/personal"})

ROWS: Final[dict[str, Row]] = {
    "GET /api/v1/accounts": Row("account.write"),
    "POST /api/v1/accounts": Row("account.write"),
    "PATCH /api/v1/accounts/{id}": Row("account.write"),
    "DELETE /api/v1/accounts/{id}": Row("account.write"),
    "POST /api/v1/accounts/{id}/link": Row("account.write"),
    "DELETE /api/v1/accounts/{id}/sessions": Row("account.write"),
    "POST /api/v1/invitations": Row("account.write"),
    "POST /api/v1/keys": Row("key.write"),
    "GET /api/v1/audit": Row("audit.read"),
    "GET /api/v1/articles": Row("figure.read"),
    "GET /api/v1/figures": Row("figure.read"),
    "POST /api/v1/figures": Row("figure.write"),
    "GET /api/v1/figures/{id}": Row("figure.read"),
    "PATCH /api/v1/figures/{id}": Row("figure.write"),
    "DELETE /api/v1/figures/{id}": Row("figure.erase"),
    "POST /api/v1/erasures": Row("figure.erase"),
    "GET /api/v1/erasures": Row("figure.erase"),
    "GET /api/v1/erasures/{id}": Row("figure.erase"),
    "POST /api/v1/erasures/{id}/confirm": Row("figure.erase"),
    "GET /api/v1/figures/{id}/view": Row("figure.read"),
    "GET /api/v1/figures/{id}/render": Row("figure.read"),
    "GET /api/v1/figures/{id}/recommendations": Row("figure.read", "figure"),
    "POST /api/v1/uploads": Row("figure.write"),
    "POST /api/v1/files/collect": Row("system.write"),
    "POST /api/v1/imports": Row("import.run"),
    "GET /api/v1/imports": Row("import.run"),
    "POST /api/v1/imports/archive": Row("import.run"),
    "POST /api/v1/imports/preview": Row("import.run"),
    "GET /api/v1/imports/{id}": Row("import.run"),
    "GET /api/v1/imports/{id}/rejects": Row("import.run"),
    "POST /api/v1/imports/{id}/rows": Row("import.run"),
    "GET /api/v1/quarantine": Row("quarantine.read"),
    "GET /api/v1/quarantine/{id}": Row("quarantine.read"),
    "GET /api/v1/quarantine/{id}/render": Row("quarantine.read"),
    "POST /api/v1/quarantine/{id}/black-out": Row("quarantine.write"),
    "POST /api/v1/quarantine/{id}/confirm": Row("quarantine.write"),
    "POST /api/v1/quarantine/{id}/refuse": Row("quarantine.write"),
    "POST /api/v1/assignments": Row("assignment.create"),
    "GET /api/v1/assignments": Row("assignment.read", "assignment"),
    "POST /api/v1/assignments/plan": Row("assignment.create"),
    "POST /api/v1/assignments/plan/job": Row("assignment.create"),
    "GET /api/v1/assignments/plan/job": Row("project.write"),
    "DELETE /api/v1/assignments/plan/job": Row("project.write"),
    "POST /api/v1/assignments/move": Row("assignment.create"),
    "POST /api/v1/assignments/pool": Row("assignment.create"),
    "POST /api/v1/assignments/next": Row("decision.write"),
    "POST /api/v1/projects": Row("project.create"),
    "GET /api/v1/projects/{id}": Row("project.read", "project"),
    "PATCH /api/v1/projects/{id}": Row("project.write", "project"),
    "GET /api/v1/projects/{id}/members": Row("member.read", "project"),
    "GET /api/v1/projects/{id}/candidates": Row("member.write", "project"),
    "PUT /api/v1/projects/{id}/members": Row("member.write", "project"),
    "DELETE /api/v1/projects/{id}/members/{person_id}": Row("member.write", "project"),
    "GET /api/v1/projects/{id}/bioportal": Row("project.read", "project"),
    "PUT /api/v1/projects/{id}/bioportal": Row("project.write", "project"),
    "GET /api/v1/projects/{id}/rules": Row("project.read", "project"),
    "PUT /api/v1/projects/{id}/rules": Row("project.write", "project"),
    "GET /api/v1/projects/{id}/measures": Row("measures.read", "project"),
    "GET /api/v1/measures/rebuild": Row("system.read"),
    "POST /api/v1/measures/rebuild": Row("system.write"),
    "GET /api/v1/projects/{id}/guidelines": Row("project.read", "project"),
    "PUT /api/v1/projects/{id}/guidelines": Row("project.write", "project"),
    "GET /api/v1/assignments/{id}": Row("assignment.read", "assignment"),
    "GET /api/v1/assignments/{id}/history": Row("assignment.read", "assignment"),
    "GET /api/v1/assignments/{id}/as-it-stood": Row("assignment.read", "assignment"),
    "POST /api/v1/assignments/{id}/revert": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/review/decisions": Row("review.write", "assignment"),
    "POST /api/v1/assignments/{id}/decisions": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/open": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/recommendations/refresh": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/submit": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/review": Row("review.write", "assignment"),
    "POST /api/v1/assignments/{id}/review/begin": Row("review.write", "assignment"),
    "POST /api/v1/assignments/{id}/undo": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/redo": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/skip": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/flag": Row("decision.write", "assignment"),
    "DELETE /api/v1/assignments/{id}/flag": Row("concern.settle", "assignment"),
    "POST /api/v1/assignments/{id}/recall": Row("decision.write", "assignment"),
    "POST /api/v1/assignments/{id}/reopen": Row("assignment.reopen", "assignment"),
    "POST /api/v1/assignments/{id}/release": Row("assignment.create", "assignment"),
    "POST /api/v1/assignments/{id}/comments": Row("comment.write", "assignment"),
    "GET /api/v1/assignments/{id}/comments": Row("assignment.read", "assignment"),
    "GET /api/v1/adjudications": Row("adjudication.write"),
    "GET /api/v1/figures/{id}/adjudication": Row("adjudication.write"),
    "POST /api/v1/figures/{id}/adjudication": Row("adjudication.write"),
    "POST /api/v1/figures/{id}/adjudication/choices": Row("adjudication.write"),
    "GET /api/v1/concepts/lineage": Row("vocabulary.read"),
    "GET /api/v1/assignments/{id}/feedback": Row("assignment.read", "assignment"),
    "GET /api/v1/gold": Row("quality.read"),
    "GET /api/v1/figures/{id}/gold": Row("quality.read", "figure"),
    "PUT /api/v1/figures/{id}/gold": Row("quality.write", "figure"),
    "DELETE /api/v1/figures/{id}/gold": Row("quality.write", "figure"),
    "GET /api/v1/projects/{id}/standards": Row("quality.read", "project"),
    "PUT /api/v1/projects/{id}/standards": Row("quality.write", "project"),
    "GET /api/v1/projects/{id}/newcomers": Row("quality.read", "project"),
    "PUT /api/v1/projects/{id}/newcomers/{person}": Row("quality.write", "project"),
    "GET /api/v1/projects/{id}/scores/{person}": Row("quality.read", "project"),
    "GET /api/v1/concepts": Row("vocabulary.read"),
    "GET /api/v1/concepts/{curie}": Row("vocabulary.read"),
    "GET /api/v1/concepts/{curie}/descendants": Row("vocabulary.read"),
    "GET /api/v1/vocabularies": Row("vocabulary.read"),
    "GET /api/v1/vocabularies/axes": Row("vocabulary.write"),
    "PUT /api/v1/vocabularies/axes": Row("vocabulary.write"),
    "POST /api/v1/vocabularies/axes/preview": Row("vocabulary.write"),
    "POST /api/v1/vocabularies/axes/rollback": Row("vocabulary.write"),
    "POST /api/v1/vocabularies/rollback": Row("vocabulary.write"),
    "GET /api/v1/vocabularies/sets": Row("vocabulary.write"),
    "POST /api/v1/vocabularies/sets": Row("vocabulary.write"),
    "GET /api/v1/vocabularies/sets/{id}": Row("vocabulary.write"),
    "GET /api/v1/vocabularies/versions": Row("vocabulary.write"),
    "POST /api/v1/vocabularies/versions": Row("vocabulary.write"),
    "GET /api/v1/vocabularies/versions/{id}": Row("vocabulary.write"),
    "DELETE /api/v1/vocabularies/versions/{id}": Row("vocabulary.write"),
    "GET /api/v1/vocabularies/versions/{id}/difference": Row("vocabulary.write"),
    "POST /api/v1/mappings/versions": Row("vocabulary.write"),
    "GET /api/v1/mappings/versions": Row("vocabulary.write"),
    "GET /api/v1/mappings/versions/{id}": Row("vocabulary.write"),
    "DELETE /api/v1/mappings/versions/{id}": Row("vocabulary.write"),
    "POST /api/v1/mappings/sets": Row("vocabulary.write"),
    "GET /api/v1/mappings/sets": Row("vocabulary.write"),
    "GET /api/v1/mappings/sets/{id}": Row("vocabulary.write"),
    "POST /api/v1/mappings/rollback": Row("vocabulary.write"),
    "GET /api/v1/mappings/targets": Row("export.run"),
    "GET /api/v1/mappings/remap": Row("vocabulary.write"),
    "GET /api/v1/learned": Row("vocabulary.write"),
    "POST /api/v1/learned/{id}/disable": Row("vocabulary.write"),
    "POST /api/v1/learned/{id}/enable": Row("vocabulary.write"),
    "POST /api/v1/learned/{id}/widen": Row("vocabulary.write"),
    "POST /api/v1/learned/{id}/narrow": Row("vocabulary.write"),
    "GET /api/v1/learned/scores": Row("vocabulary.write"),
    "POST /api/v1/learned/scores/{project}/disable": Row("vocabulary.write"),
    "POST /api/v1/learned/scores/{project}/enable": Row("vocabulary.write"),
    "GET /api/v1/search": Row("search.read"),
    "GET /api/v1/search/rebuild": Row("system.read"),
    "POST /api/v1/search/rebuild": Row("system.write"),
    "POST /api/v1/exports": Row("export.run"),
    "GET /api/v1/exports": Row("export.run"),
    "GET /api/v1/exports/{id}": Row("export.run"),
    "GET /api/v1/events": Row("event.read"),
    "GET /api/v1/events/stream": Row("event.read"),
    "POST /api/v1/events/republish": Row("system.write"),
    "GET /api/v1/dead-letters": Row("system.read"),
    "GET /api/v1/dead-letters/{id}": Row("system.read"),
    "POST /api/v1/dead-letters/{id}/replay": Row("system.write"),
    "GET /api/v1/status": Row("system.read"),
}


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks, and the relations to the assignment and its figure."""

    caller: Caller
    headers: dict[str, str]
    relations: frozenset[Relation] = frozenset()
    in_person: bool = True


@dataclass(frozen=True, slots=True)
class House:
    """All services, who is there, and who is kept out."""

    door: httpx.AsyncClient
    people: dict[str, Asker]
    strangers: dict[str, dict[str, str]]
    assignment: str
    figure: str
    elsewhere: dict[str, str]  # what there is in the other project, by the parts of addresses that name it


def endpoints() -> list[str]:
    return [f"{method.upper()} {path}" for path, methods in DOCUMENT["paths"].items() for method in methods]


def request_of(endpoint: str) -> dict[str, Any]:
    """Arguments of a request that is valid: what the document requires of the query, and its example of the body."""
    method, path = endpoint.split(" ")
    operation = DOCUMENT["paths"][path][method.lower()]
    needed = [one for one in operation.get("parameters", []) if one["in"] == "query" and one.get("required")]
    request: dict[str, Any] = {"params": {one["name"]: "xx" for one in needed}}
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind != "application/json":
            # Not the same twice: what two imports share is deleted when the first has ended.
            return {**request, "content": new_id().encode(), "headers": {"Content-Type": kind}}
        names = re.findall(r"#/components/schemas/(\w+)", json.dumps(content["schema"]))
        schemas = [DOCUMENT["components"]["schemas"][name] for name in names]
        examples = [one["value"] for one in content.get("examples", {}).values()]
        examples += [example for schema in schemas for example in schema.get("examples", [])]
        return {**request, "json": examples[0] if examples else {}}
    return request


@pytest.fixture(scope="module", autouse=True)
def streams_end() -> Iterator[None]:
    """Who follows changes of one's own is let in, and hears of none here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "STREAM_SECONDS", 0.0)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with embedded(tmp_path_factory.mktemp("house"), MODELS) as engine:
        services = composed(engine)
        for service in services:
            await service.start()
        await engine.bus.start()
        app = services[-1].app
        assert app is not None
        identity, accounts = Identity(engine.documents), engine.documents.collection(Account)

        async def person(name: str, roles: tuple[Role, ...], project: str = DEFAULT_PROJECT) -> Account:
            # Not made through a door: argon2 takes its time.
            made = Account(
                id=new_id(), name=name, name_key=name, password_hash="none", roles={project: roles}, created_at=now()
            )
            return await accounts.insert(made)

        async def asker(account: Account, *relations: Relation) -> Asker:
            _, secret = await identity.open_session(account)
            return Asker(account.caller, {"Cookie": f"mitagger_session={secret}"}, frozenset(relations))

        ada, lin = await person("ada", ("annotator",)), await person("lin", ("annotator",))
        grace, joan = await person("grace", ("reviewer",)), await person("joan", ("reviewer",))
        everything = get_args(MemberRole)
        outsider = await person("outsider", everything, OTHER)
        root = await person("root", ("administrator",))
        keys, stored = Keys(engine.documents), engine.documents.collection(Key)
        service, text = await keys.create("system", ["service"])
        people = {
            "annotator of it": await asker(ada, "own"),
            "another annotator": await asker(lin),
            "reviewer of it": await asker(grace, "review"),
            "another reviewer": await asker(joan),
            "manager": await asker(await person("mia", ("manager",))),
            "observer": await asker(await person("olga", ("observer",))),
            "everything in another project": await asker(outsider),
            "administrator": await asker(root),
            "service": Asker(service.caller, {"Authorization": f"Bearer {text}"}, in_person=False),
        }
        gone = await person("gone", everything)
        _, old_key = await keys.create_personal(gone.caller, "k", [], [], 1)
        disabled = (await asker(gone)).headers
        await identity.accounts.change(gone.id, disabled=True)
        late, late_text = await keys.create("late", ["administrator"], 1)
        await stored.update(late.id, lambda key: (key.changed(expires_at=now() - timedelta(seconds=1)), ()))
        _, expired = await identity.open_session(root)
        await engine.documents.collection(Session).update(
            fingerprint(expired), lambda session: (session.changed(expires_at=now() - timedelta(seconds=1)), ())
        )
        strangers = {
            "nobody": {},
            "disabled": disabled,
            "key of somebody disabled": {"Authorization": f"Bearer {old_key}"},
            "expired key": {"Authorization": f"Bearer {late_text}"},
            "expired session": {"Cookie": f"mitagger_session={expired}"},
        }
        far, farther = await person("far", ("annotator",), OTHER), await person("farther", ("reviewer",), OTHER)
        async with AsyncClient("http://house", key=KEY, transport=httpx.ASGITransport(app)) as admin:
            await admin.create_project("Another project", id=OTHER)
            figure = (await admin.create_figure(None, collection="Atlas", legend="Fibrosis.")).id
            await engine.bus.settled(timeout=30)
            await admin.assign(figures=[figure], annotator=ada.id, reviewer=grace.id)
            (assignment,) = [one.id async for one in admin.assignments()]
        async with AsyncClient("http://house", key=KEY, project=OTHER, transport=httpx.ASGITransport(app)) as admin:
            other = (await admin.create_figure(None, collection="Atlas", legend="Femur.")).id
            job = await admin.start_import("job")
            await engine.bus.settled(timeout=30)
            await admin.assign(figures=[other], annotator=far.id, reviewer=farther.id)
            (theirs,) = [one.id async for one in admin.assignments()]
            elsewhere = {
                "figures": other, "quarantine": other, "assignments": theirs, "imports": job.id, "projects": OTHER
            }  # fmt: skip
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://house") as door:
            yield House(door, people, strangers, assignment, figure, elsewhere)
        await engine.bus.stop()
        for one in reversed(services):
            await one.stop()


async def status(house: House, endpoint: str, headers: dict[str, str], *, elsewhere: bool = False) -> int:
    method, path = endpoint.split(" ")
    if elsewhere:
        path = path.replace("{id}", house.elsewhere.get(path.split("/")[3], ""))
    of = ROWS[endpoint].of if endpoint in ROWS else "none"
    named = {"assignment": house.assignment, "figure": house.figure, "project": DEFAULT_PROJECT, "none": ABSENT}[of]
    for name, value in (("id", named), ("curie", "GO:0"), ("person", ABSENT), ("person_id", ABSENT)):
        path = path.replace(f"{{{name}}}", value)
    path = path.replace("{project}", DEFAULT_PROJECT)
    request = request_of(endpoint)
    if elsewhere:
        request["params"] = {**request.get("params", {}), "project": OTHER}
    # A stream has no end here; a cursor that is none is refused after the question who asks.
    extra = {"Last-Event-ID": "no cursor"} if endpoint.endswith("/stream") else {}
    house.door.cookies.clear()
    answer = await house.door.request(
        method, path, **{**request, "headers": {**request.get("headers", {}), **headers, **extra}}
    )
    return answer.status_code


def expected(endpoint: str, asker: Asker) -> bool:
    """Whether the rule table lets the asker in."""
    if endpoint in SIGNED_IN:
        return True
    if endpoint in IN_PERSON:
        return asker.in_person
    if endpoint in OWN_KEYS:
        granted = {one for project in asker.caller.roles for one in asker.caller.relations("key.write", project)}
        return bool(granted)
    row = ROWS[endpoint]
    if endpoint in SOMEWHERE:
        return any(asker.caller.may(row.action, project=project) for project in asker.caller.roles)
    # Everybody's own list, empty or not, and what is next on it.
    if endpoint in ("GET /api/v1/assignments", "POST /api/v1/assignments/next", "GET /api/v1/projects/{id}/measures"):
        return bool(asker.caller.relations(row.action))
    return asker.caller.may(row.action, asker.relations if row.of != "none" else frozenset())


def test_every_endpoint_has_a_row_and_every_row_an_endpoint() -> None:
    known = [*OPEN, *SIGNED_IN, *IN_PERSON, *OWN_KEYS, *ROWS]
    assert len(known) == len(set(known))
    assert set(endpoints()) - set(known) == set(), "Say in this file who may use these."
    assert set(known) - set(endpoints()) == set(), "These are gone: remove their rows."


def test_every_action_of_the_rule_table_is_asked_for_and_granted_to_somebody() -> None:
    asked = {row.action for row in ROWS.values()}
    assert set(get_args(Action)) == asked
    assert asked == {action for rules in RULES.values() for action in rules}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("endpoint", [one for one in endpoints() if one not in OPEN])
async def test_endpoint_lets_in_whom_the_rules_let_in_and_nobody_else(house: House, endpoint: str) -> None:
    for name, headers in house.strangers.items():
        assert await status(house, endpoint, headers) == 401, name
    # Who is let in comes last: it may change what the others are refused.
    for name, asker in sorted(house.people.items(), key=lambda one: expected(endpoint, one[1])):
        if asker.in_person and endpoint in ENDING:
            continue
        found = await status(house, endpoint, asker.headers)
        if expected(endpoint, asker):
            assert found not in (401, 403, 500), name
        else:
            # What somebody may not know of may also seem not to be there.
            hidden = endpoint in ROWS and (ROWS[endpoint].of != "none" or "{id}" in endpoint)
            assert found in ((403, 404) if hidden else (403,)), name


def of_a_project(endpoint: str) -> bool:
    """Whether a request can name a project, or something in one."""
    method, path = endpoint.split(" ")
    parameters = DOCUMENT["paths"][path][method.lower()].get("parameters", [])
    kind = path.split("/")[3]
    by_id = "{id}" in path and kind in ("figures", "quarantine", "assignments", "imports", "projects")
    return by_id or ("{id}" not in path and any(one["name"] == "project" for one in parameters))


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("endpoint", [one for one in endpoints() if of_a_project(one)])
async def test_what_is_in_another_project_is_for_nobody_without_a_role_there(house: House, endpoint: str) -> None:
    for name, asker in house.people.items():
        if not asker.caller.roles_in(OTHER):
            assert await status(house, endpoint, asker.headers, elsewhere=True) in (403, 404), name
    there = house.people["everything in another project"]
    if endpoint.startswith("GET ") and there.caller.may(ROWS[endpoint].action, project=OTHER):
        found = await status(house, endpoint, there.headers, elsewhere=True)
        assert found not in (401, 403, 500)
