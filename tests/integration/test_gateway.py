"""The gateway in front of the real services: its table, its document, and a server that people talk to."""

import asyncio
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mitagger.client import AsyncClient, Conflict, Missing, NotSignedIn, Rejected
from services.gateway.origin import SAFE
from services.gateway.routes import ROUTES, SERVICES
from tests.support.images import png
from tests.support.server import Server
from tools import openapi


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.document()


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    paths = get_openapi(title="", version="", routes=app.routes)["paths"]
    return {(method.upper(), path) for path, operations in paths.items() for method in operations}


async def test_table_of_routes_equals_the_routes_of_the_services() -> None:
    doors = await openapi.doors()
    served = {
        (method, path, name)
        for name, app in doors.items()
        if name != "gateway" and isinstance(app, FastAPI)
        for method, path in routes_of(app)
        if path.startswith("/api/")
    }
    table = {(route.method, route.path, route.service) for route in ROUTES}
    remedy = "Change services/gateway/routes.py, or the api.py of the service."
    assert served - table == set(), f"Nobody can reach these. {remedy}"
    assert table - {(method, path, name) for method, path, name in served} == set(), f"These lead nowhere. {remedy}"


def test_what_is_recorded_names_the_project_of_its_query(document: dict[str, Any]) -> None:
    recorded = [one for one in ROUTES if not (one.granted or one.daily or one.method in SAFE)]
    asking = {
        (one.method, one.path)
        for one in recorded
        for parameter in document["paths"][one.path][one.method.lower()].get("parameters", ())
        if (parameter["name"], parameter["in"]) == ("project", "query")
    }
    assert {(one.method, one.path) for one in recorded if one.within} == asking, "Set `within` in routes.py."


def test_committed_document_is_the_one_of_the_code(document: dict[str, Any]) -> None:
    committed = json.loads(openapi.PATH.read_text(encoding="utf-8"))
    assert committed == document, (
        "services/gateway/openapi.json is not what the code says. If the change is meant, run `make generated` and"
        " commit it; a removed path or field breaks clients."
    )


def test_document_shows_public_routes_alone(document: dict[str, Any]) -> None:
    assert all(path.startswith("/api/v1/") for path in document["paths"])
    shown = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    assert {(route.method, route.path) for route in ROUTES} <= shown


def test_every_error_is_documented_as_the_problem_that_it_is(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        answers = operation["responses"]
        assert "422" not in answers, f"{name} answers no error as FastAPI does."
        content = answers["default"]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}, name


def test_no_parameter_is_documented_as_null(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert "null" not in json.dumps(parameter["schema"]), f"{name}: {parameter['name']}"


def test_every_tag_says_what_stands_under_it(document: dict[str, Any]) -> None:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}, "Change TAGS in tools/openapi.py."


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_every_operation_has_a_summary_and_every_body_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, operation in operations(document):
        assert operation.get("summary"), f"{name} needs a summary"
        for content in operation.get("requestBody", {}).get("content", {}).values():
            reference = content["schema"].get("$ref", "").rpartition("/")[2]
            found = [content.get("example"), content.get("examples"), schemas.get(reference, {}).get("examples")]
            assert any(found), f"{name} needs an example of its body (json_schema_extra of its model)"


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for part in value.values():
                yield from references(part)
        elif isinstance(value, list):
            for part in value:
                yield from references(part)

    assert {reference.rpartition("/")[2] for reference in references(document)} == set(schemas)


on_the_servers_loop = pytest.mark.asyncio(loop_scope="module")


