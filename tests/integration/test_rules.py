"""What a project allows and asks of tags: through the door of annotation on the embedded engines."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.events.recommendation import Equivalent
from tests.integration.test_annotation import ACCEPT, ADA, ADMINISTRATOR, World, recommended, running, uploaded

PATH = "/api/v1/projects/default/rules"
RETINA = {"kind": "add", "axis": "anatomy", "curie": "UBERON:0000966", "label": "retina", "ontology": "UBERON"}
TEXT = {"kind": "add", "axis": "imaging", "text": "light sheet"}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        await world.told(uploaded("f1"), recommended("f1"))
        yield world


async def ruled(world: World, **asked: Any) -> dict[str, Any]:
    answer = await world.send(ADMINISTRATOR, "PUT", PATH, asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def sent(world: World, id: str, what: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    answer = await world.send(ADA, "POST", f"/api/v1/assignments/{id}/{what}", body)
    return answer.status_code, dict(answer.json())


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"axes": ["anatomy"], "required": ["disease"]}, "required"),
        ({"required": ["anatomy", "disease"], "max_tags": 1}, "max_tags"),
        ({"axes": ["anatomy"], "preferred": {"disease": ["MONDO"]}}, "preferred"),
    ],
)
async def test_rules_that_contradict_each_other_are_refused(world: World, asked: dict[str, Any], field: str) -> None:
    answer = await world.send(ADMINISTRATOR, "PUT", PATH, asked)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.json()["remedy"]


async def test_rules_are_a_manager_s_and_not_overwritten_unseen(world: World) -> None:
    assert (await world.send(ADA, "GET", PATH)).json()["version"] == 0
    assert (await world.send(ADA, "PUT", PATH, {})).status_code == 403
    assert (await ruled(world, max_tags=3))["version"] == 1
    assert (await world.send(ADMINISTRATOR, "PUT", PATH, {}, If_Match='"0"')).status_code == 409


async def test_what_is_not_allowed_is_not_decided(world: World) -> None:
    id = await world.assigned("f1")
    await ruled(world, axes=["anatomy", "imaging"], free_text=False, max_tags=1)
    status, told = await sent(world, id, "decisions", {**RETINA, "axis": "disease"})
    assert (status, told["field"]) == (422, "axis")
    status, told = await sent(world, id, "decisions", TEXT)
    assert (status, told["field"]) == (422, "text")
    assert (await sent(world, id, "decisions", RETINA))[0] == 200
    assert (await sent(world, id, "decisions", RETINA))[0] == 200  # the same again
    status, told = await sent(world, id, "decisions", {**RETINA, "curie": "UBERON:1"})
    assert (status, told["field"]) == (422, "max_tags")
    assert (await sent(world, id, "decisions", {"kind": "withdraw", "key": "UBERON:0000966|present"}))[0] == 200


async def test_recommendations_on_axes_that_are_not_in_use_are_not_shown(world: World) -> None:
    id = await world.assigned("f1")
    before = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
    assert [item["axis"] for item in before["recommendations"]["items"]] == ["anatomy"]
    await ruled(world, axes=["disease"])
    sheet = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
    assert (sheet["recommendations"]["items"], sheet["rules"]["axes"]) == ([], ["disease"])
    assert (await sent(world, id, "decisions", ACCEPT))[0] == 422


async def test_every_required_axis_needs_a_tag_or_that_none_applies(world: World) -> None:
    id = await world.assigned("f1")
    await ruled(world, required=["anatomy", "imaging"])
    await sent(world, id, "decisions", RETINA)
    status, told = await sent(world, id, "submit", {})
    assert (status, told["field"]) == (422, "no_tag_on")
    assert "imaging" in told["detail"]
    assert (await sent(world, id, "submit", {"no_tag_on": ["anatomy", "imaging"]}))[0] == 422  # retina is anatomy
    status, sheet = await sent(world, id, "submit", {"no_tag_on": ["imaging"]})
    assert (status, sheet["state"], sheet["no_tag_on"]) == (200, "submitted", ["imaging"])
    assert (await sent(world, id, "submit", {"no_tag_on": ["imaging"]}))[0] == 200  # the same again


async def test_no_tag_applies_answers_for_all_axes_where_the_project_takes_it(world: World) -> None:
    id = await world.assigned("f1")
    await ruled(world, required=["anatomy"], no_tag_allowed=False)
    assert (await sent(world, id, "submit", {"no_tag_applies": True}))[0] == 422
    await ruled(world, required=["anatomy"])
    status, sheet = await sent(world, id, "submit", {"no_tag_applies": True})
    assert (status, sheet["no_tag_on"]) == (200, ["anatomy"])


async def test_what_several_ontologies_have_is_shown_and_tagged_as_the_project_prefers(world: World) -> None:
    event = recommended("f1", generation=1)
    (retina,) = event.recommendations
    others = [
        Equivalent(iri=None, curie="MESH:D012160", label="Retina", ontology="MESH"),
        Equivalent(iri=None, curie="SITE:1", label="retina", ontology="SITE"),  # of a vocabulary without a version
    ]
    several = retina.model_copy(update={"equivalents": others})
    versions = {"UBERON": "2024-01-18", "MESH": "2026"}
    await world.told(event.model_copy(update={"recommendations": [several], "vocabularies": versions}))
    id = await world.assigned("f1")

    async def shown() -> tuple[str, list[str], str | None]:
        sheet = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
        (item,) = sheet["recommendations"]["items"]
        alone = (await world.send(ADMINISTRATOR, "GET", "/api/v1/figures/f1/recommendations")).json()
        assert [one["curie"] for one in alone["items"]] == [item["curie"]]
        return (
            item["curie"],
            [one["curie"] for one in item["equivalents"]],
            item["decision"] and item["decision"]["key"],
        )

    assert await shown() == ("UBERON:0000966", ["MESH:D012160", "SITE:1"], None)
    await ruled(world, preferred={"anatomy": ["SITE", "MESH"]})
    assert await shown() == ("MESH:D012160", ["UBERON:0000966", "SITE:1"], None)
    status, sheet = await sent(world, id, "decisions", ACCEPT)
    (tag,) = sheet["tags"]
    assert (status, tag["curie"], tag["label"], tag["ontology"]) == (200, "MESH:D012160", "Retina", "MESH")
    assert (tag["vocabulary_version"], tag["score"]) == ("2026", 0.9)
    await ruled(world)
    assert await shown() == ("UBERON:0000966", ["MESH:D012160", "SITE:1"], "MESH:D012160|present")
    _, sheet = await sent(world, id, "decisions", ACCEPT)  # again, by its other name: still one tag
    assert [tag["curie"] for tag in sheet["tags"]] == ["UBERON:0000966"]
