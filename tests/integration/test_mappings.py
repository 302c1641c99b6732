"""Mappings between vocabularies: sent, read, used by exports, taken back, over real embedded engines."""

import csv
import io
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree

import services.export
from services.export import service as export
from services.export.mapping_use import MappingUse
from services.export.model import MODELS as EXPORT_MODELS
from services.export.model import FigureRecord, MappingsRecord
from services.recommender import service as recommender
from services.recommender.loading import Library
from services.recommender.model import MODELS as RECOMMENDER_MODELS
from services.recommender.model import CurrentMappings, MappingSet, MappingVersion
from shared import leases
from shared.access import Caller
from shared.clock import new_id, now
from shared.engine import Engine, opened
from shared.events.envelope import Event
from shared.events.mapping import MappingsActivated
from shared.service import Service
from shared.settings import Settings
from tests.support.builders import image_uploaded, review_done, tag
from tests.support.embedded import at_work, embedded
from tests.support.site import Site, until

MODELS = (*EXPORT_MODELS, *RECOMMENDER_MODELS)
CACHE = Path(tempfile.gettempdir(), f"mitagger-test-mappings-{os.getpid()}")  # what is the same compiles once
SSSOM = (
    "#curie_map:\n#  mondo: http://purl.obolibrary.org/obo/MONDO_\n#  SCTID: http://snomed.info/id/\n"
    '#mapping_set_version: "{version}"\n'
    "subject_id\tpredicate_id\tobject_id\tobject_label\tmapping_justification\n"
    "mondo:1\tskos:exactMatch\tSCTID:{glioma}\tGlioma (disorder)\tsemapv:ManualMappingCuration\n"
    "mondo:2\tskos:broadMatch\tSCTID:64572001\t=Disease\tsemapv:LexicalMatching\n"
    "mondo:3\tskos:exactMatch\tSCTID:31\tA\tsemapv:LexicalMatching\n"
    "mondo:3\tskos:exactMatch\tSCTID:32\tB\tsemapv:LexicalMatching\n"
)
FIRST, SECOND = SSSOM.format(version="1", glioma="393564001"), SSSOM.format(version="2", glioma="393564999")


def mondo(number: int, label: str, **more: Any) -> Any:
    iri = f"http://purl.obolibrary.org/obo/MONDO_{number}"
    curie = f"MONDO:{number}"
    return tag(key=f"{curie}|present", axis="disease", curie=curie, iri=iri, label=label, ontology="MONDO", **more)


class World(Site):
    """Recommender and export."""

    async def bring(self, content: str, **more: Any) -> dict[str, Any]:
        return await self.sent(content, "/mappings/versions", **{"name": "mondo-snomed", "file": "x.sssom.tsv", **more})

    async def change(self, **body: Any) -> dict[str, Any]:
        return await self.begun("/mappings/sets", body)

    async def leads(self, set: str) -> dict[str, int]:
        """Where mappings lead, when export knows of this set."""

        async def targets() -> dict[str, int] | None:
            found = (await self.ask("GET", "/mappings/targets", "export")).json()
            known = (found["mappings"] or {"set": ""})["set"] == set
            return {one["vocabulary"]: one["concepts"] for one in found["targets"]} if known else None

        return dict(await until(targets))

    async def export(self, **body: Any) -> tuple[dict[str, Any], bytes]:
        answer = await self.ask("POST", "/exports", "export", json=body)
        assert answer.status_code == 202, answer.text

        async def state() -> dict[str, Any] | None:
            found: dict[str, Any] = (await self.ask("GET", f"/exports/{answer.json()['id']}", "export")).json()
            return found if found["state"] != "running" else None

        job = await until(state)
        assert job["state"] == "done", job
        grant = self.engine.signer.granted(job["url"].removeprefix("/api/v1/files/"))
        return job, await self.engine.blobs.read(grant.blob)

    async def rows(self, **body: Any) -> list[dict[str, str]]:
        _, content = await self.export(**body)
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))

    async def tell(self, *events: Event) -> None:
        await self.engine.bus.publish(events)
        await self.engine.bus.settled(timeout=20)  # type: ignore[attr-defined]


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[World]:
    async with embedded(folder / "data", MODELS) as engine, serving(engine, folder) as world:
        yield world