@on_the_servers_loop
async def test_figure_goes_in_is_shown_corrected_found_and_erased(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "ä.png"
    image.write_bytes(png())
    async with server.client() as client:
        figure = await client.create_figure(image, collection="Atlas", label="Figure 1", legend="Fémur, α.")
        again = await client.create_figure(image, collection="Atlas", label="Figure 1", legend="Fémur, α.")
        assert (figure.id, figure.legend, figure.article.collection) == (again.id, "Fémur, α.", "Atlas")
        assert [one.id async for one in client.figures()].count(figure.id) == 1
        assert figure.display_url is not None
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as stranger:
            shown = await stranger.get(figure.display_url)
            assert shown.headers["content-type"] == "image/jpeg"
            assert shown.content[:2] == b"\xff\xd8"
            assert (await stranger.get("/api/v1/figures")).status_code == 401
        changed = await client.change_figure(figure.id, legend="Femur.", version=figure.version)
        assert (changed.legend, changed.version) == ("Femur.", figure.version + 1)
        with pytest.raises(Conflict):
            await client.change_figure(figure.id, legend="Tibia.", version=figure.version)
        await client.delete_figure(figure.id)
        with pytest.raises(Missing):
            await client.figure(figure.id)


@on_the_servers_loop
async def test_bad_files_are_refused_and_the_server_stays_up(server: Server, tmp_path: Path) -> None:
    async with server.client() as client:
        for content in (b"", b"no image at all", png()[:50]):
            file = tmp_path / "bad.png"
            file.write_bytes(content)
            with pytest.raises(Rejected) as caught:
                await client.create_figure(file, collection="Atlas", legend="x")
            assert caught.value.problem.remedy
        with pytest.raises(Rejected):
            await client.create_figure(None, collection="Atlas", legend="x" * 50_001)
        assert (await client.status()).ready


@on_the_servers_loop
async def test_events_arrive_while_they_happen_and_resume(server: Server) -> None:
    async with server.client() as client:
        before = (await client.events()).next
        followed = client.follow_events(after=before, topics=["image.uploaded"])
        waiting = asyncio.create_task(anext(followed))  # type: ignore[arg-type]
        figure = await client.create_figure(None, collection="Atlas", legend="Femur.")
        cursor, event = await asyncio.wait_for(waiting, 20)
        assert event.subject == figure.id
        pulled = await client.events(after=before, topics=["image.uploaded"])
        assert [one.id for one in pulled.items] == [event.id]
        second = await client.create_figure(None, collection="Atlas", legend="Tibia.")
        resumed = client.follow_events(after=cursor, topics=["image.uploaded"])
        assert (await asyncio.wait_for(anext(resumed), 20))[1].subject == second.id
        assert await client.republish(["image.uploaded"]) >= 2
        await resumed.aclose()  # type: ignore[attr-defined]
        await followed.aclose()  # type: ignore[attr-defined]


@on_the_servers_loop
async def test_status_names_every_service_and_group(server: Server) -> None:
    async with server.client() as client:
        status = await client.status()
        assert set(status.services) == set(SERVICES)
        assert {"nlp", "recommender", "export"} <= {one.group for one in status.progress}
        assert set(status.figures) == {"new", "provisional", "returned", "approved"}


@on_the_servers_loop
async def test_server_shows_its_document(server: Server, document: dict[str, Any]) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as stranger:
        assert (await stranger.get("/api/v1/openapi.json")).json() == document


@on_the_servers_loop
async def test_an_address_that_is_not_there_leads_to_the_api(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as stranger:
        for method, path, status in (("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/openapi.json", 405)):
            answer = await stranger.request(method, path)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
            assert "/docs" in answer.json()["remedy"]


async def test_restart_ends_the_key_of_the_data_folder_and_keeps_accounts(tmp_path: Path) -> None:
    server, password = Server(tmp_path), "four unrelated words"
    await server.start()
    announcement = server.data / "server.json"
    assert stat.S_IMODE(announcement.stat().st_mode) == 0o600
    key = json.loads(announcement.read_text())["key"]
    async with server.client() as client:
        person = (await client.create_account("Ada", password, ["annotator"])).person
    await server.stop()
    assert not announcement.exists()
    await server.start()
    async with AsyncClient(server.url, key=key) as stale:
        with pytest.raises(NotSignedIn):
            await stale.status()
    async with AsyncClient(server.url) as ada:
        assert (await ada.sign_in("ada", password)).person == person
        assert [one async for one in ada.assignments()] == []
    await server.stop()
    assert password not in server.told()
    assert key not in server.told()
