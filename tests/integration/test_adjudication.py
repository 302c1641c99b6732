"""Where several tagged one figure: blind until all have submitted, settled by somebody else, final from then on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.annotation.model import Adjudication, Assignment
from services.annotation.service import build
from shared.access import DEFAULT_PROJECT, Caller
from shared.events.assignment import AssignmentChanged
from shared.events.review import ReviewDone
from tests.integration.test_annotation import (
    ACCEPT,
    ADA,
    ADD,
    ADD_TEXT,
    ADMINISTRATOR,
    EVE,
    GRACE,
    RETINA,
    World,
    deleted,
    recommended,
    running,
    uploaded,
)
from tests.integration.test_daily_exits import did, status

EYE, SHEET = "UBERON:0000970|present", "text/imaging/light-sheet fluorescence|present"
EVE_WHO_REVIEWS = Caller("eve", {DEFAULT_PROJECT: frozenset({"annotator", "reviewer"})})


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        await world.told(uploaded(), recommended())
        yield world


async def tagged(world: World, who: Caller, *bodies: dict[str, Any]) -> str:
    id = await world.assigned(annotator=who.person)
    for body in bodies:
        await did(world, who, id, "decisions", body)
    return id


async def asked(world: World, who: Caller, method: str = "GET", body: Any = None, *, way: str = "") -> Any:
    answer = await world.send(who, method, f"/api/v1/figures/f1/adjudication{way}", body)
    return answer.json() if answer.status_code == 200 else answer.status_code


async def queued(world: World, who: Caller = GRACE) -> list[str]:
    answer = await world.send(who, "GET", "/api/v1/adjudications")
    assert answer.status_code == 200, answer.text
    return [one["figure"]["id"] for one in answer.json()["items"]]


async def both(world: World) -> tuple[str, str]:
    """Both have the retina; ada the eye, eve a text."""
    first, second = await tagged(world, ADA, ACCEPT, ADD), await tagged(world, EVE, ACCEPT, ADD_TEXT)
    await did(world, ADA, first, "submit", {})
    await did(world, EVE, second, "submit", {})
    return first, second


def verdicts(events: list[Any]) -> list[ReviewDone]:
    return [event for event in events if isinstance(event, ReviewDone)]


async def test_a_figure_waits_and_is_blind_until_everybody_has_submitted(world: World) -> None:
    first, second = await tagged(world, ADA, ACCEPT), await tagged(world, EVE, ACCEPT)
    assert await asked(world, GRACE) == 409
    await did(world, ADA, first, "submit", {})
    assert (await queued(world), await asked(world, GRACE)) == ([], 409)
    assert await status(world, EVE, first, "history", method="GET") == 403
    await did(world, EVE, second, "submit", {})
    assert await queued(world) == ["f1"]
    await did(world, EVE, second, "recall")
    assert (await queued(world), await asked(world, GRACE)) == ([], 409)
    await did(world, ADMINISTRATOR, second, "release")
    assert await asked(world, GRACE) == 404  # one person has it


async def test_what_all_have_is_kept_and_each_difference_needs_a_choice(world: World) -> None:
    await both(world)
    case = await asked(world, GRACE)
    assert [(one["key"], one["annotators"], one["agreed"], one["kept"]) for one in case["tags"]] == [
        (RETINA, ["ada", "eve"], True, True),
        (EYE, ["ada"], False, None),
        (SHEET, ["eve"], False, None),
    ]
    assert await asked(world, GRACE, "POST") == 409
    assert await asked(world, GRACE, "POST", {"keep": ["X:1|present"]}, way="/choices") == 422
    assert await asked(world, GRACE, "POST", {"keep": [EYE], "drop": [EYE]}, way="/choices") == 422
    assert (await asked(world, GRACE, "POST", {"keep": [EYE]}, way="/choices"))["open"] == 1
    assert (await asked(world, ADMINISTRATOR, "POST", {"drop": [SHEET]}, way="/choices"))["open"] == 0
    settled = await asked(world, ADMINISTRATOR, "POST")
    assert (settled["waiting"], settled["adjudicator"]) == (False, ADMINISTRATOR.person)
    assert [tag["key"] for tag in settled["final"]] == [RETINA, EYE]
    assert {one["state"] for one in settled["assignments"]} == {"approved"}
    assert await asked(world, ADMINISTRATOR, "POST") == settled  # twice is once
    assert await queued(world) == []
    assert await asked(world, GRACE, "POST", {"keep": [SHEET]}, way="/choices") == 409

    last = verdicts(await world.sent(ReviewDone))[-1]
    assert (last.verdict, last.reviewer, [tag.key for tag in last.tags]) == (
        "approved", ADMINISTRATOR.person, [RETINA, EYE],
    )  # fmt: skip
    assert last.adjudication is not None
    assert [(one.key, one.annotators, one.kept, one.by) for one in last.adjudication.settled] == [
        (RETINA, ["ada", "eve"], True, None),
        (EYE, ["ada"], True, "grace"),
        (SHEET, ["eve"], False, ADMINISTRATOR.person),
    ]


async def test_nobody_adjudicates_their_own_work(world: World) -> None:
    await both(world)
    assert await queued(world, EVE_WHO_REVIEWS) == []
    for method, way in (("GET", ""), ("POST", ""), ("POST", "/choices")):
        assert await asked(world, EVE_WHO_REVIEWS, method, {"keep": [EYE]} if way else None, way=way) == 403
        assert await asked(world, ADA, method, {"keep": [EYE]} if way else None, way=way) == 403


async def test_what_was_settled_stands_until_the_work_behind_it_changes(world: World) -> None:
    first, _ = await both(world)
    await asked(world, GRACE, "POST", {"keep": [EYE], "drop": [SHEET]}, way="/choices")
    await asked(world, GRACE, "POST")
    await did(world, GRACE, first, "reopen", {"reason": "Panel C."})
    last = verdicts(await world.sent(ReviewDone))[-1]
    # The eye was ada's alone; what was dropped does not come back.
    assert (last.verdict, [tag.key for tag in last.tags]) == ("returned", [RETINA])
    await did(world, ADA, first, "submit", {})
    assert await queued(world) == ["f1"]
    # The choices that were made are still there, so nothing is asked twice.
    assert (await asked(world, GRACE))["open"] == 0
    assert [tag["key"] for tag in (await asked(world, GRACE, "POST"))["final"]] == [RETINA, EYE]


async def settled(world: World, who: Caller, id: str) -> Any:
    """What the sheet says of the settling, without its time."""
    answer = await world.send(who, "GET", f"/api/v1/assignments/{id}")
    assert answer.status_code == 200, answer.text
    found = answer.json()["settled"]
    return found and {one["key"]: one["outcome"] for one in found["tags"]}


async def heard(world: World) -> list[str]:
    """The assignments that showed something else of the settling, once for each time, as their people heard."""
    told = [one for one in await world.sent(AssignmentChanged) if isinstance(one, AssignmentChanged)]
    return [one.assignment for one in told if one.about == "adjudication"]


async def test_each_annotator_sees_what_became_of_their_tags_once_it_is_settled(world: World) -> None:
    first, second = await both(world)
    await asked(world, GRACE, "POST", {"keep": [EYE], "drop": [SHEET]}, way="/choices")
    assert [await settled(world, ADA, first), await settled(world, EVE, second)] == [None, None]
    for _twice in range(2):
        await asked(world, GRACE, "POST")
    assert await settled(world, ADA, first) == {RETINA: "kept", EYE: "kept"}
    assert await settled(world, EVE, second) == {RETINA: "kept", EYE: "from_others", SHEET: "dropped"}
    # Whose it was, is not told.
    told = (await world.send(EVE, "GET", f"/api/v1/assignments/{second}")).json()["settled"]
    assert not [name for name in ("ada", "grace") if name in str(told)]
    # Who has it open hears of it, once each.
    assert sorted(await heard(world)) == [first, second]
    # What is worked on again is settled no longer, and final for nobody else until it is approved.
    await did(world, GRACE, first, "reopen", {"reason": "Panel C."})
    assert await settled(world, ADA, first) is None
    assert await settled(world, EVE, second) == {RETINA: "kept", SHEET: "dropped"}
    assert sorted(await heard(world)) == [first, second, second]
    await did(world, ADA, first, "submit", {})
    await world.review(first, "approved")
    assert await settled(world, ADA, first) is None
    assert await settled(world, EVE, second) == {RETINA: "kept", EYE: "from_others", SHEET: "dropped"}
    assert sorted(await heard(world)) == [first, second, second, second]
    # Reopening her own tells her by its write; ada's work is settled no longer.
    await did(world, GRACE, second, "reopen", {"reason": "Panel C."})
    assert sorted(await heard(world)) == [first, second, second, second]


async def test_who_tags_the_figure_themselves_is_not_told_how_it_was_settled_without_them(world: World) -> None:
    first, _ = await both(world)
    await asked(world, GRACE, "POST", {"keep": [EYE], "drop": [SHEET]}, way="/choices")
    await asked(world, GRACE, "POST")
    assert await settled(world, GRACE, first) == {RETINA: "kept", EYE: "kept"}
    own = await world.assigned(annotator="grace", reviewer="root")
    assert await settled(world, GRACE, first) is None
    await did(world, ADMINISTRATOR, own, "release")
    assert await settled(world, GRACE, first) == {RETINA: "kept", EYE: "kept"}


async def test_work_that_reviewers_approved_before_is_adjudicated_too(world: World) -> None:
    first, second = await both(world)
    for id in (first, second):
        await world.review(id, "approved")
    assert [tag.key for tag in verdicts(await world.sent(ReviewDone))[-1].tags] == [RETINA, EYE, SHEET]
    await asked(world, ADMINISTRATOR, "POST", {"drop": [EYE, SHEET]}, way="/choices")
    assert [tag["key"] for tag in (await asked(world, ADMINISTRATOR, "POST"))["final"]] == [RETINA]


async def test_a_figure_that_a_dead_process_left_half_submitted_or_half_settled_goes_on(world: World) -> None:
    first, second = await both(world)
    assignments = world.engine.documents.collection(Assignment)
    adjudications = world.engine.documents.collection(Adjudication)
    # Submitted, and dead before anybody heard of it.
    await adjudications.update("f1", lambda one: (one.changed(told={}, waiting=False), []))
    await assignments.update(second, lambda one: (one.changed(unrecorded=True), []))
    await build(world.engine).start()
    assert await queued(world) == ["f1"]
    await asked(world, GRACE, "POST", {"keep": [EYE], "drop": [SHEET]}, way="/choices")
    # Settling died after the first approval.
    await world.review(first, "approved")
    assert await queued(world) == ["f1"]
    assert [tag["key"] for tag in (await asked(world, GRACE, "POST"))["final"]] == [RETINA, EYE]


async def test_an_erased_figure_leaves_nothing_to_adjudicate(world: World) -> None:
    await both(world)
    await world.told(deleted())
    assert (await queued(world), await asked(world, GRACE)) == ([], 410)
