"""What an annotator sees stays as they opened it, while newer recommendations come."""

from collections.abc import AsyncIterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from services.annotation.consumers import Projections
from services.annotation.model import Held, Recommendations
from shared.events.assignment import AssignmentChanged
from shared.events.recommendation import RecommendationsReady
from shared.events.review import ReviewDone
from tests.integration.test_annotation import (
    ADA,
    ADMINISTRATOR,
    GRACE,
    World,
    deleted,
    recommended,
    running,
    uploaded,
)

RETINA, EYE, LENS = "UBERON:0000966", "UBERON:0000970", "UBERON:0000965"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


def several(*curies: str, revision: int = 1, generation: int = 0) -> RecommendationsReady:
    sets = [recommended(revision=revision, generation=generation, curie=curie) for curie in curies]
    return sets[0].model_copy(update={"recommendations": [one for each in sets for one in each.recommendations]})


async def view(world: World, id: str) -> dict[str, Any]:
    answer = await world.send(ADA, "GET", f"/api/v1/assignments/{id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def opened(world: World, id: str) -> dict[str, Any]:
    answer = await world.send(ADA, "POST", f"/api/v1/assignments/{id}/open")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refreshed(world: World, id: str, **headers: str) -> dict[str, Any]:
    answer = await world.send(ADA, "POST", f"/api/v1/assignments/{id}/recommendations/refresh", **headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def held(world: World) -> list[tuple[int, int]]:
    found = await world.engine.documents.collection(Held).get_many(["f1"])
    return [(one.revision, one.generation) for each in found for one in each.sets]


def curies(view: dict[str, Any]) -> list[str]:
    return [one["curie"] for one in view["recommendations"]["items"]]


def newer(view: dict[str, Any]) -> tuple[int, int, int] | None:
    offered = view["recommendations"]["newer"]
    return offered and (offered["generation"], offered["added"], offered["gone"])


async def test_what_nobody_opened_shows_the_newest_and_looking_opens_nothing(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    assert await view(world, id) == await view(world, id)
    await world.told(several(EYE, generation=1))
    seen = await view(world, id)
    assert (curies(seen), seen["recommendations"]["held"], newer(seen)) == ([EYE], False, None)
    assert await held(world) == []


async def test_an_opened_assignment_keeps_its_recommendations_and_offers_newer_ones(world: World) -> None:
    await world.told(uploaded(), several(RETINA, EYE))
    id = await world.assigned()
    first = await opened(world, id)
    assert (first["recommendations"]["held"], newer(first)) == (True, None)
    assert await opened(world, id) == first

    await world.told(several(EYE, LENS, generation=3))
    seen = await view(world, id)
    assert (curies(seen), newer(seen)) == ([RETINA, EYE], (3, 1, 1))
    # Its reviewer sees what its annotator does; whoever opens the figure anew, the newest.
    reviewers = (await world.send(GRACE, "GET", f"/api/v1/assignments/{id}")).json()
    assert curies(reviewers) == [RETINA, EYE]
    other = await world.assigned(annotator="eve")
    assert curies((await world.send(ADMINISTRATOR, "GET", f"/api/v1/assignments/{other}")).json()) == [EYE, LENS]

    taken = await refreshed(world, id, If_Match=f'"{seen["version"]}"')
    assert (curies(taken), newer(taken), taken["recommendations"]["held"]) == ([EYE, LENS], None, True)
    assert await held(world) == [(1, 3)]
    # The answer was lost, and it is sent again as it was.
    assert await refreshed(world, id, If_Match=f'"{seen["version"]}"') == taken


async def test_a_decision_opens_and_is_kept_with_the_set_it_came_from(world: World) -> None:
    await world.told(uploaded(), several(RETINA, EYE))
    id = await world.assigned()
    await world.decided(id, {"kind": "accept", "recommendation": f"{RETINA}|present"})
    await world.told(several(LENS, generation=1))
    seen = await world.decided(id, {"kind": "reject", "recommendation": f"{EYE}|present", "reason": "wrong_meaning"})
    assert (curies(seen), newer(seen)) == ([RETINA, EYE], (1, 1, 2))

    taken = await refreshed(world, id)
    await world.decided(id, {"kind": "accept", "recommendation": f"{LENS}|present"})
    # Said again of what is recommended no longer, it is the decision that it was.
    again = await world.decided(id, {"kind": "accept", "recommendation": f"{RETINA}|present"})
    sets = {one["tag"]["curie"]: one["recommended_in"]["generation"] for one in again["decisions"]}
    assert sets == {RETINA: 0, EYE: 0, LENS: 1}
    assert [tag["curie"] for tag in taken["tags"]] == [RETINA]

    await world.submit(id)
    await world.review(id, "approved")
    (done,) = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    told = {one.curie: (one.recommended_in, one.model_score) for one in done.decisions}
    assert {curie: (origin and origin.generation, score) for curie, (origin, score) in told.items()} == {
        RETINA: (0, 0.9),
        EYE: (0, 0.9),
        LENS: (1, 0.9),
    }


async def test_a_stale_and_a_closed_assignment_take_nothing_newer(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await opened(world, id)
    await world.told(several(EYE, generation=1))
    path = f"/api/v1/assignments/{id}/recommendations/refresh"
    assert (await world.send(ADA, "POST", path, If_Match='"1"')).status_code == 409
    await world.decided(id, {"kind": "accept", "recommendation": f"{RETINA}|present"})
    await world.submit(id)
    assert newer(await view(world, id)) is None
    assert (await world.send(ADA, "POST", path)).status_code == 409
    assert curies(await view(world, id)) == [RETINA]


async def test_recommendations_of_a_corrected_legend_come_by_themselves(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await opened(world, id)
    await world.told(uploaded(revision=2, legend="An eye."))
    assert (await view(world, id))["recommendations"]["state"] == "pending"
    await world.told(several(EYE, revision=2))
    seen = await view(world, id)
    assert (curies(seen), seen["recommendations"]["held"]) == ([EYE], False)
    assert (await opened(world, id))["recommendations"]["held"]


async def test_nothing_is_held_while_nothing_is_there_or_it_failed_and_no_failure_is_offered(world: World) -> None:
    failed = recommended(generation=1).model_copy(update={"state": "failed", "recommendations": []})
    await world.told(uploaded())
    id = await world.assigned()
    assert not (await opened(world, id))["recommendations"]["held"]
    await world.told(failed)
    assert not (await opened(world, id))["recommendations"]["held"]
    await world.told(several(RETINA, generation=2))
    assert curies(await opened(world, id)) == [RETINA]
    await world.told(failed.model_copy(update={"generation": 3}))
    seen = await view(world, id)
    assert (curies(seen), newer(seen)) == ([RETINA], None)


async def test_events_in_any_order_and_twice_offer_the_same(tmp_path: Path) -> None:
    for number, order in enumerate(permutations([1, 2, 3])):
        async with running(tmp_path / str(number)) as world:
            await world.told(uploaded(), several(RETINA))
            id = await world.assigned()
            await opened(world, id)
            sets = [several(EYE, LENS, generation=generation) for generation in order]
            projections = Projections(world.engine.documents)
            for one in (*sets, *sets):
                await projections.recommended([one])
            seen = await view(world, id)
            assert (curies(seen), newer(seen), await held(world)) == ([RETINA], (3, 2, 1), [(1, 0)])


async def offers(world: World) -> list[tuple[str, str, str, int]]:
    """What was told of newer recommendations: to whom, of which assignment, at which version."""
    told = [one for one in await world.sent(AssignmentChanged) if isinstance(one, AssignmentChanged)]
    return [(one.annotator, one.reviewer, one.assignment, one.revision) for one in told if one.about]


async def test_who_has_a_figure_open_is_told_of_newer_recommendations_once_and_nobody_else_is(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await world.assigned(annotator="eve")
    version = (await opened(world, id))["version"]
    projections = Projections(world.engine.documents)
    for _twice in range(2):
        await projections.recommended([several(EYE, generation=2), several(LENS, generation=1)])
        assert await offers(world) == [("ada", "grace", id, version)]
    # Nothing was written that a decision on what was read before could conflict with.
    accepted = await world.decide(
        id, {"kind": "accept", "recommendation": f"{RETINA}|present"}, If_Match=f'"{version}"'
    )
    assert newer(accepted.json()) == (2, 1, 1)

    await world.told(several(RETINA, generation=3).model_copy(update={"state": "failed", "recommendations": []}))
    assert len(await offers(world)) == 1
    await world.told(several(LENS, generation=4))
    assert len(await offers(world)) == 2
    await refreshed(world, id)
    await world.submit(id)
    await world.told(several(RETINA, generation=5))
    assert len(await offers(world)) == 2


async def test_an_offer_that_a_death_cut_off_is_told_when_the_event_comes_again(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await opened(world, id)
    (before,) = await world.engine.documents.collection(Recommendations).get_many(["f1"])
    stored = before.changed(generation=1)
    await world.engine.documents.collection(Recommendations).upsert_many([stored], newest_by=("revision", "generation"))
    assert await offers(world) == []
    await world.told(several(RETINA, generation=1))
    assert [one[2] for one in await offers(world)] == [id]


async def test_what_no_assignment_shows_any_more_is_kept_no_longer(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await opened(world, id)
    await world.told(several(EYE, generation=1))
    await world.send(ADMINISTRATOR, "POST", f"/api/v1/assignments/{id}/release")
    assert await held(world) == []


async def test_an_erased_figure_leaves_nothing_that_was_held_and_is_opened_no_more(world: World) -> None:
    await world.told(uploaded(), several(RETINA))
    id = await world.assigned()
    await opened(world, id)
    await world.told(several(EYE, generation=1), deleted())
    assert await held(world) == []
    assert (await world.send(ADA, "POST", f"/api/v1/assignments/{id}/open")).status_code in (404, 410)
