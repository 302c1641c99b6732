"""Plans, the pool that annotators pull from, the project: through the door of annotation on the embedded engines."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.annotation import distribution
from services.annotation.consumers import Projections
from services.annotation.distribution import Distribution
from services.annotation.handouts import Handouts
from services.annotation.model import MODELS, Assignment, Guidelines, Handout, Standards, Waiting
from services.annotation.pulling import LEASE_SECONDS, Pulling
from shared import leases
from shared.access import Caller
from shared.clock import now
from shared.errors import Unavailable
from tests.integration.test_annotation import (
    ACCEPT,
    ADA,
    ADD,
    ADMINISTRATOR,
    EVE,
    GRACE,
    World,
    _Before,
    _death,
    deleted,
    person,
    recommended,
    running,
    uploaded,
)

BOB = person("bob", "annotator")
TEAM = [{"annotator": "ada", "reviewer": "grace"}, {"annotator": "bob", "reviewer": "grace"}]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


async def figures(world: World, count: int) -> None:
    await Projections(world.engine.documents).uploaded(
        [uploaded(f"f{number}", article=f"a{number // 3}") for number in range(count)]
    )


async def planned(world: World, **body: Any) -> dict[str, Any]:
    order = {"all_unassigned": True, "team": TEAM, "hidden_share": 0, **body}
    answer = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan", order)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def pooled(world: World, **body: Any) -> None:
    order = {"all_unassigned": True, "hidden_share": 0, **body}
    answer = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/pool", order)
    assert answer.status_code == 200, answer.text


async def pull(world: World, who: Caller) -> dict[str, Any] | None:
    # The gateway says who reviews a member's work.
    member = replace(who, reviewers={} if who is EVE else {"default": "grace"})
    answer = await world.send(member, "POST", "/api/v1/assignments/next")
    assert answer.status_code in (200, 204), answer.text
    return dict(answer.json()) if answer.content else None


async def pulled(world: World, who: Caller) -> str:
    sheet = await pull(world, who)
    assert sheet is not None
    return str(sheet["figure"]["id"])


async def made(world: World) -> list[Assignment]:
    return (await world.engine.documents.collection(Assignment).find(limit=1000)).items


async def test_a_preview_counts_what_applying_then_does(world: World) -> None:
    await figures(world, 30)
    preview = await planned(world, overlap_share=0.3, hidden_share=0.2)
    assert await made(world) == []
    applied = await planned(world, overlap_share=0.3, hidden_share=0.2, apply=True)
    assert preview == applied | {"applied": False}
    counts = Counter(one.annotator for one in await made(world))
    assert {one["annotator"]: one["figures"] for one in applied["people"]} == counts
    assert sum(one["hidden"] for one in applied["people"]) == sum(one.hidden for one in await made(world)) > 0
    assert (await planned(world, apply=True))["figures"] == 0


async def test_a_paper_stays_with_who_has_some_of_it(world: World) -> None:
    await figures(world, 21)
    await world.assigned("f4", annotator="bob")
    await planned(world, together="article", apply=True)
    people = {(one.article, one.annotator) for one in await made(world)}
    assert len(people) == 7
    assert ("a1", "bob") in people


async def test_hidden_recommendations_are_nowhere_to_be_seen(world: World) -> None:
    await world.told(uploaded(), recommended())
    await planned(world, hidden_share=1, apply=True)
    (assignment,) = await made(world)
    seen = (await world.send(ADA, "GET", f"/api/v1/assignments/{assignment.id}")).json()
    assert (seen["recommendations"]["hidden"], seen["recommendations"]["items"]) == (True, [])
    assert (await world.send(ADA, "GET", "/api/v1/figures/f1/recommendations")).status_code == 403
    assert (await world.decide(assignment.id, ACCEPT)).status_code == 422
    await world.decided(assignment.id, ADD)


@pytest.mark.parametrize(
    "body",
    [
        {"team": []},
        {"team": [{"annotator": "ada", "reviewer": "ada"}]},
        {"team": [TEAM[0], TEAM[0]]},
        {"overlap": 3, "overlap_share": 0.5},
        {"hidden_share": 1.5},
        {"article": "a1"},
        {"cursor": "nonsense"},
    ],
)
async def test_contradictory_orders_are_refused(world: World, body: dict[str, Any]) -> None:
    await figures(world, 3)
    order = {"all_unassigned": True, "team": TEAM, "apply": True, **body}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan", order)).status_code == 422
    assert await made(world) == []


async def test_next_is_what_was_returned_then_what_is_open_then_what_is_least_certain(world: World) -> None:
    await world.told(uploaded("sure"), uploaded("unsure"), uploaded("urgent"), recommended("unsure"))
    await pooled(world)
    await pooled(world, all_unassigned=None, figures=["urgent"], priority=9)
    assert await pulled(world, ADA) == "urgent"
    assert await pulled(world, ADA) == "urgent"
    sheet = await pull(world, ADA)
    assert sheet is not None
    await world.submit(sheet["id"], no_tag_applies=True)
    assert await pulled(world, ADA) == "unsure"
    await world.review(sheet["id"], "returned", "The eye.")
    assert await pulled(world, ADA) == "urgent"
    assert await pulled(world, BOB) == "sure"
    assert await pull(world, EVE) is None  # no member
    assert (await world.send(GRACE, "POST", "/api/v1/assignments/next")).status_code == 403


async def test_of_people_who_pull_at_once_nobody_gets_the_same(world: World) -> None:
    await figures(world, 12)
    people = [person(f"p{number}", "annotator") for number in range(10)]
    await pooled(world, overlap=2, overlap_share=0)
    got = await asyncio.gather(*(pulled(world, one) for one in people))
    assert len(set(got)) == 10


async def test_overlapping_figures_go_to_as_many_people_as_wanted(world: World) -> None:
    await figures(world, 1)
    await pooled(world, overlap=2, overlap_share=1)
    assert (await pulled(world, ADA), await pulled(world, BOB)) == ("f0", "f0")
    (waiting,) = (await world.engine.documents.collection(Waiting).find()).items
    assert (waiting.open, waiting.taken, waiting.claiming) == (False, ("ada", "bob"), None)


async def test_a_pulled_figure_that_is_not_begun_goes_back(world: World) -> None:
    await figures(world, 1)
    await pooled(world)
    sheet = await pull(world, ADA)
    assert sheet is not None
    assert await pull(world, BOB) is None
    assignments = world.engine.documents.collection(Assignment)

    async def late(id: str) -> None:
        await assignments.update(
            id,
            lambda one: (one.changed(leased_until=one.leased_until and one.leased_until - LEASE_SECONDS - 1), []),
        )

    await late(sheet["id"])
    assert await pulled(world, BOB) == "f0"
    assert (await assignments.get(sheet["id"])).state == "released"
    mine = await pull(world, BOB)
    assert mine is not None
    answer = await world.send(BOB, "POST", f"/api/v1/assignments/{mine['id']}/decisions", ADD)
    assert answer.status_code == 200
    await late(mine["id"])
    assert await pull(world, ADA) is None  # it was begun


async def test_a_claim_broken_off_is_completed_by_asking_again(world: World) -> None:
    await figures(world, 2)
    await pooled(world)
    dying = Pulling(world.engine.documents)
    dying._giving._assignments = _Before(dying._giving._assignments, "insert_many", _death)
    with pytest.raises(Unavailable):
        await dying.next(replace(ADA, reviewers={"default": "grace"}), "default")
    (claimed,) = (
        await world.engine.documents.collection(Waiting).find({"project": "default", "claiming": "ada"})
    ).items
    assert await pulled(world, BOB) != claimed.id
    assert await pulled(world, ADA) == claimed.id
    assert len(await made(world)) == 2


async def test_an_erased_figure_is_not_pulled(world: World) -> None:
    await figures(world, 1)
    await pooled(world)
    await world.told(deleted("f0"))
    assert await pull(world, ADA) is None
    for model in (one for one in MODELS if one not in (Guidelines, Standards)):
        assert await world.engine.documents.collection(model).count({}) == 0, model.collection


async def test_guidelines_have_versions_that_decisions_name(world: World) -> None:
    path = "/api/v1/projects/default/guidelines"
    assert (await world.send(ADA, "GET", path)).json()["number"] == 0
    assert (await world.send(ADA, "PUT", path, {"text": "Mine."})).status_code == 403
    for number, text in ((1, "# Shown"), (2, "# Mentioned"), (2, "# Mentioned")):
        assert (await world.send(ADMINISTRATOR, "PUT", path, {"text": text})).json()["number"] == number
    stale = await world.send(ADMINISTRATOR, "PUT", path, {"text": "Other.", "number": 1})
    assert (stale.status_code, stale.json()["difference"]) == (409, {"number": {"yours": 1, "theirs": 2}})
    assert (await world.send(ADA, "GET", f"{path}?number=1")).json()["text"] == "# Shown"
    await figures(world, 1)
    id = await world.assigned("f0")
    await world.decided(id, ADD)
    history = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history")).json()["items"]
    assert [entry["guidelines"] for entry in history] == [None, 2]


async def test_who_would_see_nothing_of_a_withheld_figure_is_not_given_it_with_all_others(world: World) -> None:
    held = {"picture": None, "withheld": True}
    told = [
        uploaded("shown", legend=""),
        uploaded("legend").model_copy(update=held),
        uploaded("technical", legend="").model_copy(update=held),
        uploaded("blank", legend="").model_copy(update=held),
    ]
    await world.told(*told, recommended("technical"), recommended("blank").model_copy(update={"recommendations": []}))
    assert (await planned(world))["figures"] == 3
    people = {"annotator": "ada", "reviewer": "grace"}
    given = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", {"all_unassigned": True, **people})
    assert {one["figure"] for one in given.json()["items"]} == {"shown", "legend", "technical"}
    # By name it can be given, and says why there is nothing to see; an administrator's look ends that.
    given = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", {"figures": ["blank"], **people})
    address = f"/api/v1/assignments/{given.json()['items'][0]['id']}"
    seen = (await world.send(ADA, "GET", address)).json()["figure"]
    assert (seen["withheld"], seen["display_url"]) == (True, None)
    await world.told(uploaded("blank", legend="", revision=2))
    seen = (await world.send(ADA, "GET", address)).json()["figure"]
    assert (seen["withheld"], seen["display_url"] is None) == (False, False)


async def test_a_plan_in_the_background_goes_on_where_a_death_cut_it_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distribution, "_PAGE", 3)
    monkeypatch.setattr(distribution, "ASSIGNED_AT_ONCE", 3)
    await figures(world, 12)
    documents = world.engine.documents
    await world.service.stop()  # who works on it is chosen here
    one, another = (Handouts(documents, Distribution(documents)) for _ in range(2))  # two processes
    order = {"team": TEAM, "hidden_share": 0}
    begun = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan/job", order)
    assert (begun.status_code, begun.json()["total"], begun.json()["looked"]) == (202, 12, 0)
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan/job", order)).status_code == 409
    assert await one.step()
    assert len(await made(world)) == 3
    assert not await another.step()  # somebody works on it

    # It dies after it gave some of the next figures, before it noted that.
    jobs = documents.collection(Handout)
    one._distribution._giving._assignments = _Before(one._distribution._giving._assignments, "get_many", _death)
    with pytest.raises(Unavailable):
        await one.step()
    assert len(await made(world)) == 6
    assert not await another.step()  # as far as anybody knows, it lives
    await jobs.update("default", lambda one: (one.changed(alive_at=now() - 2 * leases.SILENCE), ()))
    while await another.step():
        pass
    people = Counter(each.figure for each in await made(world))
    assert people == Counter({f"f{number}": 1 for number in range(12)})
    done = (await world.send(ADMINISTRATOR, "GET", "/api/v1/assignments/plan/job")).json()
    assert (done["state"], done["looked"], done["figures"]) == ("done", 12, 12)
    assert {share["annotator"]: share["figures"] for share in done["people"]} == Counter(
        each.annotator for each in await made(world)
    )

    await figures(world, 18)
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan/job", order)).status_code == 202
    stopped = (await world.send(ADMINISTRATOR, "DELETE", "/api/v1/assignments/plan/job")).json()
    assert stopped["state"] == "stopped"
    assert not await another.step()
    assert len(await made(world)) == 12


async def test_what_somebody_has_to_tag_goes_to_others_after_a_preview(world: World) -> None:
    await figures(world, 4)
    for number in range(4):
        await world.assigned(f"f{number}", annotator="ada")
    await world.assigned("f0", annotator="bob")
    order = {"of": "ada", "team": [TEAM[1]]}
    preview = (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/move", order)).json()
    assert (preview["figures"], preview["shared"], preview["applied"]) == (3, 1, False)
    assert {one.annotator for one in await made(world) if one.figure == "f1"} == {"ada"}

    moved = (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/move", order | {"apply": True})).json()
    assert (moved["figures"], moved["people"][0]["figures"], moved["next"]) == (3, 3, None)
    has = {(one.figure, one.annotator) for one in await made(world) if one.state == "open"}
    assert has == {("f0", "ada"), ("f0", "bob"), ("f1", "bob"), ("f2", "bob"), ("f3", "bob")}
    again = (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/move", order | {"apply": True})).json()
    assert again["figures"] == 0

    back = {"of": "bob", "figures": ["f1", "f2"], "apply": True}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/move", back)).json()["figures"] == 2
    assert {one.state for one in await made(world) if one.figure in ("f1", "f2")} == {"released"}
    own = {"of": "ada", "team": [TEAM[0]]}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/move", own)).status_code == 422
