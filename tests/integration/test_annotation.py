"""The annotation service through its two doors, on the embedded engines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.annotation.consumers import Projections
from services.annotation.filing import RECENT
from services.annotation.giving import ASSIGNED_AT_ONCE, Giving
from services.annotation.model import MODELS, Assignment, Figure, HistoryEntry, Recommendations, Review
from services.annotation.service import AnnotationService, build
from services.annotation.tagging import Add
from services.annotation.workbench import Workbench
from shared.access import DEFAULT_PROJECT, Caller, Role
from shared.engine import Engine
from shared.errors import Erased, Unavailable
from shared.events.envelope import Event
from shared.events.image import Article, ImageDeleted, ImageUploaded, Picture, Rendition
from shared.events.recommendation import Recommendation, RecommendationsReady, Span
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
from tests.support.embedded import at_work, embedded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RETINA = "UBERON:0000966|present"


def person(name: str, *roles: Role) -> Caller:
    return Caller(person=name, roles={DEFAULT_PROJECT: frozenset(roles)})


ADMINISTRATOR = person("root", "administrator")
ADA = person("ada", "annotator")
GRACE = person("grace", "reviewer")
EVE = person("eve", "annotator", "reviewer")


def uploaded(figure: str = "f1", *, revision: int = 1, article: str = "a1", legend: str = "A retina.") -> ImageUploaded:
    rendition = Rendition(blob="ab" * 32, media_type="image/jpeg", width=320, height=200, bytes=9000)
    return ImageUploaded(
        time=NOW,
        project=DEFAULT_PROJECT,
        actor="root",
        figure=figure,
        revision=revision,
        article=Article(id=article, doi="10.1234/abc"),
        label="Figure 1",
        legend=legend,
        picture=Picture(
            file="one.png", sha256="cd" * 32, format="png", width=9, height=9, display=rendition, thumbnail=rendition
        ),
        external_id="ext-1",
    )


def recommended(
    figure: str = "f1", *, revision: int = 1, generation: int = 0, curie: str = "UBERON:0000966"
) -> RecommendationsReady:
    return RecommendationsReady(
        time=NOW,
        project=DEFAULT_PROJECT,
        actor="recommender",
        figure=figure,
        revision=revision,
        generation=generation,
        state="ready",
        annotator="local/1",
        vocabularies={"UBERON": "2024-01-18"},
        recommendations=[
            Recommendation(
                id=f"{curie}|present",
                iri=None,
                curie=curie,
                label="retina",
                ontology="UBERON",
                vocabulary_version="2024-01-18",
                axis="anatomy",
                panels=["A"],
                spans=[Span(start=2, end=8, text="retina")],
                match="label",
                score=0.9,
            )
        ],
    )


def deleted(figure: str = "f1", *, revision: int = 9) -> ImageDeleted:
    return ImageDeleted(time=NOW, project=DEFAULT_PROJECT, actor="root", figure=figure, revision=revision)


@dataclass
class World:
    """A running service, and people who talk to it."""

    engine: Engine
    service: AnnotationService
    client: httpx.AsyncClient

    async def send(self, caller: Caller, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        token = self.engine.signer.token(caller, "annotation")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, path, json=json, headers={**named, "Authorization": f"Bearer {token}"})

    async def told(self, *events: Event) -> None:
        await self.engine.bus.publish(events)
        await self.engine.bus.settled(timeout=20)

    async def assigned(self, figure: str = "f1", annotator: str = "ada", reviewer: str = "grace") -> str:
        body = {"figures": [figure], "annotator": annotator, "reviewer": reviewer}
        answer = await self.send(ADMINISTRATOR, "POST", "/api/v1/assignments", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["items"][0]["id"])

    async def decide(self, id: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        return await self.send(ADA, "POST", f"/api/v1/assignments/{id}/decisions", body, **headers)

    async def decided(self, id: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.decide(id, body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def submit(self, id: str, **body: bool) -> httpx.Response:
        return await self.send(ADA, "POST", f"/api/v1/assignments/{id}/submit", body)

    async def review(self, id: str, verdict: str, comment: str = "") -> httpx.Response:
        body = {"verdict": verdict, "comment": comment}
        return await self.send(GRACE, "POST", f"/api/v1/assignments/{id}/review", body)

    async def sent(self, *topics: type[Event]) -> list[Event]:
        return (await self.engine.bus.read(topics, limit=1000)).events


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    async with embedded(folder, MODELS) as engine:
        service = build(engine)
        transport = httpx.ASGITransport(app=service.app)  # type: ignore[arg-type]
        client = httpx.AsyncClient(transport=transport, base_url="http://annotation")
        async with at_work(engine, service), client:
            yield World(engine, service, client)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as world:
        yield world


ADD_TEXT = {"kind": "add", "axis": "imaging", "text": "light-sheet  Fluorescence"}
ADD = {"kind": "add", "axis": "anatomy", "curie": "UBERON:0000970", "label": "eye", "ontology": "UBERON"}
ACCEPT = {"kind": "accept", "recommendation": RETINA}


# From upload to reviewed tags


async def test_a_figure_is_tagged_returned_changed_and_approved(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.decided(id, ADD_TEXT)
    assert (await world.submit(id)).json()["state"] == "submitted"

    returned = (await world.review(id, "returned", "The eye, please.")).json()
    assert (returned["state"], returned["comment"]) == ("returned", "The eye, please.")
    await world.decided(id, ADD)
    await world.decided(id, {"kind": "withdraw", "key": "text/imaging/light-sheet fluorescence|present"})
    await world.submit(id)
    approved = (await world.review(id, "approved")).json()
    assert approved["state"] == "approved"
    assert approved["review"] | {"decided_at": ""} == {
        "round": 2,
        "verdict": "approved",
        "comment": "",
        "reviewer": "grace",
        "decided_at": "",
        "rule": None,
        "reasons": [],
    }

    first, last = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert (first.revision, first.verdict, first.tags) == (1, "returned", [])
    assert (last.revision, last.verdict) == (2, "approved")
    assert [tag.key for tag in last.tags] == [RETINA, "UBERON:0000970|present"]
    assert {decision.key: decision.kind for decision in last.decisions} == {
        RETINA: "accept",
        "text/imaging/light-sheet fluorescence|present": "withdraw",
        "UBERON:0000970|present": "add",
    }


async def test_an_assignment_shows_all_that_a_workbench_needs(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    seen = await world.decided(id, ACCEPT)
    assert seen["figure"]["legend"] == "A retina."
    assert seen["figure"]["panels"] == ["A"]
    assert seen["figure"]["external_id"] == "ext-1"
    grant = world.engine.signer.granted(seen["figure"]["thumbnail_url"].removeprefix("/api/v1/files/"))
    assert (grant.blob, grant.media_type) == ("ab" * 32, "image/jpeg")
    assert seen["recommendations"]["items"][0]["decision"] == {"kind": "accept", "key": RETINA, "reason": None}
    assert seen["tags"][0]["spans"] == [{"start": 2, "end": 8, "text": "retina"}]
    answer = await world.send(ADA, "GET", f"/api/v1/assignments/{id}")
    assert answer.json() == seen
    assert answer.headers["etag"] == f'"{seen["version"]}"'


async def test_no_tag_applies_is_an_answer(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    empty = await world.submit(id)
    assert (empty.status_code, empty.json()["field"]) == (422, "no_tag_applies")
    assert (await world.submit(id, no_tag_applies=True)).json()["no_tag_applies"] is True
    await world.review(id, "approved")
    (done,) = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert (done.no_tag_applies, done.tags) == (True, [])


async def test_two_annotators_of_a_figure_give_it_the_union_of_their_approved_tags(world: World) -> None:
    await world.told(uploaded(), recommended())
    first = await world.assigned()
    second = await world.assigned(annotator="eve")
    for caller, id, bodies in ((ADA, first, [ACCEPT, ADD]), (EVE, second, [ACCEPT, ADD_TEXT])):
        for body in bodies:
            await world.send(caller, "POST", f"/api/v1/assignments/{id}/decisions", body)
        await world.send(caller, "POST", f"/api/v1/assignments/{id}/submit", {})
        await world.review(id, "approved")
    done = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    # The second says that nobody is awaited any more from whom the tags were kept.
    assert [(event.revision, event.blind) for event in done] == [(1, True), (2, False), (3, False)]
    assert [(tag.key, tag.annotator) for tag in done[-1].tags] == [
        (RETINA, "ada"),
        ("UBERON:0000970|present", "ada"),
        ("text/imaging/light-sheet fluorescence|present", "eve"),
    ]


# Recommendations never stand in the way


async def test_decisions_are_saved_in_every_state_of_the_recommendations(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    assert (await world.decided(id, ADD))["recommendations"]["state"] == "pending"
    for generation, state in enumerate(("failed", "no_text", "language_unsupported", "none_found"), start=1):
        found = recommended(generation=generation)
        await world.told(found.model_copy(update={"state": state, "recommendations": [], "id": f"e{generation}"}))
        text = {"kind": "add", "axis": "imaging", "text": f"method {generation}"}
        assert (await world.decided(id, text))["recommendations"]["state"] == state


async def test_recommendations_that_arrive_do_not_make_a_write_stale(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    await world.told(recommended())
    assert (await world.decide(id, ADD, If_Match='"1"')).status_code == 200


async def test_a_replaced_recommendation_can_be_accepted_as_it_was_shown(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    item = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()["recommendations"]["items"][0]
    await world.told(recommended(generation=1, curie="UBERON:0000970"))
    gone = await world.decide(id, ACCEPT)
    assert gone.status_code == 404
    assert "shown" in gone.json()["remedy"]
    seen = await world.decided(id, {**ACCEPT, "shown": item})
    assert seen["tags"][0]["label"] == "retina"


async def test_a_decided_recommendation_can_be_decided_otherwise_after_it_was_replaced(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.told(recommended(generation=1, curie="UBERON:0000970"))
    rejected = await world.decided(id, {"kind": "reject", "recommendation": RETINA, "reason": "too_general"})
    assert rejected["tags"] == []
    assert (await world.decided(id, ACCEPT))["tags"][0]["score"] == 0.9


async def test_recommendations_of_an_older_legend_are_not_shown(world: World) -> None:
    await world.told(uploaded(), recommended())
    await world.told(uploaded(revision=2, legend="An eye."))
    id = await world.assigned()
    seen = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
    assert (seen["figure"]["legend"], seen["recommendations"]["state"]) == ("An eye.", "pending")
    assert seen["recommendations"]["items"] == []


# Events


async def test_the_same_decision_twice_is_one_event(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    once = await world.decided(id, ACCEPT)
    twice = await world.decide(id, ACCEPT, If_Match='"1"')  # the answer to the first try was lost
    assert twice.json() == once
    assert len(await world.sent(TagAccepted)) == 1


async def test_a_tags_revision_rises_over_accept_withdraw_accept(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    for body in (ACCEPT, {"kind": "withdraw", "key": RETINA}, ACCEPT, {**ACCEPT, "panels": ["B"]}):
        await world.decided(id, body)
    events = [e for e in await world.sent(TagAccepted, TagWithdrawn) if isinstance(e, TagAccepted | TagWithdrawn)]
    assert [(event.topic, event.revision) for event in events] == [
        ("tag.accepted", 1),
        ("tag.withdrawn", 2),
        ("tag.accepted", 3),
        ("tag.accepted", 4),
    ]
    assert len({event.tag_id for event in events}) == 1
    assert len({event.id for event in events}) == 4


async def test_republishing_sends_the_current_state_with_the_same_ids(world: World) -> None:
    await world.told(uploaded(), recommended(), uploaded("f2"))
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.decided(id, ADD)
    await world.decided(id, {"kind": "withdraw", "key": "UBERON:0000970|present"})
    await world.submit(id)
    await world.review(id, "approved")
    topics = (TagAccepted, TagWithdrawn, ReviewDone)
    before = await world.sent(*topics)
    body = {"topics": [topic.topic for topic in topics]}
    answer = await world.send(ADMINISTRATOR, "POST", "/internal/republish", body)
    assert answer.json() == {"republished": 3}
    again = (await world.sent(*topics))[len(before) :]
    current = {(event.type(), event.entity): event for event in before if event.revision}
    withdrawn = {event.entity for event in before if isinstance(event, TagWithdrawn)}
    expected = [e for e in current.values() if not (isinstance(e, TagAccepted) and e.entity in withdrawn)]
    assert sorted(event.id for event in again) == sorted(event.id for event in expected)
    assert all(event in expected for event in again)
    refused = await world.send(ADA, "POST", "/internal/republish", body)
    assert refused.status_code == 403


# Assigning


async def test_an_unknown_figure_is_refused_and_nothing_is_assigned(world: World) -> None:
    await world.told(uploaded())
    body = {"figures": ["f1", "f2"], "annotator": "ada", "reviewer": "grace"}
    answer = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", body)
    assert answer.status_code == 404
    assert "f2" in answer.json()["detail"]
    assert "again in a moment" in answer.json()["remedy"]
    assert (await world.send(ADMINISTRATOR, "GET", "/api/v1/assignments")).json()["items"] == []


async def test_nobody_reviews_their_own_work(world: World) -> None:
    await world.told(uploaded())
    body = {"figures": ["f1"], "annotator": "ada", "reviewer": "ada"}
    answer = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "reviewer")


async def test_assigning_again_leaves_the_first_assignment(world: World) -> None:
    await world.told(uploaded(), uploaded("f2"), uploaded("f3", article="a2"))
    id = await world.assigned()
    people = {"annotator": "ada", "reviewer": "eve"}
    by_article = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", {"article": "a1", **people})
    assert {k: v for k, v in by_article.json().items() if k != "items"} == {"created": 1, "existing": 1, "more": False}
    rest = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", {"all_unassigned": True, **people})
    assert [item["figure"] for item in rest.json()["items"]] == ["f3"]
    assert (await world.send(ADMINISTRATOR, "GET", f"/api/v1/assignments/{id}")).json()["reviewer"] == "grace"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"figures": ["f1"], "article": "a1"},
        {"figures": []},
        {"figures": ["../etc"]},
        {"all_unassigned": False},
        {"figurse": ["f1"]},
    ],
)
async def test_an_unclear_order_to_assign_is_refused(world: World, body: dict[str, Any]) -> None:
    people = {"annotator": "ada", "reviewer": "grace"}
    answer = await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", {**body, **people})
    assert answer.status_code == 422
    assert answer.json()["remedy"]


# Access


async def test_only_those_concerned_may_read_decide_and_review(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    at = f"/api/v1/assignments/{id}"
    verdict = {"verdict": "approved"}
    expected = {
        ("GET", at, None): {"root", "ada", "grace"},
        ("GET", f"{at}/history", None): {"root", "ada", "grace"},
        ("GET", "/api/v1/figures/f1/recommendations", None): {"root", "ada", "grace"},
        ("POST", f"{at}/decisions", "add"): {"ada"},
        ("POST", f"{at}/submit", "submit"): {"ada"},
        ("POST", f"{at}/review", "review"): {"grace"},
        ("POST", "/api/v1/assignments", "assign"): {"root"},
    }
    bodies = {
        "add": ADD,
        "submit": {},
        "review": verdict,
        "assign": {"figures": ["f1"], "annotator": "ada", "reviewer": "grace"},
    }
    for (method, path, body), may in expected.items():
        for caller in (ADMINISTRATOR, EVE, GRACE, ADA):
            answer = await world.send(caller, method, path, bodies.get(body) if body else None)
            assert (answer.status_code != 403) == (caller.person in may), (method, path, caller.person, answer.text)
            if answer.status_code == 403:
                assert answer.json()["remedy"]


async def test_a_list_shows_what_concerns_the_caller_with_counts_by_state(world: World) -> None:
    await world.told(uploaded(), uploaded("f2"), uploaded("f3"))
    first = await world.assigned("f1")
    await world.assigned("f2")
    await world.assigned("f3", annotator="eve")
    await world.submit(first, no_tag_applies=True)

    async def listed(caller: Caller, **params: Any) -> dict[str, Any]:
        query = "&".join(f"{key}={value}" for key, value in params.items())
        return dict((await world.send(caller, "GET", f"/api/v1/assignments?{query}")).json())

    mine = await listed(ADA)
    assert [item["figure"]["id"] for item in mine["items"]] == ["f1", "f2"]
    assert mine["counts"] == {"open": 1, "submitted": 1, "returned": 0, "approved": 0, "skipped": 0, "released": 0}
    assert [item["figure"]["id"] for item in (await listed(ADA, state="open"))["items"]] == ["f2"]
    assert len((await listed(GRACE))["items"]) == 3
    assert [item["figure"]["id"] for item in (await listed(EVE))["items"]] == ["f3"]
    assert (await listed(EVE, relation="review"))["items"] == []
    assert len((await listed(ADMINISTRATOR))["items"]) == 3
    page = await listed(ADMINISTRATOR, limit=2)
    assert len((await listed(ADMINISTRATOR, limit=2, cursor=page["next"]))["items"]) == 1
    assert (await world.send(ADA, "GET", "/api/v1/assignments?relation=any")).status_code == 403
    assert (await world.send(ADA, "GET", "/api/v1/assignments?cursor=nonsense")).status_code == 422


# Versions and history


async def test_a_stale_write_is_refused_with_the_difference(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    stale = await world.decide(id, {"kind": "reject", "recommendation": RETINA}, If_Match='"1"')
    assert stale.status_code == 409
    assert stale.json()["difference"] == {
        f"decisions.{RETINA}": {"yours": "reject", "theirs": "accept"},
        "version": {"yours": 1, "theirs": 2},
    }
    other = await world.decide(id, ADD, If_Match='"1"')
    assert other.json()["difference"][f"decisions.{RETINA}"] == {"yours": None, "theirs": "accept"}


async def test_a_submitted_assignment_takes_no_decisions(world: World) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.submit(id)
    late = await world.decide(id, ADD)
    assert late.status_code == 409
    assert late.json()["difference"]["state"]["theirs"] == "submitted"
    assert late.json()["remedy"] == "Wait until the reviewer returns it."
    assert (await world.decide(id, ACCEPT)).status_code == 200  # says nothing new


async def test_history_tells_every_write_in_order_and_in_pages(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    writes = RECENT * 2 + 3
    for number in range(writes):
        await world.decided(id, {"kind": "add", "axis": "imaging", "text": f"method {number}"})
    await world.submit(id)
    await world.review(id, "returned", "Fewer.")
    assert len((await world.engine.documents.collection(Assignment).get(id)).recent) <= RECENT
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = (await world.send(GRACE, "GET", f"/api/v1/assignments/{id}/history?limit=4{cursor}")).json()
        assert len(page["items"]) <= 4
        seen += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert [entry["action"] for entry in seen] == ["assign", *["add"] * writes, "submit", "return"]
    assert [entry["number"] for entry in seen] == list(range(1, writes + 4))
    assert [entry["decisions"][0]["tag"]["label"] for entry in seen[1:-2]] == [f"method {n}" for n in range(writes)]
    assert (seen[0]["actor"], seen[1]["actor"], seen[-1]["actor"]) == ("root", "ada", "grace")
    assert seen[-1]["comment"] == "Fewer."


async def test_two_open_pages_of_one_annotator_lose_nothing(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    texts = [f"method {number}" for number in range(RECENT * 3)]
    answers = await asyncio.gather(
        *(world.decide(id, {"kind": "add", "axis": "imaging", "text": text}) for text in texts)
    )
    assert {answer.status_code for answer in answers} == {200}
    seen = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()
    assert sorted(tag["label"] for tag in seen["tags"]) == sorted(texts)
    history = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history?limit=200")).json()["items"]
    assert [entry["number"] for entry in history] == list(range(1, len(texts) + 2))
    assert sorted(entry["decisions"][0]["tag"]["label"] for entry in history[1:]) == sorted(texts)


async def test_of_two_writes_that_saw_one_version_one_is_refused(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    answers = await asyncio.gather(*(world.decide(id, body, If_Match='"1"') for body in (ADD, ADD_TEXT)))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


# Dying between two writes


class _Before:
    """A collection of the real engine; `happens` right before each call of one operation."""

    def __init__(self, collection: Any, operation: str, happens: Callable[[], Awaitable[object]]) -> None:
        self._collection, self._operation, self._happens = collection, operation, happens

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._collection, name)
        if name != self._operation:
            return found

        async def interrupted(*arguments: Any, **named: Any) -> Any:
            await self._happens()
            return await found(*arguments, **named)

        return interrupted


async def _death() -> None:
    raise Unavailable("documents", "The process died here.")


@pytest.mark.parametrize("how", ["restart", "asked again", "submitted again"])
async def test_a_verdict_broken_off_before_its_review_is_completed(world: World, how: str) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    await world.decided(id, ACCEPT)
    await world.submit(id)
    dying = Workbench(world.engine.documents)
    dying._writing._reviews = _Before(dying._writing._reviews, "update", _death)
    with pytest.raises(Unavailable):
        await dying.review(GRACE, id, "returned", "The eye.")
    assert await world.sent(ReviewDone) == []
    match how:
        case "restart":
            await build(world.engine).start()
        case "asked again":
            assert (await world.review(id, "returned", "The eye.")).status_code == 200
        case _:
            await world.decided(id, ADD)
    (done,) = [event for event in await world.sent(ReviewDone) if isinstance(event, ReviewDone)]
    assert (done.verdict, [decision.key for decision in done.decisions]) == ("returned", [RETINA])
    assert await world.engine.documents.collection(Assignment).count({"unrecorded": True}) == 0


async def test_a_verdict_broken_off_after_its_review_is_not_recorded_twice(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    await world.submit(id, no_tag_applies=True)
    assignments = world.engine.documents.collection(Assignment)
    judged = await assignments.get(id)
    await world.review(id, "approved")
    # As if the last write had not happened.
    await assignments.update(id, lambda current: (current.changed(unrecorded=True), []))
    assert judged.state == "submitted"
    await build(world.engine).start()
    await build(world.engine).start()
    assert len(await world.sent(ReviewDone)) == 1
    assert await assignments.count({"unrecorded": True}) == 0


async def test_history_broken_off_between_filing_and_the_write_is_whole(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    for number in range(RECENT - 1):
        await world.decided(id, {"kind": "add", "axis": "imaging", "text": f"method {number}"})
    dying = Workbench(world.engine.documents)
    dying._writing._assignments = _Before(dying._writing._assignments, "update", _death)
    command = {"kind": "add", "axis": "imaging", "text": "the last"}
    with pytest.raises(Unavailable):
        await dying.decide(ADA, id, Add.model_validate(command))
    assert await world.engine.documents.collection(HistoryEntry).count() == RECENT
    await world.decided(id, command)
    history = (await world.send(ADA, "GET", f"/api/v1/assignments/{id}/history")).json()["items"]
    assert [entry["number"] for entry in history] == list(range(1, RECENT + 2))


async def test_a_write_that_meets_an_erasure_leaves_no_history_behind(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    for number in range(RECENT - 1):
        await world.decided(id, {"kind": "add", "axis": "imaging", "text": f"method {number}"})
    meeting = Workbench(world.engine.documents)
    erase = Projections(world.engine.documents).deleted
    filing = meeting._writing._filing
    filing._history = _Before(filing._history, "insert_many", lambda: erase([deleted()]))
    with pytest.raises(Erased):
        await meeting.decide(ADA, id, Add(kind="add", axis="imaging", text="the last"))
    assert await world.engine.documents.collection(HistoryEntry).count() == 0


async def test_an_assignment_made_while_its_figure_is_erased_is_erased_too(world: World) -> None:
    await world.told(uploaded())
    meeting = Giving(world.engine.documents)
    erase = Projections(world.engine.documents).deleted
    meeting._assignments = _Before(meeting._assignments, "insert_many", lambda: erase([deleted()]))
    done = await meeting.assign_figures(ADMINISTRATOR, "default", ["f1"], "ada", "grace")
    assert done.created == []
    assert await world.engine.documents.collection(Assignment).count() == 0


async def test_many_figures_are_assigned_by_giving_the_order_again(world: World) -> None:
    figures = ASSIGNED_AT_ONCE + 10
    await Projections(world.engine.documents).uploaded([uploaded(f"f{number}") for number in range(figures)])
    order = {"all_unassigned": True, "annotator": "ada", "reviewer": "grace"}
    made: list[dict[str, Any]] = []
    while not made or made[-1]["more"]:
        made.append((await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", order)).json())
    assert [answer["created"] for answer in made] == [ASSIGNED_AT_ONCE, 10]
    assert await world.engine.documents.collection(Assignment).count() == figures


# Events in any order


async def test_deliveries_in_any_order_and_twice_give_one_state(tmp_path: Path) -> None:
    stories: Sequence[Event] = (
        uploaded(),
        uploaded(revision=2, legend="Corrected."),
        recommended(),
        recommended(generation=1, curie="UBERON:0000970"),
        recommended(revision=2, generation=0, curie="UBERON:0000955"),
    )
    orders = list(permutations(stories))
    async with embedded(tmp_path, MODELS) as engine:
        projections = Projections(engine.documents)

        async def tell(event: Event) -> None:
            handler = projections.uploaded if isinstance(event, ImageUploaded) else projections.recommended
            await handler([event])

        states = []
        for place, order in enumerate(orders[::4]):
            figure = f"f{place}"
            for event in (*order, *order[: place % 5]):
                await tell(event.model_copy(update={"figure": figure}))
            found = [await engine.documents.collection(model).get(figure) for model in (Figure, Recommendations)]
            states.append([document.model_dump(exclude={"version", "id"}) for document in found])
    assert all(state == states[0] for state in states)
    assert states[0][0]["legend"] == "Corrected."
    assert (states[0][1]["revision"], states[0][1]["items"][0]["curie"]) == (2, "UBERON:0000955")


async def test_an_erased_figure_stays_erased_whatever_arrives_late(tmp_path: Path) -> None:
    stories: Sequence[Event] = (uploaded(), uploaded(revision=2), recommended(), deleted())
    for place, order in enumerate(permutations(stories)):
        async with embedded(tmp_path / str(place), MODELS) as engine:
            projections = Projections(engine.documents)
            for event in (*order, *order):
                match event:
                    case ImageUploaded():
                        await projections.uploaded([event])
                    case RecommendationsReady():
                        await projections.recommended([event])
                    case _:
                        await projections.deleted([event])
            for model in (Figure, Recommendations):
                with pytest.raises(Erased):
                    await engine.documents.collection(model).get("f1")


async def test_erasing_a_figure_erases_all_that_was_made_of_it(world: World) -> None:
    await world.told(uploaded(legend="Mr Smith's retina."), recommended(), uploaded("f2"))
    id, other = await world.assigned(), await world.assigned("f2")
    for number in range(RECENT + 1):
        await world.decided(id, {"kind": "add", "axis": "imaging", "text": f"method {number}"})
    await world.submit(id)
    await world.review(id, "approved")
    await world.told(deleted())
    await world.told(deleted())
    for model in MODELS:
        left = (await world.engine.documents.collection(model).find(limit=1000)).items
        assert [d.id for d in left if '"f1"' in d.model_dump_json() or id in d.model_dump_json()] == []
    with pytest.raises(Erased):
        await world.engine.documents.collection(Review).get("f1")
    assert (await world.decide(id, ADD)).status_code == 410
    assert (await world.send(ADA, "GET", f"/api/v1/assignments/{other}")).status_code == 200
    body = {"figures": ["f1"], "annotator": "ada", "reviewer": "grace"}
    assert (await world.send(ADMINISTRATOR, "POST", "/api/v1/assignments", body)).status_code == 410


# Hostile input


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "add", "axis": "anatomy"},
        {"kind": "add", "axis": "anatomy", "curie": "UBERON:1", "text": "eye", "label": "eye"},
        {"kind": "add", "axis": "anatomy", "curie": "UBERON:1"},
        {"kind": "add", "axis": "colour", "text": "eye"},
        {"kind": "add", "axis": "anatomy", "text": "   "},
        {"kind": "add", "axis": "anatomy", "text": "e\x00ye"},
        {"kind": "add", "axis": "anatomy", "text": "x" * 301},
        {"kind": "add", "axis": "anatomy", "text": "eye", "spans": [{"start": 5, "end": 2}]},
        {"kind": "add", "axis": "anatomy", "text": "eye", "panels": ["A"] * 61},
        {"kind": "add", "axis": "anatomy", "text": "eye", "colour": "blue"},
        {"kind": "accept", "recommendation": RETINA, "shown": {"id": "other"}},
        {"kind": "destroy"},
        {},
    ],
)
async def test_a_wrong_decision_is_refused_and_nothing_changes(world: World, body: dict[str, Any]) -> None:
    await world.told(uploaded(), recommended())
    id = await world.assigned()
    answer = await world.decide(id, body)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await world.send(ADA, "GET", f"/api/v1/assignments/{id}")).json()["version"] == 1


async def test_a_lone_surrogate_is_refused(world: World) -> None:
    await world.told(uploaded())
    id = await world.assigned()
    token = world.engine.signer.token(ADA, "annotation")
    answer = await world.client.post(
        f"/api/v1/assignments/{id}/decisions",
        content=b'{"kind":"add","axis":"anatomy","text":"\\ud800"}',
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    assert answer.status_code == 422
