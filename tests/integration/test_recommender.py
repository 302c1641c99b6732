"""recommender and nlp over real embedded engines: events in, events out."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.nlp import service as nlp
from services.recommender import service as recommender
from services.recommender.annotator import Annotation
from services.recommender.local import LocalAnnotator
from services.recommender.model import MODELS
from services.recommender.vocabularies import SiteVocabularies
from shared.access import Caller
from shared.engine import Engine
from shared.errors import Invalid, Unavailable
from shared.events.legend import Analysis
from shared.events.recommendation import RecommendationsReady
from shared.http import Hop
from shared.vocabulary.artefact import Vocabularies
from tests.support.builders import image_deleted, image_uploaded, legend_tokenized
from tests.support.embedded import at_work, embedded
from tests.support.vocabularies import Given, vocabularies

RETINA = ("UBERON:0000966", "retina", "LABEL", "anatomy")
HIPPOCAMPUS = ("UBERON:0001954", "hippocampus", "LABEL", "anatomy")


@asynccontextmanager
async def running(folder: Path, load: Callable[[], Vocabularies]) -> AsyncIterator[Engine]:
    async with (
        embedded(folder, MODELS) as engine,
        at_work(engine, nlp.build(engine), recommender.build(engine, library=Given(load))),
    ):
        yield engine


@pytest.fixture
def load() -> Callable[[], Vocabularies]:
    made = vocabularies(UBERON=[RETINA, HIPPOCAMPUS])
    return lambda: made


async def said(engine: Engine) -> list[RecommendationsReady]:
    await engine.bus.settled()
    return [e for e in (await engine.bus.read([RecommendationsReady])).events if isinstance(e, RecommendationsReady)]


async def test_a_figure_gets_recommendations_for_its_revision(tmp_path: Path, load: Callable[[], Vocabularies]) -> None:
    async with running(tmp_path, load) as engine:
        await engine.bus.publish([image_uploaded(revision=3, legend="No lesion of the retina.")])
        (ready,) = await said(engine)
    assert (ready.figure, ready.revision, ready.generation, ready.state) == ("f1", 3, 1, "ready")
    (found,) = ready.recommendations
    assert (found.curie, found.axis, found.assertion) == ("UBERON:0000966", "anatomy", "absent")
    assert ready.vocabularies.keys() == {"UBERON"}


async def test_the_same_event_twice_is_the_same_answer_twice(tmp_path: Path, load: Callable[[], Vocabularies]) -> None:
    async with running(tmp_path, load) as engine:
        await engine.bus.publish([image_uploaded(), image_uploaded()])
        first, second = await said(engine)
    assert first == second


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"legend": ""}, "no_text"),
        ({"legend": "Nothing that a vocabulary knows."}, "none_found"),
        ({"legend": "Netzhaut und Sehnerv.", "language": "de"}, "language_unsupported"),
        ({"legend": "The retina."}, "ready"),
    ],
)
async def test_the_state_says_how_it_went(
    tmp_path: Path, load: Callable[[], Vocabularies], fields: dict[str, str], state: str
) -> None:
    async with running(tmp_path, load) as engine:
        await engine.bus.publish([image_uploaded(**fields)])
        (ready,) = await said(engine)
    assert ready.state == state
    assert bool(ready.reason) == (state != "ready")


async def test_a_text_that_the_annotator_cannot_take_fails_alone(
    tmp_path: Path, load: Callable[[], Vocabularies], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = LocalAnnotator.annotate

    def choosy(self: LocalAnnotator, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        if any("poison" in one.text for one in analyses):
            raise ZeroDivisionError
        return honest(self, analyses)

    monkeypatch.setattr(LocalAnnotator, "annotate", choosy)
    async with running(tmp_path, load) as engine:
        texts = ("The retina.", "The retina and a poison.", "The hippocampus.")
        await engine.bus.publish([image_uploaded(figure=f"f{n}", legend=text) for n, text in enumerate(texts)])
        states = {ready.figure: ready.state for ready in await said(engine)}
        assert await engine.bus.dead_letters() == []
    assert states == {"f0": "ready", "f1": "failed", "f2": "ready"}


async def test_the_generation_rises_when_the_vocabularies_change_and_only_then(tmp_path: Path) -> None:
    generations = []
    for names in ([RETINA, HIPPOCAMPUS], [RETINA, HIPPOCAMPUS], [RETINA]):
        made = vocabularies(UBERON=names)
        async with running(tmp_path, lambda made=made: made) as engine:  # type: ignore[misc]
            await engine.bus.publish([image_uploaded()])
            generations.append((await said(engine))[-1].generation)
    assert generations == [1, 1, 2]


async def test_events_wait_until_the_vocabularies_are_loaded(tmp_path: Path, load: Callable[[], Vocabularies]) -> None:
    let = threading.Event()

    def slow() -> Vocabularies:
        assert let.wait(30)
        return load()

    async with running(tmp_path, slow) as engine:
        await engine.bus.publish([legend_tokenized()])
        async with asyncio.timeout(20):
            while not any(p.waiting_for == "vocabularies" for p in await engine.bus.progress()):
                await asyncio.sleep(0.01)
        let.set()
        (ready,) = await said(engine)
    assert ready.state == "ready"


async def test_vocabularies_that_cannot_be_loaded_make_events_wait_and_lose_none(tmp_path: Path) -> None:
    def broken() -> Vocabularies:
        raise OSError("no such disk")

    async with running(tmp_path, broken) as engine:
        await engine.bus.publish([legend_tokenized()])
        async with asyncio.timeout(20):
            while not any(p.waiting_for == "vocabularies" for p in await engine.bus.progress()):
                await asyncio.sleep(0.01)
        assert await engine.bus.dead_letters() == []


async def test_vocabularies_that_could_not_be_loaded_are_tried_again(
    tmp_path: Path, load: Callable[[], Vocabularies], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommender, "RETRY_SECONDS", 0.01)
    troubles = [OSError("no such disk"), Invalid("That set is damaged.")]

    def mended() -> Vocabularies:
        if troubles:
            raise troubles.pop()
        return load()

    monkeypatch.setattr(recommender, "POLL_SECONDS", 0.01)
    async with running(tmp_path, mended) as engine:
        await engine.bus.publish([legend_tokenized()])
        (ready,) = await said(engine)
    assert ready.state == "ready"


async def test_while_documents_are_away_legends_go_on_and_do_not_wait_for_them_each_time(
    tmp_path: Path, load: Callable[[], Vocabularies], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def away(self: SiteVocabularies) -> str:
        nonlocal asked
        asked += 1
        raise Unavailable("documents")

    async with running(tmp_path, load) as engine:
        await engine.bus.publish([legend_tokenized()])
        assert len(await said(engine)) == 1
        monkeypatch.setattr(recommender, "POLL_SECONDS", 60.0)
        monkeypatch.setattr(SiteVocabularies, "current", away)
        for figure in ("f2", "f3", "f4", "f5"):
            await engine.bus.publish([legend_tokenized(figure=figure)])
            await engine.bus.settled()
        assert [one.state for one in await said(engine)] == ["ready"] * 5
    assert asked <= 2  # once for the legends, and once where the set is followed


async def test_what_is_remembered_of_texts_goes_with_an_erased_figure(
    tmp_path: Path, load: Callable[[], Vocabularies], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, asked = LocalAnnotator.annotate, list[str]()

    def counting(self: LocalAnnotator, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        asked.extend(one.text for one in analyses)
        return honest(self, analyses)

    monkeypatch.setattr(LocalAnnotator, "annotate", counting)
    async with running(tmp_path, load) as engine:
        for event in (image_uploaded(), image_uploaded(figure="f2"), image_deleted(), image_uploaded(figure="f3")):
            await engine.bus.publish([event])
            await engine.bus.settled()
    assert len(asked) == 2


async def test_concepts_are_found_by_name_and_identifier(tmp_path: Path, load: Callable[[], Vocabularies]) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        service = recommender.build(engine, library=Given(load))
        hop = Hop("recommender", app=service.app)
        token = engine.signer.token(Caller("ada", {"default": frozenset({"annotator"})}), "recommender")
        early = await hop.request("GET", "/api/v1/concepts", token=token, params={"q": "hippoc"})
        assert (early.status_code, "loaded" in early.json()["detail"]) == (503, True)
        await service.start()
        async with asyncio.timeout(20):
            while (found := await hop.request("GET", "/api/v1/concepts?q=hippoc", token=token)).status_code != 200:
                await asyncio.sleep(0.01)
        assert [one["curie"] for one in found.json()["items"]] == ["UBERON:0001954"]
        one = await hop.request("GET", "/api/v1/concepts/UBERON:0000966", token=token)
        assert one.json()["names"] == [["retina", "LABEL"]]
        assert (await hop.request("GET", "/api/v1/concepts/UBERON:9", token=token)).status_code == 404
        await hop.close()
        await service.stop()
