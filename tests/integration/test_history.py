"""An assignment's past, and reviewers who change what they review, through the door of annotation."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
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
    recommended,
    running,
    uploaded,
)
from tests.integration.test_daily_exits import did, standing, status

EYE = "UBERON:0000970|present"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        await world.told(uploaded(), recommended(generation=3))
        yield world


async def stood(world: World, id: str, **when: object) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in when.items())
    answer = await world.send(ADA, "GET", f"/api/v1/assignments/{id}/as-it-stood?{query}")
    assert answer.status_code == 200, answer.text
    return standing(answer.json())


async def test_an_assignment_is_shown_as_it_stood_after_each_entry_and_at_any_time(world: World) -> None:
    id = await world.assigned()
    for body in [ACCEPT, ADD, *({**ADD_TEXT, "text": f"method {n}"} for n in range(10))]:  # so that some is filed
        await world.decided(id, body)
    await did(world, ADA, id, "undo")
    entries = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history")).json()["items"]
    answered = entries[1]
    assert answered["consulted"] == {"revision": 1, "generation": 3, "annotator": "local/1"}
    assert answered["decisions"][0]["tag"]["vocabulary_version"] == "2024-01-18"
    assert [len(await stood(world, id, number=entry["number"])) for entry in entries] == [*range(13), 11]
    assert await stood(world, id, at=entries[2]["at"].replace("+", "%2B")) == [RETINA, EYE]
    assert len(await stood(world, id)) == 11
    for query in ("number=1&at=2026-01-01T00:00:00Z", "number=99", "at=2001-01-01T00:00:00Z", "at=yesterday"):
        refused = await world.send(ADA, "GET", f"/api/v1/assignments/{id}/as-it-stood?{query}")
        assert refused.status_code in (404, 422), query
    assert await status(world, EVE, id, "as-it-stood?number=1", method="GET") == 403


async def test_going_back_is_a_step_like_any_other_and_tells_of_each_tag(world: World) -> None:
    id = await world.assigned()
    first = await world.decided(id, ACCEPT)
    await world.decided(id, ADD)
    await world.decided(id, {"kind": "withdraw", "key": RETINA})
    back = await did(world, ADA, id, "revert", {"number": first["version"]})
    assert standing(back) == [RETINA]
    assert (await did(world, ADA, id, "revert", {"number": first["version"]}))["version"] == back["version"]
    entries = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history")).json()["items"]
    assert (entries[-1]["action"], entries[-1]["to"]) == ("revert", first["version"])
    assert standing(await did(world, ADA, id, "undo")) == [EYE]
    assert standing(await did(world, ADA, id, "redo")) == [RETINA]
    told = [
        (type(event), event.tag.key, event.revision)
        for event in await world.sent(TagAccepted, TagWithdrawn)
        if isinstance(event, TagAccepted | TagWithdrawn)
    ]
    assert {(TagAccepted, RETINA, 5), (TagWithdrawn, EYE, 2), (TagWithdrawn, EYE, 4)} <= set(told)
    assert await status(world, ADA, id, "revert", {"number": 99}) == 404
    await world.submit(id)
    assert await status(world, ADA, id, "revert", {"number": 1}) == 409
    assert await status(world, GRACE, id, "revert", {"number": 1}) == 403


async def test_a_reviewer_changes_what_is_submitted_under_their_own_name(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    assert await status(world, GRACE, id, "review/decisions", ADD) == 409  # not handed over yet
    await world.submit(id)
    await did(world, GRACE, id, "review/decisions", ADD)
    changed = await did(world, GRACE, id, "review/decisions", {"kind": "reject", "recommendation": RETINA})
    assert changed["review_begun"]
    assert await status(world, ADA, id, "recall") == 409
    for who in (ADA, EVE, ADMINISTRATOR):
        assert await status(world, who, id, "review/decisions", ADD) == 403
    seen = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
    assert [(one["key"], one["kind"], one["by"], one["tag"]["annotator"]) for one in seen["decisions"]] == [
        (RETINA, "reject", "grace", "grace"),
        (EYE, "add", "grace", "grace"),
    ]
    await world.review(id, "approved")
    (done,) = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert [(tag.key, tag.annotator) for tag in done.tags] == [(EYE, "grace")]
    assert {(one.key, one.by) for one in done.decisions} == {(RETINA, "grace"), (EYE, "grace")}
    assert (await world.sent(TagAccepted))[-1].actor == "grace"


async def test_agreeing_changes_nothing_and_taking_back_is_not_owning(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    submitted = (await world.submit(id)).json()
    agreed = await did(world, GRACE, id, "review/decisions", ACCEPT)
    assert agreed["version"] == submitted["version"]
    (taken,) = (await did(world, GRACE, id, "review/decisions", {"kind": "withdraw", "key": RETINA}))["decisions"]
    assert (taken["by"], taken["tag"]["annotator"]) == ("grace", "ada")
    approved = (await world.review(id, "approved")).json()
    assert (approved["tags"], approved["no_tag_applies"]) == ([], True)


async def test_reasons_of_a_return_are_comments_on_their_tags(world: World) -> None:
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.submit(id)
    reasons = [{"key": RETINA, "text": "This is the choroid."}]
    unknown = {"verdict": "returned", "reasons": [{"key": "X:1|present", "text": "?"}]}
    assert await status(world, GRACE, id, "review", unknown) == 422
    assert await status(world, GRACE, id, "review", {"verdict": "approved", "reasons": reasons}) == 422
    for _ in range(2):
        returned = await did(world, GRACE, id, "review", {"verdict": "returned", "reasons": reasons})
    assert (returned["state"], returned["review"]["round"], returned["review"]["reasons"]) == ("returned", 1, reasons)
    (said,) = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/comments")).json()["items"]
    assert (said["author"], said["key"], said["text"]) == ("grace", RETINA, "This is the choroid.")
    answer = {"text": "Changed.", "thread": said["id"]}
    assert await status(world, ADA, id, "comments", answer) == 201
