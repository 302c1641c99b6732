"""The ways back and out of daily work, through the door of annotation on the embedded engines."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.annotation.model import MODELS, Assignment
from shared.access import Caller
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
from tests.integration.test_annotation import (
    ACCEPT,
    ADA,
    ADD,
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


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        await world.told(uploaded(), recommended())
        yield world


async def did(
    world: World, who: Caller, id: str, way: str, body: Any = None, *, method: str = "POST"
) -> dict[str, Any]:
    answer = await world.send(who, method, f"/api/v1/assignments/{id}/{way}", body)
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def status(world: World, who: Caller, id: str, way: str, body: Any = None, *, method: str = "POST") -> int:
    return (await world.send(who, method, f"/api/v1/assignments/{id}/{way}", body)).status_code


def standing(sheet: dict[str, Any]) -> list[str]:
    return [tag["key"] for tag in sheet["tags"]]


async def test_undo_and_redo_walk_through_decisions_and_tell_of_each(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.decided(id, {"kind": "accept", "recommendation": RETINA, "assertion": "uncertain"})
    last = await world.decided(id, ADD)
    assert (last["undoable"], last["redoable"]) == (3, 0)
    walked = [standing(await did(world, ADA, id, "undo")) for _ in range(3)]
    assert walked == [["UBERON:0000966|uncertain"], [RETINA], []]
    assert await status(world, ADA, id, "undo") == 409
    again = [standing(await did(world, ADA, id, "redo")) for _ in range(3)]
    assert [set(keys) for keys in again] == [{RETINA}, {"UBERON:0000966|uncertain"}, set(standing(last))]
    facts = await world.sent(TagAccepted, TagWithdrawn)
    newest = {event.entity: event for event in sorted(facts, key=lambda event: event.revision)}
    final = {event.tag.key for event in newest.values() if isinstance(event, TagAccepted)}
    assert final == set(standing(last))


async def test_a_new_decision_forgets_what_was_undone_and_submitting_forgets_all_steps(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await did(world, ADA, id, "undo")
    sheet = await world.decided(id, ADD)
    assert (sheet["undoable"], sheet["redoable"]) == (1, 0)
    await world.submit(id)
    assert await status(world, ADA, id, "undo") == 409
    assert (await did(world, ADA, id, "recall"))["undoable"] == 0


async def test_an_annotator_recalls_until_the_review_has_begun(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.submit(id)
    assert (await did(world, ADA, id, "recall"))["state"] == "open"
    await world.submit(id)
    assert (await did(world, GRACE, id, "review/begin"))["review_begun"]
    refused = await world.send(ADA, "POST", f"/api/v1/assignments/{id}/recall")
    assert (refused.status_code, refused.json()["remedy"]) == (
        409,
        "Its review has begun: ask the reviewer to return it.",
    )
    await world.review(id, "returned", "The eye.")
    await world.submit(id)
    assert (await did(world, ADA, id, "recall"))["state"] == "returned"


async def test_a_skipped_figure_goes_to_the_administrator_who_gives_it_back(world: World) -> None:
    id = await world.assigned()
    concern = {"reason": "wrong_legend", "comment": "Of figure 3."}
    skipped = await did(world, ADA, id, "skip", concern)
    assert (skipped["state"], skipped["concern"]["reason"]) == ("skipped", "wrong_legend")
    assert (await world.decide(id, ADD)).status_code == 409
    listed = (await world.send(ADMINISTRATOR, "GET", "/api/v1/assignments?flagged=true")).json()
    assert ([item["id"] for item in listed["items"]], listed["counts"]["skipped"]) == ([id], 1)
    assert await status(world, ADA, id, "flag", method="DELETE") == 403
    assert (await did(world, ADMINISTRATOR, id, "flag", method="DELETE"))["state"] == "open"
    flagged = await did(world, ADA, id, "flag", concern)
    assert (flagged["state"], flagged["concern"]["comment"]) == ("open", "Of figure 3.")
    assert await status(world, ADA, id, "skip", {"reason": "bored"}) == 422


@pytest.mark.parametrize("who", [GRACE, ADMINISTRATOR])
async def test_an_approved_figure_is_reopened_with_a_reason(world: World, who: Caller) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.submit(id)
    await world.review(id, "approved")
    assert await status(world, ADA, id, "reopen", {"reason": "Mine."}) == 403
    for _ in range(2):  # an answer was lost
        reopened = await did(world, who, id, "reopen", {"reason": "Panel C."})
    assert (reopened["state"], reopened["comment"], standing(reopened)) == ("returned", "Panel C.", [RETINA])
    assert reopened["review"]["reviewer"] == who.person
    approved, last = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert (last.revision, last.verdict, last.tags, last.actor) == (approved.revision + 1, "returned", [], who.person)
    (withdrawn,) = await world.sent(TagWithdrawn)
    accepted = await world.sent(TagAccepted)
    assert [event.revision for event in (accepted[0], withdrawn, accepted[-1])] == [1, 2, 3]


async def test_a_released_figure_can_be_given_to_anybody_again(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    assert await status(world, ADA, id, "release") == 403
    for _ in range(2):
        released = await did(world, ADMINISTRATOR, id, "release")
    assert (released["state"], standing(released)) == ("released", [])
    assert len(await world.sent(TagWithdrawn)) == 1
    order = {"all_unassigned": True, "annotator": "eve", "reviewer": "grace"}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", order)).json()["created"] == 1
    assert await world.assigned() == id
    assert (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()["state"] == "open"


async def test_people_talk_in_threads_about_a_figure_or_a_tag(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    first = await did(world, GRACE, id, "comments", {"text": "Or the <b>choroid</b>?", "key": RETINA})
    await did(world, ADA, id, "comments", {"text": "See panel B.", "thread": first["id"]})
    seen = await did(world, ADA, id, "comments", method="GET")
    assert [(one["author"], one["key"], one["thread"]) for one in seen["items"]] == [
        ("grace", RETINA, None),
        ("ada", None, first["id"]),
    ]
    assert await status(world, EVE, id, "comments", {"text": "Hello."}) == 403
    assert await status(world, EVE, id, "comments", method="GET") == 403
    assert await status(world, ADA, id, "comments", {"text": "?", "key": "UBERON:1|present"}) == 422
    assert await status(world, ADA, id, "comments", {"text": "?", "thread": id}) == 422
    await world.told(deleted())
    for model in MODELS:
        assert await world.engine.documents.collection(model).count({}) == 0, model.collection


async def test_every_way_is_in_the_history_with_who_went_it(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await did(world, ADA, id, "undo")
    await did(world, ADA, id, "redo")
    await did(world, ADA, id, "skip", {"reason": "bad_image"})
    await did(world, ADMINISTRATOR, id, "flag", method="DELETE")
    entries = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history")).json()["items"]
    assert [(entry["action"], entry["actor"]) for entry in entries] == [
        ("assign", "root"),
        ("accept", "ada"),
        ("undo", "ada"),
        ("redo", "ada"),
        ("skip", "ada"),
        ("unflag", "root"),
    ]
    assert (await world.engine.documents.collection(Assignment).get(id)).version == len(entries)
