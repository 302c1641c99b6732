"""Reviews teach the recommender over real engines; replayed, erased or switched off, as if it had always been so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.nlp import service as nlp
from services.recommender import service as recommender
from services.recommender.learned import Thresholds
from services.recommender.learning import Learning
from services.recommender.model import MODELS, Judgement, LearnedName
from services.recommender.taught import RESURFACE
from shared.access import Caller
from shared.documents.port import Documents
from shared.engine import Engine
from shared.events.recommendation import RecommendationsReady, Span
from shared.events.review import Decision, ReviewDone
from shared.http import Hop
from tests.support.builders import image_deleted, image_uploaded, review_done, tag
from tests.support.embedded import at_work, embedded
from tests.support.people import until
from tests.support.vocabularies import Given, vocabularies

HIPPOCAMPUS = ("UBERON:0001954", "hippocampus", "LABEL", "anatomy")
RETINA = ("UBERON:0000966", "retina", "LABEL", "anatomy")
ADMINISTRATOR = Caller("root", {"default": frozenset({"administrator"})})


def review(figure: str, article: str, person: str, said: str, *, curie: str = "UBERON:0001954") -> ReviewDone:
    spans = [Span(start=0, end=len(said), text=said)]
    one = tag(curie=curie, label="hippocampus", ontology="UBERON", axis="anatomy", spans=spans, annotator=person)
    return review_done(figure=figure, review=figure, article=article, tags=[one], decisions=[])


def refusal(figure: str, article: str, person: str) -> ReviewDone:
    one = tag(curie="UBERON:0000966", label="retina", axis="anatomy")
    decision = Decision(
        kind="reject",
        key=one.key,
        axis="anatomy",
        curie=one.curie,
        label="retina",
        reason="wrong_meaning",
        names=["retina"],
        annotator=person,
        decided_at=one.decided_at,
    )
    return review_done(figure=figure, review=figure, article=article, tags=[], decisions=[decision])


REVIEWS = [review(f"f{n}", f"a{n % 2}", p, "seahorse") for n, p in enumerate(("ada", "bob", "ada"))]
REFUSALS = [refusal(f"g{n}", f"a{n % 2}", p) for n, p in enumerate(("ada", "bob", "ada"))]


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was learned comes into use when somebody next looks."""
    monkeypatch.setattr(recommender, "POLL_SECONDS", 0.02)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Engine, recommender.Recommender]]:
    made = vocabularies(UBERON=[RETINA, HIPPOCAMPUS])
    async with embedded(folder, MODELS) as engine:
        taught = recommender.build(engine, library=Given(lambda: made), learn_seconds=0)
        async with at_work(engine, nlp.build(engine), taught):
            yield engine, taught


async def newest(engine: Engine, figure: str) -> RecommendationsReady:
    events = (await engine.bus.read([RecommendationsReady], limit=1000)).events
    said = [one for one in events if isinstance(one, RecommendationsReady) and one.figure == figure]
    return max(said, key=lambda one: (one.revision, one.generation))


async def found(engine: Engine, figure: str, *curies: str) -> None:
    """Waits until the figure's recommendations are these."""

    async def so() -> bool:
        try:
            said = await newest(engine, figure)
        except ValueError:
            return False
        return sorted(one.curie for one in said.recommendations) == sorted(curies)

    await until(so, what=f"recommendations {curies}", seconds=30)


async def test_a_name_of_the_site_is_found_until_it_is_switched_off_or_its_figures_erased(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, taught):
        await engine.bus.publish([image_uploaded(figure="new", legend="No lesion of the seahorse.")])
        await found(engine, "new")
        await engine.bus.publish(REVIEWS)
        await found(engine, "new", "UBERON:0001954")
        [one] = (await newest(engine, "new")).recommendations
        assert one.why == "A name of this project: accepted in 3 figures by 2 people."
        assert (one.assertion, one.spans[0].text, one.match) == ("absent", "seahorse", "synonym")

        hop = Hop("recommender", app=taught.app)
        token = engine.signer.token(ADMINISTRATOR, "recommender")
        listed = (await hop.request("GET", "/api/v1/learned", token=token)).json()["items"]
        assert [(item["name"], item["state"], item["accepted"]) for item in listed] == [("seahorse", "synonym", 3)]
        off = await hop.request("POST", f"/api/v1/learned/{listed[0]['id']}/disable", token=token)
        assert off.json()["state"] == "disabled"
        await found(engine, "new")
        await hop.request("POST", f"/api/v1/learned/{listed[0]['id']}/enable", token=token)
        await found(engine, "new", "UBERON:0001954")
        nobody = engine.signer.token(Caller("ada", {"default": frozenset({"annotator"})}), "recommender")
        assert (await hop.request("GET", "/api/v1/learned", token=nobody)).status_code == 403
        await hop.close()

        await engine.bus.publish([image_deleted(figure="f0")])
        await found(engine, "new")
        await engine.bus.publish([image_deleted(figure="f1"), image_deleted(figure="f2")])
        await engine.bus.settled()
        await asyncio.wait_for(_nothing_left(engine.documents), 10)


async def _nothing_left(documents: Documents) -> None:
    names = (await documents.collection(LearnedName).find()).items
    assert "seahorse" not in repr(names)


