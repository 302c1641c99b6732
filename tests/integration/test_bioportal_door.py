"""Clients of BioPortal point at our gateway: a public one from a registry, and what others send, over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from ontoportal_client import OntoPortalClient

from services.recommender.portal import MOST_TEXT
from tests.support.portal import portal_beside
from tests.support.system import KEY

TEXT = "MRI of the Hippocampus and the femur; no western blot."


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all, which only ask."""
    with portal_beside(tmp_path_factory.mktemp("portal")) as url:
        yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client:
        yield client


async def test_the_public_client_annotates_and_searches(url: str) -> None:
    client = OntoPortalClient(KEY, url)
    found = await asyncio.to_thread(client.annotate, TEXT)
    assert {one["annotatedClass"]["prefLabel"] for one in found} == {"hippocampus", "femur", "western blot"}
    (femur,) = await asyncio.to_thread(client.annotate, "A femur.", "UBERON")
    assert femur["annotations"] == [{"from": 3, "to": 7, "matchType": "PREF", "text": "FEMUR"}]
    assert femur["annotatedClass"]["links"]["ontology"] == f"{url}/ontologies/UBERON"
    named = await asyncio.to_thread(lambda: list(client.search("hippoc")))
    assert [one["prefLabel"] for one in named] == ["hippocampus"]


async def test_the_public_client_hears_of_a_wrong_key(url: str) -> None:
    answer = await asyncio.to_thread(
        lambda: OntoPortalClient("wrong", url).get_response("annotator", {"text": TEXT}, raise_for_status=False)
    )
    assert answer.status_code == 401
    assert answer.json() == {"error": answer.json()["error"], "status": 401}


@pytest.mark.parametrize(
    "sent",
    [
        {"method": "GET", "params": {"text": TEXT, "apikey": KEY, "longest_only": "true"}},
        {"method": "POST", "data": {"text": TEXT, "apikey": KEY}},
        {"method": "POST", "json": {"text": TEXT, "apikey": KEY, "ontologies": ["UBERON", "NCIT"]}},
        {"method": "POST", "data": {"text": TEXT}, "headers": {"Authorization": f"apikey token={KEY}"}},
        {"method": "GET", "params": {"text": TEXT}, "headers": {"Authorization": f'apikey token="{KEY}"'}},
    ],
    ids=["query", "form", "json", "header", "quoted"],
)
async def test_keys_and_parameters_come_in_every_way(http: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    answer = await http.request(sent.pop("method"), "/annotator", **sent)
    assert answer.status_code == 200
    assert [one["annotations"][0]["text"] for one in answer.json()] == ["HIPPOCAMPUS", "FEMUR", "WESTERN BLOT"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"params": {}}, 400),
        ({"params": {"text": "a", "ontologies": "NOPE"}}, 404),
        ({"params": {"text": "a", "include": "all"}}, 400),
        ({"data": {"text": "a" * (MOST_TEXT + 1)}}, 413),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400),
        ({"content": b'{"text": "\\ud800"}', "headers": {"content-type": "application/json"}}, 400),
        ({"content": b"text=\xff"}, 400),
        ({"json": {"text": {"a": 1}}}, 400),
    ],
)
async def test_errors_have_bioportals_bodies(http: httpx.AsyncClient, sent: dict[str, Any], status: int) -> None:
    sent["headers"] = {"Authorization": f"apikey token={KEY}"} | sent.get("headers", {})
    answer = await http.request("GET" if "params" in sent else "POST", "/annotator", **sent)
    assert answer.status_code == status
    assert answer.json().keys() == {"errors", "status"}
    assert answer.json()["status"] == status
    assert all(isinstance(message, str) and message for message in answer.json()["errors"])


async def test_nobody_is_answered_without_a_key(http: httpx.AsyncClient) -> None:
    for path in ("/annotator?text=a", "/annotator/recognizers", "/search?q=a"):
        answer = await http.get(path)
        assert (answer.status_code, answer.json().keys()) == (401, {"error", "status"})


async def test_recognizers_are_named(http: httpx.AsyncClient) -> None:
    assert (await http.get("/annotator/recognizers", params={"apikey": KEY})).json() == ["mgrep"]


async def test_offsets_count_characters(http: httpx.AsyncClient) -> None:
    answer = await http.get("/annotator", params={"apikey": KEY, "text": "𝒳 ß é femur"})
    assert answer.json()[0]["annotations"] == [{"from": 7, "to": 11, "matchType": "PREF", "text": "FEMUR"}]