@asynccontextmanager
async def serving(engine: Engine, folder: Path) -> AsyncIterator[World]:
    """Recommender and export at work on these engines."""
    shelf = folder / "vocabularies"
    shelf.mkdir(exist_ok=True)
    (shelf / "MONDO.tsv").write_text("id\tname\tscope\nMONDO:1\tglioma\tLABEL\n", encoding="utf-8")
    library = Library(Settings(data=folder / "unused", cache=CACHE, vocabularies=shelf))
    services: dict[str, Service] = {
        "recommender": recommender.build(engine, library=library),
        "export": export.build(engine),
    }
    async with at_work(engine, *services.values()):
        yield World(engine, services)


@pytest.fixture(scope="module", autouse=True)
def cache() -> Iterator[None]:
    yield
    shutil.rmtree(CACHE, ignore_errors=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommender, "POLL_SECONDS", 0.05)


async def test_mappings_are_imported_used_by_exports_replaced_and_rolled_back(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        own = tag(key="s", axis="disease", curie="SNOMEDCT:7", iri="http://snomed.info/id/7", label="own", ontology="X")
        await world.tell(
            image_uploaded(figure="f1"),
            image_uploaded(figure="f2", label="Figure 2"),
            image_uploaded(figure="f3", label="Figure 3"),
            review_done(figure="f1", tags=[mondo(1, "glioma"), mondo(2, "odd"), mondo(3, "two"), own]),
            review_done(figure="f2", tags=[mondo(1, "glioma"), mondo(4, "unknown")]),
            review_done(figure="f3", tags=[tag()]),
        )
        plain = await world.rows(format="csv")
        refused = await world.ask("POST", "/exports", "export", json={"map_to": "SNOMEDCT"})
        assert refused.status_code == 422
        assert "No mappings to SNOMEDCT are in use." in refused.text

        first = await world.bring(FIRST)
        assert (first["version"], first["mappings"], first["skipped"], first["format"]) == ("1", 4, 0, "sssom")
        used = await world.change(activate=[first["id"]])
        assert (used["state"], used["pairs"]) == ("ready", 4), used
        assert await world.leads(used["id"]) == {"SNOMEDCT": 4, "MONDO": 3}

        rows = await world.rows(format="csv", map_to="SNOMEDCT")
        assert [(row["curie"], row["mapped_iri"], row["mapped_label"], row["mapping_predicate"]) for row in rows] == [
            ("MONDO:1", "http://snomed.info/id/393564001", "Glioma (disorder)", "skos:exactMatch"),
            ("MONDO:2", "http://snomed.info/id/64572001", "'=Disease", "skos:broadMatch"),
            ("SNOMEDCT:7", "http://snomed.info/id/7", "own", "skos:exactMatch"),
            ("MONDO:3", "", "", ""),
            ("MONDO:1", "http://snomed.info/id/393564001", "Glioma (disorder)", "skos:exactMatch"),
            ("MONDO:4", "", "", ""),
            ("UBERON:0001954", "", "", ""),
        ]  # fmt: skip
        assert [{k: v for k, v in row.items() if not k.startswith("mapp")} for row in rows] == plain
        assert await world.rows(format="csv") == plain

        job, content = await world.export(format="xml", map_to="SNOMEDCT")
        schema = etree.XMLSchema(etree.parse(Path(services.export.__file__).with_name("figures.xsd")))
        root = etree.fromstring(content, etree.XMLParser(schema=schema, resolve_entities=False))
        assert (root.get("mappedTo"), root.get("mappings")) == ("SNOMEDCT", job["mappings"]["artefact"])
        assert job["mappings"]["versions"] == {"mondo-snomed": "1"}
        mapped = [one.get("mappedCurie") for one in root.iter("{*}tag")]
        assert mapped == [
            "SNOMEDCT:393564001",
            "SNOMEDCT:64572001",
            "SNOMEDCT:7",
            None,
            "SNOMEDCT:393564001",
            None,
            None,
        ]

        second = await world.bring(SECOND)
        newer = await world.change(activate=[second["id"]])
        await world.leads(newer["id"])
        assert (await world.rows(map_to="SNOMEDCT"))[0]["mapped_curie"] == "SNOMEDCT:393564999"
        for id in (first["id"], second["id"]):  # a rollback's, and in use
            assert (await world.ask("DELETE", f"/mappings/versions/{id}")).status_code == 409
        assert (await world.ask("POST", "/mappings/rollback")).json()["id"] == used["id"]
        await world.leads(used["id"])
        assert (await world.rows(map_to="SNOMEDCT"))[0]["mapped_curie"] == "SNOMEDCT:393564001"
        assert (await world.ask("DELETE", f"/mappings/versions/{second['id']}")).status_code == 204
        assert (await world.ask("POST", "/mappings/rollback")).json()["id"] == ""
        assert await world.leads("") == {}


async def test_a_remap_says_what_would_become_of_the_tags_in_use_and_changes_none(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        await world.tell(
            image_uploaded(figure="f1"),
            image_uploaded(figure="f2"),
            review_done(
                figure="f1", tags=[mondo(1, "glioma"), mondo(1, "glioma", assertion="absent"), mondo(3, "two")]
            ),
            review_done(figure="f2", tags=[mondo(1, "glioma"), mondo(2, "odd"), mondo(4, "unknown"), tag()]),
        )
        used = await world.change(activate=[(await world.bring(FIRST))["id"]])
        await world.leads(used["id"])
        before = [row async for row in figures(world)]
        answer = await world.ask("GET", "/mappings/remap?from=MONDO&to=SNOMEDCT", "export")
        found = answer.json()
        assert (found["concepts"], found["tags"], found["figures"]) == (4, 6, 2)
        assert {one: tuple(counts.values()) for one, counts in found["outcomes"].items()} == {
            "exact": (1, 3, 2),
            "close": (0, 0, 0),
            "broad": (1, 1, 1),
            "narrow": (0, 0, 0),
            "ambiguous": (1, 1, 1),
            "unmapped": (1, 1, 1),
        }
        assert [(one["curie"], one["tags"], one["figures"], len(one["targets"])) for one in found["changes"]] == [
            ("MONDO:1", 3, 2, 1), ("MONDO:2", 1, 1, 1), ("MONDO:3", 1, 1, 2), ("MONDO:4", 1, 1, 0),
        ]  # fmt: skip
        back = (await world.ask("GET", "/mappings/remap?from=SNOMEDCT&to=MONDO", "export")).json()
        assert (back["concepts"], back["changes"]) == (0, [])
        for query in ("from=MONDO&to=mondo", "from=MONDO&to=NCIT", "from=MONDO&to=a%20b", "from=MONDO"):
            assert (await world.ask("GET", f"/mappings/remap?{query}", "export")).status_code == 422
        assert [row async for row in figures(world)] == before


async def figures(world: World) -> AsyncIterator[FigureRecord]:
    for one in (await world.engine.documents.collection(FigureRecord).find()).items:
        yield one


async def test_what_an_imported_vocabulary_says_of_others_becomes_mappings(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        obo = (
            b"format-version: 1.2\n\n[Term]\nid: X:1\nname: glioma\nxref: SCTID:1\nxref: MSH:D5\nxref: Wikipedia:G x\n"
        )
        upload = (await world.engine.blobs.put_bytes(obo)).sha256
        body = {"name": "X", "upload": upload, "file": "x.obo", "version": "5"}
        answer = await world.ask("POST", "/vocabularies/versions", json=body)
        id = answer.json()["id"]

        async def there() -> bool | None:
            return (await world.ask("GET", f"/vocabularies/versions/{id}")).json()["state"] == "ready" or None

        await until(there)
        taken = await world.begun("/mappings/versions", {"name": "x-xrefs", "vocabulary": id, "activate": True})
        assert (taken["version"], taken["format"], taken["mappings"], taken["vocabulary"]) == ("5", "vocabulary", 3, id)

        async def used() -> str | None:
            page = (await world.ask("GET", "/mappings/sets")).json()["items"]
            return next((one["id"] for one in page if one["active"]), None)

        assert await world.leads(await until(used)) == {"X": 1, "MESH": 1, "SNOMEDCT": 1, "WIKIPEDIA": 1}
        both = {"name": "x", "vocabulary": id, "upload": upload, "file": "x"}
        assert (await world.ask("POST", "/mappings/versions", json=both)).status_code == 422


async def test_a_failed_import_leaves_what_is_in_use(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        used = await world.change(activate=[(await world.bring(FIRST))["id"]])
        await world.leads(used["id"])
        failed = await world.bring("subject_id\tpredicate_id\tobject_id\nx\ty\n", activate=True)
        assert (failed["state"], failed["skipped"]) == ("failed", 1)
        assert "holds no mappings" in failed["problem"]
        assert failed["skipped_rows"][0]["line"] == 2
        assert (await world.ask("POST", "/mappings/sets", json={"activate": [failed["id"]]})).status_code == 422
        assert (await world.ask("GET", f"/mappings/sets/{used['id']}")).json()["active"]
        assert (await world.rows(map_to="SNOMEDCT")) == []


async def test_work_that_a_process_left_is_done_by_the_next_and_said_once(tmp_path: Path) -> None:
    async with working(tmp_path) as world:
        version = await world.bring(FIRST)
    async with embedded(tmp_path / "data", MODELS) as engine:
        upload = (await engine.blobs.put_bytes(FIRST.encode())).sha256
        left = now() - 2 * leases.SILENCE
        common: dict[str, Any] = {
            "state": "running", "run": "dead", "alive_at": left, "person": "ada", "created_at": left,
        }  # fmt: skip
        half = MappingVersion(
            id=new_id(), name="half", release="", file="x.sssom.tsv", upload=upload, vocabulary="", least=0.0, **common
        )
        await engine.documents.collection(MappingVersion).insert(half)
        one = MappingSet(id=new_id(), members={"mondo-snomed": version["id"]}, **common)
        await engine.documents.collection(MappingSet).insert(one)
    async with working(tmp_path) as world:
        await world.leads(one.id)
        imported = world.engine.documents.collection(MappingVersion)

        async def read() -> bool | None:
            return (await imported.get(half.id)).state == "ready" or None

        await until(read)
        events = (await world.engine.bus.read([MappingsActivated])).events
        assert [(said.set, said.revision) for said in events if isinstance(said, MappingsActivated)] == [(one.id, 1)]
        # As a process that died after the switch, before the set was ready.
        sets = world.engine.documents.collection(MappingSet)
        await sets.update(one.id, lambda found: (found.changed(state="running", run="dead", alive_at=left), ()))

        async def done() -> bool | None:
            return (await sets.get(one.id)).state == "ready" or None

        await until(done)
        assert (await world.engine.documents.collection(CurrentMappings).get(CurrentMappings.ID)).version == 1
        assert len((await world.engine.bus.read([MappingsActivated])).events) == 1


async def test_what_is_in_use_is_told_again_as_it_was(tmp_path: Path) -> None:
    async with working(tmp_path) as world:

        async def told() -> list[Event]:
            return (await world.engine.bus.read((MappingsActivated,))).events

        async def again(*topics: str) -> httpx.Response:
            caller = Caller("root", {"default": frozenset({"administrator"})})
            token = world.engine.signer.token(caller, "recommender")
            hop = world._hops["recommender"]
            return await hop.request("POST", "/internal/republish", token=token, json={"topics": list(topics)})

        assert (await again("mappings.activated")).json() == {"republished": 0}  # nothing ever was
        await world.change(activate=[(await world.bring(FIRST))["id"]])
        for use in (lambda: world.ask("GET", "/mappings/sets"), lambda: world.ask("POST", "/mappings/rollback")):
            await use()
            before = await told()
            assert (await again("mappings.activated")).json() == {"republished": 1}
            assert [one.model_dump() for one in await told()] == [one.model_dump() for one in (*before, before[-1])]
            assert (await told())[-1].time == before[-1].time
        assert (await again("image.uploaded")).status_code == 422


async def test_news_of_mappings_twice_late_and_in_any_order_are_the_newest_once(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        records = engine.documents.collection(MappingsRecord)
        use = MappingUse(engine.documents.collection(FigureRecord), records, engine.blobs)
        said = [
            MappingsActivated(
                time=now(),
                project="default",
                actor="ada",
                revision=n,
                set=str(n),
                artefact=None if n == 3 else "a" * 64,
            )
            for n in (1, 2, 3)
        ]
        for order in ((1, 0, 1), (2, 0, 2, 1)):
            await use.handle([said[n] for n in order])
            stored = await records.get(MappingsRecord.ID)
            assert stored.revision == max(order) + 1
        assert stored.mappings is None


@pytest.mark.servers
@pytest.mark.timeout(180)
async def test_mappings_are_used_and_left_on_the_distributed_engines(tmp_path: Path, mongodb: str) -> None:
    from tests.support.servers import kafka, mongo

    name = f"mappings-{new_id()[:8]}"
    settings = Settings(
        data=tmp_path / "data",
        bus=f"kafka://{kafka.address()}/{name}",
        documents=mongo.named(mongodb, name),
        blobs=f"file://{tmp_path / 'blobs'}",
        key="k" * 40,  # type: ignore[arg-type]
    )
    async with opened(settings, MODELS) as engine:
        try:
            async with serving(engine, tmp_path) as world:
                used = await world.change(activate=[(await world.bring(FIRST))["id"]])
                assert await world.leads(used["id"]) == {"SNOMEDCT": 4, "MONDO": 3}
                assert (await world.ask("POST", "/mappings/rollback")).json()["id"] == ""
                assert await world.leads("") == {}
        finally:
            await engine.bus.stop()
