"""What is particular to Meilisearch: settings, addresses and keys, errors, tasks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

import shared.meilisearch
from shared.errors import Invalid, Unavailable
from shared.meilisearch import Address, Server, connected
from shared.search.meilisearch import MeilisearchSearch, opened
from shared.search.port import EVERYBODY, FigureEntry, Query, TagEntry
from tests.support.servers import meilisearch as servers
from tests.support.servers.meilisearch import Place


def entry(id: str, **fields: Any) -> FigureEntry:
    return FigureEntry(**{"id": id, "version": 1, "project": "default", "article": "a1", "status": "approved"} | fields)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://host:7700/site", ("http://host:7700", "site")),
        ("https://host/behind/a-proxy/site_2", ("https://host/behind/a-proxy", "site_2")),
        ("http://host:7700", ("http://host:7700", "mitagger")),
        ("http://host:7700/", ("http://host:7700", "mitagger")),
    ],
)
def test_an_address_names_a_server_and_a_prefix(url: str, address: tuple[str, str]) -> None:
    assert Address.parse(url) == address


@pytest.mark.parametrize(
    "url", ["search:7700", "meilisearch://host/x", "http:///x", "http://host/a.b", "http://u:geheim@"]
)
def test_another_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Invalid) as refused:
        Address.parse(url)
    assert url not in str(refused.value)


async def test_an_outage_is_an_error_and_never_an_empty_answer() -> None:
    async with opened("http://127.0.0.1:9/x", "key") as away:
        for ask in (away.search(Query()), away.put([]), away.remove(["a"]), away.plan(), away.begin()):
            with pytest.raises(Unavailable, match="does not answer"):
                await ask


@pytest.fixture
async def server(meilisearch: Place) -> AsyncIterator[Server]:
    async with connected(*meilisearch) as there:
        yield there


@pytest.fixture
async def index(meilisearch: Place) -> AsyncIterator[MeilisearchSearch]:
    async with servers.index(meilisearch) as there:
        yield there


@pytest.mark.servers
async def test_a_wrong_key_is_said(meilisearch: Place, index: MeilisearchSearch) -> None:
    async with opened(f"{meilisearch.url}/other", "wrong") as search:
        for ask in (search.search(Query()), search.put([entry("a")]), search.prepare()):
            with pytest.raises(Unavailable, match=r"refuses this key.*SEARCH_KEY"):
                await ask


@pytest.mark.servers
async def test_a_plan_names_what_differs_and_apply_mends_it_without_loss(
    server: Server, index: MeilisearchSearch
) -> None:
    assert await index.plan() == []
    await index.put([entry("a", legend="retina")])
    await server.do("PATCH", f"/indexes/{index.serving}/settings", {"sortableAttributes": [], "typoTolerance": None})
    assert {difference.name for difference in await index.plan()} == {"sortableAttributes", "typoTolerance"}
    await index.prepare()
    assert len(await index.plan()) == 2, "starting changes no settings"
    await index.apply()
    assert await index.plan() == []
    assert (await index.search(Query("retina"))).total == 1


@pytest.mark.servers
async def test_a_missing_index_is_planned_whole_and_applied(meilisearch: Place) -> None:
    async with connected(*meilisearch) as there:
        lost = MeilisearchSearch(there, prefix="test-lost")
        try:
            assert len(await lost.plan()) > 5
            with pytest.raises(Unavailable, match="has lost our index"):
                await lost.search(Query())
            await lost.apply()
            assert (await lost.search(Query())).total == 0
        finally:
            await there.do("DELETE", f"/indexes/{lost.serving}")


@pytest.mark.servers
async def test_several_processes_may_prepare_at_once(meilisearch: Place, server: Server) -> None:
    several = [MeilisearchSearch(server, prefix="test-several") for _ in range(3)]
    try:
        await asyncio.gather(*(one.prepare() for one in several))
        assert await several[0].plan() == []
    finally:
        await server.do("DELETE", f"/indexes/{several[0].serving}")


@pytest.mark.servers
async def test_a_task_that_takes_too_long_is_unavailable(
    index: MeilisearchSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.meilisearch, "TASK_SECONDS", 0.0)
    with pytest.raises(Unavailable, match="has not done a task"):
        await index.put([entry("a")])


@pytest.mark.servers
async def test_a_document_that_the_server_refuses_is_invalid_and_not_repeated(index: MeilisearchSearch) -> None:
    with pytest.raises(Invalid, match="invalid_document_id") as refused:
        await index.put([entry("no id/of ours", legend="secret legend")])
    assert "secret" not in str(refused.value)


@pytest.mark.servers
async def test_a_writer_that_saw_the_new_index_just_before_its_end_writes_to_the_one_that_serves(
    index: MeilisearchSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index.begin()
    seen = await index._indexes()

    async def long_ago() -> list[str]:
        return seen

    monkeypatch.setattr(index, "_indexes", long_ago)
    await index.switch()
    await index.put([entry("late", provisional=(TagEntry(axis="disease", label="glioma"),))])
    assert [hit.entry.id for hit in (await index.search(Query())).hits] == ["late"]
    await index.remove(["late"])
    assert (await index.search(Query())).total == 0
    monkeypatch.undo()
    await index.begin()  # what the late writer made again is in nobody's way
    await index.switch()
    assert (await index.search(Query(provisional=EVERYBODY))).total == 0


@pytest.mark.servers
async def test_a_large_batch_is_sent_in_parts(index: MeilisearchSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.search.meilisearch.SENT_AT_ONCE", 2_000)
    await index.put([entry(f"f{number}", legend="retina " * 100) for number in range(20)])
    assert (await index.search(Query("retina"))).total == 20