async def test_a_suppressed_meaning_is_left_out_but_of_a_small_share(tmp_path: Path) -> None:
    legends = [f"The retina of mouse {n}." for n in range(60)]
    async with running(tmp_path) as (engine, _):
        await engine.bus.publish(REFUSALS)
        await engine.bus.publish([image_uploaded(figure=f"n{n}", legend=legend) for n, legend in enumerate(legends)])

        async def few() -> bool:
            try:
                said = [await newest(engine, f"n{n}") for n in range(len(legends))]
            except ValueError:
                return False
            shown = sum(bool(one.recommendations) for one in said)
            return 0 < shown <= len(legends) * 4 // RESURFACE

        await until(few, what="suppression", seconds=30)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1]])
async def test_replays_late_and_double_deliveries_and_erasures_between_give_the_same_items(
    tmp_path: Path, order: list[int]
) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        learning = Learning(engine.documents, Thresholds())
        newer = review("f1", "a1", "bob", "seahorses").model_copy(update={"revision": 9})
        older = review("f1", "a1", "bob", "something else")
        events = [REVIEWS[n] for n in order]
        await learning.learn([newer])
        await learning.learn([*events, older])
        await learning.learn(events)
        await learning.forget([image_deleted(figure="gone")])
        await learning.learn([review("gone", "a2", "eve", "seahorse")])
        items = [one for one in (await learning.names(None, 100)).items if one.figures]
    [one] = items
    assert (one.said, one.accepted, sorted(one.evidence)) == ("seahorse", 3, ["f0", "f1", "f2"])


async def test_a_name_applies_to_its_project_until_an_administrator_widens_it(tmp_path: Path) -> None:
    async with running(tmp_path) as (engine, taught):
        await engine.bus.publish(
            [
                image_uploaded(figure=project, project=project, legend="The seahorse.")
                for project in ("default", "other")
            ]
        )
        await engine.bus.publish(REVIEWS)
        await found(engine, "default", "UBERON:0001954")
        [one] = (await newest(engine, "default")).recommendations
        assert one.why == "A name of this project: accepted in 3 figures by 2 people."
        await found(engine, "other")
        hop = Hop("recommender", app=taught.app)
        token = engine.signer.token(ADMINISTRATOR, "recommender")
        [item] = (await hop.request("GET", "/api/v1/learned?project=default", token=token)).json()["items"]
        assert (item["project"], item["scope"]) == ("default", "project")
        assert (await hop.request("GET", "/api/v1/learned?project=other", token=token)).json()["items"] == []
        wide = (await hop.request("POST", f"/api/v1/learned/{item['id']}/widen", token=token)).json()
        assert wide["scope"] == "site"
        await found(engine, "other", "UBERON:0001954")
        await hop.request("POST", f"/api/v1/learned/{item['id']}/narrow", token=token)
        await found(engine, "other")
        await hop.close()
        by = {figure: (await newest(engine, figure)).annotator for figure in ("default", "other")}
        assert "+taught-" in by["default"]
        assert "+taught-" not in by["other"]


def judged(figure: str, person: str, *, accepted: int, rejected: int) -> ReviewDone:
    one = tag(curie="UBERON:0000966", label="retina", axis="anatomy")
    fields = {"axis": "anatomy", "label": "retina", "annotator": person, "decided_at": one.decided_at}
    decisions = [
        Decision.model_validate({**fields, "kind": kind, "key": f"{kind} {n}", "model_score": 0.9})
        for kind, count in (("accept", accepted), ("reject", rejected))
        for n in range(count)
    ]
    return review_done(
        figure=figure, review=figure, article=f"a-{person}", annotator=person, tags=[], decisions=decisions
    )


async def test_decided_recommendations_recalibrate_scores_until_switched_off_or_erased(tmp_path: Path) -> None:
    async def score(engine: Engine) -> tuple[float, float | None, bool]:
        [one] = (await newest(engine, "new")).recommendations
        return one.score, one.model_score, "+scores-" in (await newest(engine, "new")).annotator

    async def becomes(engine: Engine, *, recalibrated: bool) -> None:
        async def so() -> bool:
            return (await score(engine))[2] is recalibrated

        await until(so, what="scores", seconds=30)

    async with running(tmp_path) as (engine, taught):
        await engine.bus.publish([image_uploaded(figure="new", legend="The retina.")])
        await found(engine, "new", "UBERON:0000966")
        before, model, _ = await score(engine)
        assert model is None
        await engine.bus.publish([judged("h1", "ada", accepted=40, rejected=80)])
        await engine.bus.publish([judged("h2", "bob", accepted=40, rejected=80)] * 2)
        await becomes(engine, recalibrated=True)
        after, model, _ = await score(engine)
        assert model == before
        assert after < before - 0.2

        hop = Hop("recommender", app=taught.app)
        token = engine.signer.token(ADMINISTRATOR, "recommender")
        [told] = (await hop.request("GET", "/api/v1/learned/scores", token=token)).json()["items"]
        assert (told["project"], told["state"], told["accepted"], told["rejected"]) == ("default", "used", 80, 160)
        assert told["error_with"] < told["error_without"]
        assert told["version"] in (await newest(engine, "new")).annotator
        await hop.request("POST", "/api/v1/learned/scores/default/disable", token=token)
        await becomes(engine, recalibrated=False)
        assert (await score(engine))[0] == before
        await hop.request("POST", "/api/v1/learned/scores/default/enable", token=token)
        await becomes(engine, recalibrated=True)
        await hop.close()

        await engine.bus.publish([image_deleted(figure="h1")])
        await becomes(engine, recalibrated=False)
        await engine.bus.publish([judged("h1", "ada", accepted=40, rejected=80)])
        await engine.bus.settled()
        assert [one.id for one in (await engine.documents.collection(Judgement).find()).items] == ["h2"]
