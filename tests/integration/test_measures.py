"""Measures of a project, through the door of annotation on the embedded engines."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.annotation.measured import DayTotals, Measured, MonthTotals, ProjectTotals
from services.annotation.measures import Measures
from shared.access import DEFAULT_PROJECT, Caller
from shared.clock import now
from tests.integration.test_annotation import (
    ACCEPT,
    ADA,
    ADD,
    ADD_TEXT,
    ADMINISTRATOR,
    GRACE,
    World,
    deleted,
    recommended,
    running,
    uploaded,
)

BOB = Caller("bob", {DEFAULT_PROJECT: frozenset({"annotator"})})
WATCHER = Caller("watcher", {DEFAULT_PROJECT: frozenset({"observer"})})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        for figure in ("f1", "f2", "f3"):
            await world.told(uploaded(figure), recommended(figure))
        yield world


async def tagged(world: World, figure: str, who: Caller, *decisions: dict[str, Any], approve: bool = True) -> str:
    id = await world.assigned(figure, annotator=who.person)
    for decision in decisions:
        assert (await world.send(who, "POST", f"/api/v1/assignments/{id}/decisions", decision)).status_code == 200
    body = {"no_tag_applies": not decisions}
    assert (await world.send(who, "POST", f"/api/v1/assignments/{id}/submit", body)).status_code == 200
    if approve:
        assert (await world.review(id, "approved")).status_code == 200
    return id


async def measures(world: World, who: Caller = ADMINISTRATOR) -> dict[str, Any]:
    await Measures(world.engine.documents).follow()
    answer = await world.send(who, "GET", "/api/v1/projects/default/measures")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def kept(world: World) -> list[Any]:
    """All sums and rows, whatever their versions."""
    documents, found = world.engine.documents, []
    for model in (Measured, DayTotals, MonthTotals, ProjectTotals):
        page = await documents.collection(model).find(limit=1000)
        found += [one.model_dump(exclude={"version", "at"}) for one in sorted(page.items, key=lambda one: one.id)]
    return found


async def test_progress_effort_and_people_are_what_was_done(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT, ADD)
    await tagged(world, "f2", ADA, ADD_TEXT)
    await tagged(world, "f3", BOB, ACCEPT, approve=False)
    found = await measures(world)
    assert found["states"] == {"approved": 2, "submitted": 1}
    # Of the two approved: two shown, one of them accepted, two added.
    assert {name: found["effort"][name] for name in ("shown", "accepted", "added")} == {
        "shown": 2, "accepted": 1, "added": 2,
    }  # fmt: skip
    assert found["effort"]["saved"]["6"] == pytest.approx(1 - (1 + 1 + 6 * 2) / (6 * 3))
    assert found["axes"]["imaging"] | {"saved": {}} == {"shown": 0, "accepted": 0, "added": 1, "saved": {}}
    assert found["bands"][-1] == {"low": 0.8, "high": 1.0, "shown": 2, "accepted": 1}
    assert (found["assisted"]["figures"], found["assisted"]["tags"]["value"], found["hidden"]["figures"]) == (2, 1.5, 0)
    assert found["assisted"]["seconds"]["value"] >= 0
    assert [(one["person"], one["states"]) for one in found["people"]] == [
        ("ada", {"approved": 2}), ("bob", {"submitted": 1}),
    ]  # fmt: skip
    assert (found["estimate"]["left"], found["estimate"]["a_day"]) == (1, 2.0)
    assert found["agreement"]["figures"] == 0


async def test_annotators_see_their_own_measures_and_observers_no_people(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT)
    await tagged(world, "f2", BOB, ADD)
    own = await measures(world, BOB)
    assert ([one["person"] for one in own["people"]], own["states"], own["effort"]["added"]) == (
        ["bob"], {"approved": 1}, 1,
    )  # fmt: skip
    assert (own["agreement"], own["estimate"]) == (None, None)
    watched = await measures(world, WATCHER)
    assert (watched["people"], watched["effort"]["added"]) == ([], 1)
    assert "bob" not in str(watched)
    kept = await world.send(ADMINISTRATOR, "PUT", "/api/v1/projects/default/rules", {"pace": False})
    assert kept.status_code == 200
    assert (await measures(world))["people"] == []
    assert [one["person"] for one in (await measures(world, BOB))["people"]] == ["bob"]


async def test_agreement_is_of_figures_that_several_tagged(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT, ADD)
    await tagged(world, "f1", BOB, {"kind": "reject", "recommendation": ACCEPT["recommendation"]}, ADD)
    await tagged(world, "f2", ADA, ACCEPT)
    await tagged(world, "f2", BOB, ACCEPT)
    await tagged(world, "f3", ADA, ACCEPT)
    found = (await measures(world))["agreement"]
    assert (found["figures"], found["annotators"], found["recommendations"]) == (2, 2, 2)
    assert found["f1"]["value"] == pytest.approx(2 * 2 / 5)
    assert found["accepted"] == 0.75
    assert found["f1"]["low"] <= found["f1"]["value"] <= found["f1"]["high"]


async def test_the_projection_equals_its_rebuild_and_following_twice_is_once(world: World) -> None:
    id = await tagged(world, "f1", ADA, ACCEPT)
    await measures(world)
    await world.send(GRACE, "POST", f"/api/v1/assignments/{id}/reopen", {"reason": "Panel C."})
    await tagged(world, "f1", BOB, ADD)
    await tagged(world, "f2", BOB, ADD, approve=False)
    await measures(world)
    first = await kept(world)
    await measures(world)
    assert await kept(world) == first
    await Measures(world.engine.documents).rebuild()
    assert await kept(world) == first


async def test_a_rebuild_that_is_asked_for_mends_what_is_wrong_and_is_done_by_who_follows(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT)
    await measures(world)
    right = await kept(world)
    days, rows = (world.engine.documents.collection(model) for model in (DayTotals, Measured))
    (day,) = (await days.find()).items
    await days.update(day.id, lambda one: (one.changed(cells=()), ()))
    await days.insert(day.changed(id="default.2001-01-01", day="2001-01-01"))  # of which no row tells
    await rows.update((await rows.find()).items[0].id, lambda one: (one.changed(tags=7), ()))
    follower = Measures(world.engine.documents)
    await follower.follow()
    assert await kept(world) != right
    assert (await world.send(WATCHER, "POST", "/api/v1/measures/rebuild", {})).status_code == 403
    asked = await world.send(ADMINISTRATOR, "POST", "/api/v1/measures/rebuild", {})
    assert (asked.status_code, asked.json()["running"]) == (202, True)
    await follower.follow()
    done = (await world.send(ADMINISTRATOR, "GET", "/api/v1/measures/rebuild")).json()
    assert (done["running"], done["rebuilt_at"] is not None) == (False, True)
    kept_now = [one for one in await kept(world) if one.get("day") != "2001-01-01" and one.get("month") != "2001-01"]
    assert kept_now == right
    assert (await days.get("default.2001-01-01")).cells == ()


async def test_an_erased_figure_counts_no_more(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT)
    await tagged(world, "f1", BOB, ADD)
    await tagged(world, "f2", ADA, ADD)
    before = await measures(world)
    assert before["agreement"]["figures"] == 1
    await world.told(deleted("f1"), deleted("f1"))
    found = await measures(world)
    assert (found["states"], found["effort"]["accepted"], found["effort"]["added"]) == ({"approved": 1}, 0, 1)
    assert (found["agreement"]["figures"], [one["person"] for one in found["people"]]) == (0, ["ada"])
    assert [row["figure"] for row in await kept(world) if "figure" in row] == ["f2"]


@pytest.mark.parametrize("days", ["since=2020-01-01", "since=2026-01-02&until=2026-01-01"])
async def test_days_that_cannot_be_measured_are_refused(world: World, days: str) -> None:
    answer = await world.send(ADMINISTRATOR, "GET", f"/api/v1/projects/default/measures?{days}")
    assert (answer.status_code, answer.json()["field"]) == (422, "since")


async def test_a_whole_month_says_what_its_days_say(world: World) -> None:
    await tagged(world, "f1", ADA, ACCEPT, ADD)
    await tagged(world, "f2", BOB, ADD)
    await measures(world)
    today = now().date()
    first, last = today.replace(day=1), (today.replace(day=1) + timedelta(days=40)).replace(day=1) - timedelta(days=1)
    of = f"/api/v1/projects/default/measures?until={last}&since="
    whole = (await world.send(ADMINISTRATOR, "GET", f"{of}{first}")).json()
    days = (await world.send(ADMINISTRATOR, "GET", f"{of.replace(str(last), str(today))}{today}")).json()
    assert whole["effort"]["added"] == 2
    for name in ("effort", "axes", "bands", "days", "people", "assisted"):
        assert whole[name] == days[name], name


async def test_what_a_process_that_died_between_rows_and_sums_left_is_summed_by_the_next(world: World) -> None:
    await world.service.stop()  # whose measures would come first
    await tagged(world, "f1", ADA, ACCEPT)

    class Died(Exception):
        pass

    dying = Measures(world.engine.documents)

    async def die(rows: object) -> None:
        raise Died

    dying._sum_days = die  # type: ignore[method-assign]
    with pytest.raises(Died):
        await dying.follow()
    assert await world.engine.documents.collection(Measured).count() == 1
    assert (await measures(world))["effort"]["accepted"] == 1


async def test_nothing_is_measured_where_nothing_changed(world: World) -> None:
    await world.service.stop()
    await tagged(world, "f1", ADA, ACCEPT)
    measuring = Measures(world.engine.documents)
    assert await measuring.follow() == 1
    assert await measuring.follow() == 0
