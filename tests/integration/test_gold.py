"""Gold figures, qualification, sampling of reviews: through the door of annotation on the embedded engines."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.annotation.assigning import Pair, drawn
from services.annotation.consumers import Projections
from services.annotation.giving import Giving, new_assignment
from services.annotation.model import Assignment, Figure, Review, Standards, Trial
from services.annotation.quality import Quality
from shared.access import Caller
from shared.clock import now
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted
from tests.integration.test_annotation import (
    ACCEPT,
    ADA,
    ADD,
    ADMINISTRATOR,
    EVE,
    GRACE,
    World,
    deleted,
    person,
    recommended,
    running,
    uploaded,
)

BOB = person("bob", "annotator")
SECRET = {"kind": "add", "axis": "disease", "curie": "MONDO:1", "label": "secret disease", "ontology": "MONDO"}
TEAM = [{"annotator": "ada", "reviewer": "grace"}, {"annotator": "bob", "reviewer": "grace"}]
STANDARDS = "/api/v1/projects/default/standards"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


async def did(world: World, who: Caller, method: str, path: str, json: Any = None) -> Any:
    answer = await world.send(who, method, path, json)
    assert answer.status_code in (200, 201, 204), answer.text
    return answer.json() if answer.content else None


async def tagged(world: World, who: Caller, id: str, *commands: dict[str, Any]) -> dict[str, Any]:
    for command in commands:
        await did(world, who, "POST", f"/api/v1/assignments/{id}/decisions", command)
    none = {"no_tag_applies": not commands}
    return dict(await did(world, who, "POST", f"/api/v1/assignments/{id}/submit", none))


async def gold(world: World, count: int = 1, *commands: dict[str, Any]) -> None:
    """Figures g0, g1, …: tagged by Eve, approved by Grace, marked."""
    figures = [f"g{number}" for number in range(count)]
    await Projections(world.engine.documents).uploaded([uploaded(one, article="gold") for one in figures])
    for figure in figures:
        id = await world.assigned(figure, annotator="eve")
        await tagged(world, EVE, id, *(commands or (ADD, SECRET)))
        await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/review", {"verdict": "approved", "comment": ""})
        await did(world, ADMINISTRATOR, "PUT", f"/api/v1/figures/{figure}/gold")


async def figures(world: World, count: int) -> None:
    await Projections(world.engine.documents).uploaded([uploaded(f"f{number}") for number in range(count)])


async def pooled(world: World, count: int) -> None:
    await figures(world, count)
    order = {"figures": [f"f{number}" for number in range(count)], "hidden_share": 0}
    await did(world, ADMINISTRATOR, "POST", "/api/v1/assignments/pool", order)


async def standards(world: World, **asked: Any) -> None:
    await did(world, ADMINISTRATOR, "PUT", STANDARDS, asked)
    # What is drawn is the same each time.
    await world.engine.documents.collection(Standards).update(
        "default", lambda current: (current.changed(seed="seed"), [])
    )


def at_work(who: Caller) -> Caller:
    """As the gateway tells of a member: with who reviews their work."""
    return replace(who, reviewers={"default": "grace"})


async def pulled(world: World, who: Caller) -> dict[str, Any]:
    sheet = await did(world, at_work(who), "POST", "/api/v1/assignments/next")
    assert sheet is not None
    return dict(sheet)


async def scores(world: World, person: str) -> list[dict[str, Any]]:
    return list((await did(world, ADMINISTRATOR, "GET", f"/api/v1/projects/default/scores/{person}"))["items"])


# Gold


async def test_gold_is_the_final_tags_of_an_approved_figure_in_versions(world: World) -> None:
    await figures(world, 1)
    assert (await world.send(ADMINISTRATOR, "PUT", "/api/v1/figures/f0/gold")).status_code == 409
    await gold(world)
    marked = await did(world, ADMINISTRATOR, "PUT", "/api/v1/figures/g0/gold")
    assert (marked["active"], marked["number"], marked["current"]) == (True, 1, True)
    assert {tag["label"] for tag in marked["tags"]} == {"eye", "secret disease"}

    (id,) = [one.id for one in (await world.engine.documents.collection(Assignment).find()).items]
    await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/reopen", {"reason": "One too many."})
    await tagged(world, EVE, id, {"kind": "withdraw", "key": "MONDO:1|present"})
    await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/review", {"verdict": "approved", "comment": ""})
    stale = await did(world, ADMINISTRATOR, "GET", "/api/v1/figures/g0/gold")
    assert (stale["number"], stale["current"], len(stale["tags"])) == (1, False, 2)
    renewed = await did(world, ADMINISTRATOR, "PUT", "/api/v1/figures/g0/gold")
    assert (renewed["number"], renewed["current"], len(renewed["tags"])) == (2, True, 1)

    assert [one["figure"] for one in (await did(world, ADMINISTRATOR, "GET", "/api/v1/gold"))["items"]] == ["g0"]
    assert (await did(world, ADMINISTRATOR, "DELETE", "/api/v1/figures/g0/gold"))["active"] is False
    assert (await did(world, ADMINISTRATOR, "GET", "/api/v1/gold"))["items"] == []
    blind = [event.blind for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert blind == [False, True, True, True, False]  # approved, marked, reopened, approved, withdrawn


async def test_plans_mix_gold_in_for_whom_it_measures(world: World) -> None:
    await gold(world, 6)
    await figures(world, 40)
    await standards(world, gold_share=0.2)
    order = {"figures": [f"f{number}" for number in range(40)], "team": TEAM, "hidden_share": 0}
    preview = await did(world, ADMINISTRATOR, "POST", "/api/v1/assignments/plan", order)
    applied = await did(world, ADMINISTRATOR, "POST", "/api/v1/assignments/plan", order | {"apply": True})
    assert preview == applied | {"applied": False}
    made = [one for one in (await world.engine.documents.collection(Assignment).find(limit=100)).items if one.trial]
    assert {one["annotator"]: one["gold"] for one in applied["people"]} == {
        who: sum(one.annotator == who for one in made) for who in ("ada", "bob")
    }
    assert 0 < len(made) == len({(one.figure, one.annotator) for one in made})
    assert sum(one["figures"] for one in applied["people"]) == 40


async def test_pulling_gives_gold_in_between_and_never_twice(world: World) -> None:
    await gold(world, 2)
    await pooled(world, 12)
    await standards(world, gold_share=0.5)
    seen = []
    for _ in range(14):
        sheet = await pulled(world, ADA)
        assert (sheet["qualification"], sheet["look"]) == (False, None)
        seen.append(sheet["figure"]["id"])
        await tagged(world, ADA, sheet["id"], ADD)
    assert sorted(seen) == sorted({*(f"f{number}" for number in range(12)), "g0", "g1"})
    assert len(await scores(world, "ada")) == 2
    assert await did(world, at_work(ADA), "POST", "/api/v1/assignments/next") is None


async def test_a_trial_is_scored_once_and_leaves_the_figure_as_it_is(world: World) -> None:
    await gold(world, 1, ADD, SECRET)
    await world.told(recommended("g0"))
    id = await _on_trial(world, "ada", "g0")
    assert (await tagged(world, ADA, id, ACCEPT, ADD))["state"] == "submitted"
    await did(world, ADA, "POST", f"/api/v1/assignments/{id}/submit", {"no_tag_applies": False})
    await did(world, ADA, "POST", f"/api/v1/assignments/{id}/recall")
    await tagged(world, ADA, id, SECRET, {"kind": "withdraw", "key": "UBERON:0000966|present"})
    (score,) = await scores(world, "ada")
    assert (score["gold"], score["precision"], score["recall"], score["f1"]) == (1, 0.5, 0.5, 0.5)
    before = await world.engine.documents.collection(Review).get("g0")
    await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/review", {"verdict": "approved", "comment": ""})
    await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/reopen", {"reason": "The eye."})
    assert await world.engine.documents.collection(Review).get("g0") == before
    told = [event.trial for event in await world.sent(TagAccepted) if isinstance(event, TagAccepted)]
    assert told.count(False) == 2
    assert (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/feedback")).status_code == 404
    assert (await did(world, ADMINISTRATOR, "GET", f"/api/v1/assignments/{id}/feedback"))["missed"][0][
        "curie"
    ] == "MONDO:1"


async def test_nothing_that_an_annotator_is_answered_differs_on_gold(world: World) -> None:
    await gold(world)
    await figures(world, 1)
    trial = await _on_trial(world, "ada", "g0")
    usual = await world.assigned("f0")
    seen = []
    for id in (usual, trial):
        await tagged(world, ADA, id, ADD)
        await world.review(id, "approved")
        shown = [
            await did(world, ADA, "GET", f"/api/v1/assignments/{id}{part}") for part in ("", "/history", "/comments")
        ]
        seen.append(_shape(shown))
    assert seen[0] == seen[1]


async def test_what_others_still_tag_is_kept_from_them(world: World) -> None:
    await figures(world, 1)
    first, second = await world.assigned("f0"), await world.assigned("f0", annotator="bob")
    await tagged(world, ADA, first, ADD)
    await world.review(first, "approved")
    await tagged(world, BOB, second, SECRET)
    third = await world.assigned("f0", annotator="eve")
    await did(world, ADMINISTRATOR, "POST", f"/api/v1/assignments/{third}/release")
    blind = [event.blind for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert blind == [True, False, True, False]


async def test_who_reviewed_or_adjudicated_it_is_not_measured_by_it(world: World) -> None:
    both = person("both", "annotator", "reviewer")
    await figures(world, 1)
    for who in (ADA, BOB):
        await tagged(world, who, await world.assigned("f0", annotator=who.person), ADD)
    await did(world, both, "POST", "/api/v1/figures/f0/adjudication")
    await did(world, ADMINISTRATOR, "PUT", "/api/v1/figures/f0/gold")
    quality = Quality(world.engine.documents)
    people = [Pair(name, "joan") for name in ("ada", "grace", "both", "eve")]
    spare = await quality.spare(await quality.standards("default"), people)
    assert spare == {"ada": [], "grace": [], "both": [], "eve": ["f0"]}
    await _on_trial(world, "eve", "f0")
    assert (await world.send(EVE, "GET", "/api/v1/figures/f0/adjudication")).status_code == 403


async def test_an_erased_gold_figure_measures_nobody(world: World) -> None:
    await gold(world)
    await _on_trial(world, "ada", "g0")
    await world.told(deleted("g0"))
    assert (await world.send(ADMINISTRATOR, "GET", "/api/v1/figures/g0/gold")).status_code == 410
    assert (await did(world, ADMINISTRATOR, "GET", "/api/v1/gold"))["items"] == []
    assert (await world.engine.documents.collection(Assignment).find()).items == []


# Qualification


async def test_a_newcomer_qualifies_with_feedback_before_anything_else(world: World) -> None:
    await gold(world, 4)
    await pooled(world, 2)
    await standards(world, qualification={"figures": 2, "threshold": 0.8, "attempts": 2}, gold_share=0.5)
    refused = await world.send(
        ADMINISTRATOR, "POST", "/api/v1/assignments", {"figures": ["f1"], "annotator": "ada", "reviewer": "grace"}
    )
    assert (refused.status_code, refused.json()["field"]) == (422, "annotator")
    plan = {"figures": ["f1"], "team": TEAM, "apply": True}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments/plan", plan)).status_code == 422

    feedback = dict[str, Any]()
    for commands in ((ADD,), (), (ADD, SECRET), (ADD, SECRET)):
        sheet = await pulled(world, ADA)
        assert sheet["qualification"]
        assert (await world.send(ADA, "GET", f"/api/v1/assignments/{sheet['id']}/feedback")).status_code == 404
        assert (await tagged(world, ADA, sheet["id"], *commands))["state"] == "approved"
        assert (await world.submit(sheet["id"], no_tag_applies=not commands)).json()["state"] == "approved"
        feedback = await did(world, ADA, "GET", f"/api/v1/assignments/{sheet['id']}/feedback")
        assert len(feedback["right"]) == len(commands) == 2 - len(feedback["missed"])
    assert (feedback["attempt"], feedback["scored"], feedback["mean"], feedback["state"]) == (2, 2, 1.0, "passed")
    assert (await pulled(world, ADA))["figure"]["id"] in {"f0", "f1"}
    (ada,) = await did(world, ADMINISTRATOR, "GET", "/api/v1/projects/default/newcomers")
    assert (ada["person"], ada["state"], ada["attempt"], ada["f1"], ada["let_in_by"]) == ("ada", "passed", 2, 1.0, None)
    # It was shown what is right: these figures measure nothing any more, and none is left.
    assert {score["attempt"] for score in await scores(world, "ada")} == {1, 2}
    await standards(world, qualification={"figures": 3, "threshold": 1, "attempts": 1})
    assert (await did(world, ADMINISTRATOR, "GET", "/api/v1/projects/default/newcomers"))[0]["state"] == "passed"


async def test_who_fails_stays_out_until_a_manager_lets_them_in_with_a_reason(world: World) -> None:
    await gold(world, 1)
    await pooled(world, 2)
    too_many = {"qualification": {"figures": 2, "threshold": 0.8}}
    assert (await world.send(ADMINISTRATOR, "PUT", STANDARDS, too_many)).status_code == 422
    await standards(world, qualification={"figures": 1, "threshold": 0.8, "attempts": 1})
    await tagged(world, ADA, (await pulled(world, ADA))["id"])
    refused = await world.send(at_work(ADA), "POST", "/api/v1/assignments/next")
    assert (refused.status_code, "no attempt left" in refused.text) == (403, True)
    path = "/api/v1/projects/default/newcomers/ada"
    assert (await world.send(ADMINISTRATOR, "PUT", path, {"reason": "  "})).status_code == 422
    assert (await world.send(GRACE, "PUT", path, {"reason": "My friend."})).status_code == 403
    let_in = await did(world, ADMINISTRATOR, "PUT", path, {"reason": "Wrote the guidelines."})
    assert (let_in["state"], let_in["let_in_by"], let_in["f1"]) == ("passed", "root", 0.0)
    assert (await pulled(world, ADA))["figure"]["id"].startswith("f")


async def test_who_worked_here_before_is_no_newcomer_and_asking_twice_at_once_gives_one_figure(world: World) -> None:
    await gold(world, 3)
    await pooled(world, 2)
    await world.assigned("f1", annotator="bob")
    await standards(world, qualification={"figures": 1, "threshold": 0.8, "attempts": 1})
    assert (await pulled(world, BOB))["figure"]["id"] == "f1"
    sheets = await asyncio.gather(*(pulled(world, ADA) for _ in range(4)))
    assert len({sheet["id"] for sheet in sheets}) == 1


# Sampling


async def test_what_is_not_sampled_is_approved_by_rule_once(world: World) -> None:
    await figures(world, 30)
    await standards(world, sampling={"share": 0.3, "window": 4})
    ids = [await world.assigned(f"f{number}") for number in range(30)]
    looks = []
    for id in ids:
        sent = await tagged(world, ADA, id, ADD)
        again = (await world.submit(id)).json()
        assert (again["version"], again["state"]) == (sent["version"], sent["state"])
        look = (await did(world, GRACE, "GET", f"/api/v1/assignments/{id}"))["look"]
        looks.append(look)
        assert (look is None) == (sent["state"] == "approved") == (sent["review"] is not None)
        if sent["review"]:
            assert sent["review"]["rule"] == "sampling"
        else:
            await did(world, GRACE, "POST", f"/api/v1/assignments/{id}/review", {"verdict": "approved", "comment": ""})
    assert looks[:4] == ["new"] * 4
    assert looks[4:] == ["drawn" if drawn("seed/review", id) < 0.3 else None for id in ids[4:]]
    done = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert [event.rule for event in done] == ["sampling" if look is None else None for look in looks]
    assert all(event.tags and event.verdict == "approved" for event in done)


async def test_everything_is_looked_at_while_much_is_sent_back_and_that_comes_first(world: World) -> None:
    await figures(world, 6)
    await standards(world, sampling={"share": 0, "window": 2, "returned": 0.4})
    ids = [await world.assigned(f"f{number}") for number in range(6)]
    for id in ids[:2]:
        await tagged(world, ADA, id, ADD)
    await world.review(ids[0], "approved")
    await world.review(ids[1], "returned", "The retina, too.")
    await tagged(world, ADA, ids[2], ADD)
    await tagged(world, ADA, ids[1], SECRET)
    queue = await did(world, GRACE, "GET", "/api/v1/assignments?state=submitted")
    assert [(one["id"], one["look"]) for one in queue["items"]] == [(ids[1], "resubmitted"), (ids[2], "quality")]
    own = await did(world, ADA, "GET", "/api/v1/assignments?state=submitted")
    assert {one["look"] for one in own["items"]} == {None}
    for id in ids[1:3]:
        await world.review(id, "approved")
    await tagged(world, ADA, ids[3], ADD)  # of the last two, one was sent back
    await world.review(ids[3], "approved")
    assert (await tagged(world, ADA, ids[4], ADD))["state"] == "approved"


async def test_a_low_score_on_gold_has_everything_looked_at(world: World) -> None:
    await gold(world, 1)
    await figures(world, 3)
    await standards(world, sampling={"share": 0, "window": 1, "f1": 0.6})
    await tagged(world, ADA, await world.assigned("f0"), ADD)
    await world.review(
        str((await did(world, GRACE, "GET", "/api/v1/assignments?state=submitted"))["items"][0]["id"]), "approved"
    )
    assert (await tagged(world, ADA, await world.assigned("f1"), ADD))["state"] == "approved"
    trial = await _on_trial(world, "ada", "g0")
    await tagged(world, ADA, trial)
    assert (await tagged(world, ADA, await world.assigned("f2"), ADD))["state"] == "submitted"


async def _on_trial(world: World, annotator: str, figure: str) -> str:
    """Gives somebody a gold figure, as a plan does."""
    documents = world.engine.documents
    at, found = now(), await documents.collection(Figure).get(figure)
    new = new_assignment(found, annotator, "grace", at).changed(trial=Trial(purpose="measure"))
    made = await Giving(documents).insert(ADMINISTRATOR, [new.noted("assign", "root", at)])
    return made.created[0].id


def _shape(value: Any) -> Any:
    """What an answer says, without what is random, a time, or the figure's."""
    if isinstance(value, dict):
        return {
            name: _shape(part)
            for name, part in value.items()
            if name not in ("id", "figure", "at") and not name.endswith("_at")
        }
    return [_shape(one) for one in value] if isinstance(value, list) else value
