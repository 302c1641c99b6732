"""A site's own vocabularies: sent, read, put into use, taken back, over real embedded engines."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.nlp import service as nlp
from services.recommender import service as recommender
from services.recommender.loading import Library
from services.recommender.model import MODELS, Generation, VocabularySet, VocabularyVersion
from shared import leases
from shared.clock import new_id, now
from shared.engine import Engine, opened
from shared.errors import NotFound
from shared.events.recommendation import RecommendationsReady
from shared.settings import Settings
from tests.support.builders import image_uploaded
from tests.support.embedded import at_work, embedded
from tests.support.releases import rf2_release
from tests.support.site import Site, until

DEFAULT = "id\tname\tscope\nUBERON:1\thippocampus\tLABEL\nUBERON:2\tfemur\tLABEL\n"
SITE = "id\tname\tsynonyms\nX:1\tspleen\tlien\nX:2\tkidney\t\nX:3\tliver\t\n"
NEWER = "id\tname\tsynonyms\nX:1\tSpleen\tlien\nX:2\tkidney\t\nX:4\tfemur head\t\n"


CACHE = Path(tempfile.gettempdir(), f"mitagger-test-vocabularies-{os.getpid()}")  # what is the same compiles once


class World(Site):
    """A recommender with nlp."""

    def __init__(self, engine: Engine, service: recommender.Recommender) -> None:
        super().__init__(engine, {"recommender": service})
        self.service = service

    async def bring(self, content: str | bytes, name: str = "X", file: str = "x.tsv", **more: Any) -> dict[str, Any]:
        return await self.sent(content, "/vocabularies/versions", name=name, file=file, **more)

    async def change(self, **body: Any) -> dict[str, Any]:
        return await self.begun("/vocabularies/sets", body)

    async def finds(self, word: str) -> list[str]:
        answer = await self.ask("GET", f"/concepts?q={word}", role="annotator")
        return [one["curie"] for one in answer.json()["items"]]

    async def recommended(self, count: int) -> list[RecommendationsReady]:
        """When so many events are there."""

        async def events() -> list[RecommendationsReady] | None:
            page = await self.engine.bus.read([RecommendationsReady])
            ready = [one for one in page.events if isinstance(one, RecommendationsReady)]
            return ready if len(ready) >= count else None

        return await until(events)


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[World]:
    async with embedded(folder / "data", MODELS) as engine, recommending(engine, folder, CACHE) as world:
        yield world


@asynccontextmanager
async def recommending(engine: Engine, folder: Path, cache: Path) -> AsyncIterator[World]:
    """nlp and recommender at work on these engines, when the vocabularies are loaded."""
    shelf = folder / "vocabularies"
    shelf.mkdir(exist_ok=True)
    (shelf / "UBERON.tsv").write_text(DEFAULT, encoding="utf-8")
    settings = Settings(data=folder / "unused", cache=cache, vocabularies=shelf)
    service = recommender.build(engine, library=Library(settings))
    world = World(engine, service)

    async def loaded() -> bool | None:
        return (await world.ask("GET", "/vocabularies")).status_code == 200 or None

    async with at_work(engine, nlp.build(engine), service):
        await until(loaded)
        yield world


@pytest.fixture(scope="module", autouse=True)
def cache() -> Iterator[None]:
    yield
    shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommender, "POLL_SECONDS", 0.05)


async def test_a_vocabulary_is_imported_activated_replaced_and_rolled_back(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        await world.engine.bus.publish([image_uploaded(legend="The spleen and the femur.")])
        (before,) = await world.recommended(1)
        assert {one.curie for one in before.recommendations} == {"UBERON:2"}

        first = await world.bring(SITE, axis="anatomy", version="1")
        assert (first["state"], first["concepts"], first["names"], first["format"]) == ("ready", 3, 4, "table")
        assert await world.finds("spleen") == []  # imported is not in use
        done = await world.change(activate=[first["id"]])
        assert done["state"] == "ready", done["problem"]

        # A figure of before is recommended for again by itself, in a higher generation.
        after = (await world.recommended(2))[-1]
        assert {one.curie for one in after.recommendations} == {"X:1", "UBERON:2"}
        assert (after.generation, after.revision, after.vocabularies["X"]) == (before.generation + 1, 1, "1")
        assert await world.finds("lien") == ["X:1"]

        second = await world.bring(NEWER, axis="anatomy", version="2")
        told = (await world.ask("GET", f"/vocabularies/versions/{second['id']}/difference")).json()
        assert (told["added"], told["removed"], told["renamed"]) == (1, 1, 1)
        assert told["removed_concepts"] == {"X:3": "liver"}
        assert told["renamed_concepts"] == [{"curie": "X:1", "before": "spleen", "after": "Spleen"}]
        await world.change(activate=[second["id"]])
        await world.recommended(3)
        assert await world.finds("liver") == []

        in_use = await world.ask("DELETE", f"/vocabularies/versions/{second['id']}")
        needed = await world.ask("DELETE", f"/vocabularies/versions/{first['id']}")
        assert (in_use.status_code, needed.status_code) == (409, 409)
        back = (await world.ask("POST", "/vocabularies/rollback")).json()
        assert (back["members"], back["active"]) == ({"X": first["id"]}, True)
        last = (await world.recommended(4))[-1]
        assert (last.vocabularies["X"], last.generation) == ("1", before.generation + 3)
        assert (await world.ask("DELETE", f"/vocabularies/versions/{second['id']}")).status_code == 204
        assert (await world.ask("POST", "/vocabularies/rollback")).json()["id"] == ""
        await world.recommended(5)
        assert await world.finds("spleen") == []
        assert (await world.ask("POST", "/vocabularies/rollback")).status_code == 409


async def test_what_fails_leaves_what_is_in_use_and_says_why(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        good = await world.bring(SITE, axis="anatomy", activate=True)
        await until(lambda: _found(world, "lien", ["X:1"]))
        bad = await world.bring("id\tname\nX:1\n", file="x.tsv")
        assert (bad["state"], bad["skipped_rows"][0]["line"], bad["skipped"]) == ("failed", 2, 1)
        circle = await world.bring("id\tname\tparents\nX:1\ta one\tX:2\nX:2\ta two\tX:1\n")
        assert circle["state"] == "failed"
        assert "X:1 < X:2" in circle["problem"]
        bomb = tmp_path / "bomb.zip"
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("a.tsv", bytes(50_000_000))
        assert "100 times" in (await world.bring(bomb.read_bytes(), file="bomb.zip"))["problem"]
        refused = await world.ask("POST", "/vocabularies/sets", json={"activate": [bad["id"]]})
        assert refused.status_code == 422
        listed = (await world.ask("GET", "/vocabularies/versions?name=X")).json()["items"]
        assert [one["active"] for one in listed] == [False, False, False, True]
        assert listed[-1]["id"] == good["id"]
        assert [blob async for blob in world.engine.blobs.each()] != []  # packages; what was sent is gone
        for one in await collection(world.engine, VocabularyVersion):
            if one.upload:
                with pytest.raises(NotFound):
                    await world.engine.blobs.stat(one.upload)


async def test_only_administrators_change_vocabularies_and_only_with_what_was_uploaded(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        body = {"name": "X", "upload": "0" * 64, "file": "x.tsv"}
        assert (await world.ask("POST", "/vocabularies/versions", role="annotator", json=body)).status_code == 403
        assert (await world.ask("POST", "/vocabularies/versions", json=body)).status_code == 404
        assert (await world.ask("POST", "/vocabularies/versions", json={**body, "name": "a b"})).status_code == 422
        assert (await world.ask("POST", "/vocabularies/sets", json={})).status_code == 422
        assert (await world.ask("POST", "/vocabularies/sets", json={"deactivate": "X"})).status_code == 404


async def test_a_release_of_snomed_ct_is_used_with_its_axes(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        release = rf2_release(tmp_path, packed=True)
        version = await world.bring(release.read_bytes(), name="SNOMEDCT", file=release.name)
        assert (version["format"], version["version"]) == ("rf2", "20260101")
        await world.change(activate=[version["id"]])
        await until(lambda: _found(world, "surg", ["SNOMEDCT:387713003"]))
        detail = (await world.ask("GET", "/concepts/SNOMEDCT:77477000")).json()
        assert (detail["iri"], detail["axis"]) == ("http://snomed.info/id/77477000", None)
        assert [one["curie"] for one in detail["parents"]] == ["SNOMEDCT:363679005"]
        assert (await world.ask("GET", "/concepts/SNOMEDCT:387713003")).json()["axis"] == "intervention"


async def test_the_axis_table_is_previewed_applied_and_rolled_back(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        assert (await world.ask("POST", "/vocabularies/axes/rollback")).status_code == 409
        table = (await world.ask("GET", "/vocabularies/axes")).json()
        kept = [rule for rule in table["rules"] if rule["vocabulary"] != "UBERON"]
        wanted = {"rules": [{"axis": "imaging", "vocabulary": "UBERON", "under": ["UBERON:1"]}, *kept]}
        told = (await world.ask("POST", "/vocabularies/axes/preview", json=wanted)).json()
        assert told["axes"] | {"anatomy": [2, 0], "imaging": [0, 1]} == told["axes"]
        assert sorted((one["after"] or "", one["concepts"], one["examples"]) for one in told["moves"]) == [
            ("", 1, {"UBERON:2": "femur"}),
            ("imaging", 1, {"UBERON:1": "hippocampus"}),
        ]
        assert (await world.ask("GET", "/concepts/UBERON:1")).json()["axis"] == "anatomy"  # a preview changes nothing
        answer = await world.ask("PUT", "/vocabularies/axes", json=wanted)
        assert (await world.ended(answer.headers["Location"]))["active"] is True
        await until(lambda: _on(world, "imaging"))
        assert (await world.ask("GET", "/vocabularies/axes")).json()["rules"][0]["axis"] == "imaging"
        answer = await world.ask("POST", "/vocabularies/axes/rollback")
        assert (await world.ended(answer.headers["Location"]))["state"] == "ready"
        await until(lambda: _on(world, "anatomy"))
        assert (await world.ask("GET", "/vocabularies/axes")).json() == table
        bad = {"rules": [{"axis": "cells", "vocabulary": "X"}]}
        assert (await world.ask("PUT", "/vocabularies/axes", json=bad)).status_code == 422


async def _on(world: World, axis: str) -> bool | None:
    return (await world.ask("GET", "/concepts/UBERON:1")).json()["axis"] == axis or None


async def test_work_that_a_process_left_is_done_by_the_next_and_twice_is_once(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        done = await world.bring(SITE, axis="anatomy")
    async with embedded(tmp_path / "data", MODELS) as engine:
        versions = engine.documents.collection(VocabularyVersion)
        upload = (await engine.blobs.put_bytes(SITE.encode())).sha256
        left = now() - 2 * leases.SILENCE
        await versions.insert(
            VocabularyVersion(
                id=new_id(), name="Y", release="", axis="anatomy", file="y.tsv", upload=upload, activate=True,
                state="running", run="dead", alive_at=left, person="ada", created_at=left,
            )
        )  # fmt: skip
        await engine.documents.collection(VocabularySet).insert(
            VocabularySet(
                id="5" * 32, members={"X": done["id"]}, state="running", run="dead", alive_at=left, person="ada",
                created_at=left,
            )
        )  # fmt: skip
    async with working(tmp_path) as world:
        await until(lambda: _found(world, "lien", ["X:1", "X:1"]))
        members = [one.members.keys() for one in await collection(world.engine, VocabularySet)]
        assert sorted(map(list, members)) == [["X"], ["X", "Y"]]


@pytest.mark.servers
@pytest.mark.timeout(180)
async def test_copies_on_the_distributed_engines_use_the_same_set_and_refresh_once(
    tmp_path: Path, mongodb: str
) -> None:
    from tests.support.servers import kafka, mongo

    name = f"vocabularies-{new_id()[:8]}"
    async with AsyncExitStack() as stack:
        copies = []
        for copy in ("one", "two"):
            folder = tmp_path / copy
            folder.mkdir()
            settings = Settings(
                data=folder / "data",
                bus=f"kafka://{kafka.address()}/{name}",
                documents=mongo.named(mongodb, name),
                blobs=f"file://{tmp_path / 'blobs'}",
                key="k" * 40,  # type: ignore[arg-type]
            )
            engine = await stack.enter_async_context(opened(settings, MODELS))
            stack.push_async_callback(engine.bus.stop)
            copies.append(await stack.enter_async_context(recommending(engine, folder, folder / "cache")))
        one, two = copies
        await one.engine.bus.publish([image_uploaded(legend="The spleen and the femur.")])
        await one.recommended(1)
        version = await one.bring(SITE, axis="anatomy", version="1")
        assert (await two.change(activate=[version["id"]]))["state"] == "ready"
        for world in copies:
            await until(lambda world=world: _found(world, "lien", ["X:1"]))  # type: ignore[misc]
        ready = await one.recommended(2)
        assert {found.curie for found in ready[-1].recommendations} == {"X:1", "UBERON:2"}
        assert [each.generation for each in ready] == [1, 2]

        async def refreshed() -> bool | None:
            (generation,) = await collection(one.engine, Generation)
            return generation.refreshed == 2 or None

        await until(refreshed)
        assert len(await one.recommended(2)) == 2


async def test_of_two_changes_of_one_set_the_later_fails_and_says_so(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        version = await world.bring(SITE, axis="anatomy")
    async with embedded(tmp_path / "data", MODELS) as engine:
        for number in (1, 2):  # as two processes at once may ask for
            await engine.documents.collection(VocabularySet).insert(
                VocabularySet(id=str(number) * 32, members={"X": version["id"]}, person="ada", created_at=now())
            )
    async with working(tmp_path) as world:
        first, second = [await world.ended(f"/api/v1/vocabularies/sets/{str(number) * 32}") for number in (1, 2)]
        assert (first["state"], first["active"]) == ("ready", True)
        assert (second["state"], second["active"]) == ("failed", False)
        assert "meanwhile" in second["problem"]


async def _found(world: World, word: str, curies: list[str]) -> bool | None:
    return sorted(await world.finds(word)) == curies or None


async def collection(engine: Engine, model: type[Any]) -> list[Any]:
    return (await engine.documents.collection(model).find(limit=100)).items
