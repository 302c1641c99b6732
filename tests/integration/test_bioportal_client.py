"""The client of BioPortal asks our own server, which misbehaves when it is told to: real sockets, nothing mocked."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from services.nlp import service as nlp
from services.recommender import bioportal as client
from services.recommender import service as recommender
from services.recommender.annotator import Annotation
from services.recommender.answering import outcomes
from services.recommender.bioportal import BioPortal, BioPortalAnnotator
from services.recommender.breaker import FAILURES
from services.recommender.choosing import chosen
from services.recommender.consents import Consents
from services.recommender.metadata import TechnicalTags
from services.recommender.model import MODELS
from shared.access import Caller
from shared.clock import now
from shared.engine import Engine
from shared.errors import Invalid, TooLarge, Unavailable
from shared.events.recommendation import RecommendationsReady
from shared.http import Hop
from shared.readiness import Readiness
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies
from tests.support.builders import analysis, image_deleted, image_uploaded, legend_tokenized
from tests.support.embedded import at_work, embedded
from tests.support.faults import Fault, Faulty, faulty
from tests.support.people import until
from tests.support.portal import portal_beside
from tests.support.system import KEY
from tests.support.vocabularies import Given, vocabularies

OURS = vocabularies(CL=[("CL:1", "neuron", "LABEL")], UBERON=[("UBERON:2", "femur", "LABEL", "anatomy")])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One for all, which only ask; what misbehaves stands before it, for each test anew."""
    with portal_beside(tmp_path_factory.mktemp("portal")) as url:
        yield url


@pytest.fixture
async def server(url: str) -> AsyncIterator[Faulty]:
    async with faulty(url) as made:
        yield made


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long between attempts in a test."""
    monkeypatch.setattr("shared.bus.retry.BASE_SECONDS", 0.001)
    monkeypatch.setattr(recommender, "POLL_SECONDS", 0.02)


async def at_once() -> None:
    """A turn without a limit."""


def portal(server: Faulty, *, key: str = KEY, ontologies: Sequence[str] = ("UBERON", "MONDO")) -> BioPortal:
    return BioPortal(server.url, key, ontologies, turn=at_once)


async def annotated(asking: BioPortal, texts: Sequence[str], words: Vocabularies = OURS) -> list[list[Annotation]]:
    annotator = BioPortalAnnotator(asking, words)
    return await asyncio.to_thread(annotator.annotate, [analysis(text=text, panels=[], scopes=[]) for text in texts])


def said(found: list[list[Annotation]]) -> list[list[tuple[str, str]]]:
    return [[(one.text, one.concept.curie) for one in each] for each in found]


async def test_texts_share_a_request_an_ontology_and_get_their_own_mentions(server: Faulty) -> None:
    found = await annotated(portal(server), ["The femur.", "Fibrosis of the Hippocampus", "Nothing"])
    assert said(found) == [[("femur", "UBERON:2")], [("Fibrosis", "MONDO:1"), ("Hippocampus", "UBERON:1")], []]
    assert server.seen == 2
    assert sorted(parse_qs(body.decode())["ontologies"][0] for body in server.bodies) == ["MONDO", "UBERON"]
    assert all(f"apikey token={KEY}".encode() in head for head in server.heads)
    (femur,) = found[0]
    assert (femur.match, femur.scope, femur.start, femur.end) == ("label", "LABEL", 4, 9)
    assert femur.found_by == ("BioPortal",)


async def test_a_name_across_two_texts_is_none_and_swallows_nothing(server: Faulty) -> None:
    found = await annotated(portal(server, ontologies=["NCIT"]), ["A western", "blot", "western blot"])
    assert said(found) == [[], [], [("western blot", "NCIT:1")]]


async def test_what_stands_around_a_mention_counts(server: Faulty) -> None:
    annotator = BioPortalAnnotator(portal(server), OURS)
    legend = analysis(text="(A) MRI of the hippocampus (HC). (B) No fibrosis in the HC.")
    ((hippocampus, fibrosis),) = await asyncio.to_thread(annotator.annotate, [legend])
    assert (hippocampus.assertion, hippocampus.panels) == ("present", ("A",))
    assert (fibrosis.assertion, fibrosis.panels) == ("absent", ("B",))


@pytest.mark.parametrize("fault", ["429", "500", "html", "half", "cut", "reset", "slow"])
async def test_what_may_pass_is_tried_again(server: Faulty, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    if fault == "slow":
        monkeypatch.setattr(client, "ANSWER_SECONDS", 3.0)
    server.faults = [fault]
    assert said(await annotated(portal(server, ontologies=["UBERON"]), ["The femur."])) == [[("femur", "UBERON:2")]]
    assert server.seen == 2


@pytest.mark.parametrize("fault", ["429", "500", "html", "half", "cut", "reset", "slow"])
async def test_what_does_not_pass_is_an_outage_never_an_empty_answer(
    server: Faulty, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "slow":
        monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)
    server.always = fault
    with pytest.raises(Unavailable) as caught:
        await annotated(portal(server, ontologies=["UBERON"]), ["The femur."])
    assert caught.value.dependency == "BioPortal"
    assert server.seen == client.ATTEMPTS


async def test_a_server_that_keeps_failing_is_left_alone(server: Faulty) -> None:
    asking = portal(server, ontologies=["UBERON"])
    server.always = "500"
    for _ in range(4):
        with pytest.raises(Unavailable):
            await annotated(asking, ["The femur."])
    assert server.seen == FAILURES


async def test_nobody_there_is_an_outage() -> None:
    asking = BioPortal("http://127.0.0.1:1", KEY, ["UBERON"], turn=at_once)
    with pytest.raises(Unavailable):
        await annotated(asking, ["The femur."])


async def test_a_wrong_key_stops_it_and_says_so(server: Faulty) -> None:
    asking = portal(server, key="wrong", ontologies=["UBERON"])
    for _ in range(3):
        with pytest.raises(Unavailable) as caught:
            await annotated(asking, ["The femur."])
        assert "valid key" in caught.value.dependency
        assert "MITAGGER_BIOPORTAL_KEY" in caught.value.remedy
    assert server.seen == 1


@pytest.mark.parametrize("fault", ["404", "redirect"])
async def test_a_wrong_address_or_ontology_stops_it(server: Faulty, fault: Fault) -> None:
    server.always = fault
    asking = portal(server, ontologies=["UBERON"])
    for _ in range(2):
        with pytest.raises(Unavailable):
            await annotated(asking, ["The femur."])
    assert server.seen == 1


async def test_an_endless_answer_is_cut_off(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_BYTES", 3_000_000)
    server.always = "flood"
    with pytest.raises(TooLarge):
        await annotated(portal(server, ontologies=["UBERON"]), ["The femur."])


async def test_a_text_that_is_refused_fails_alone(server: Faulty) -> None:
    server.faults = ["413", "413"]  # both texts together, then the first
    annotator = BioPortalAnnotator(portal(server, ontologies=["UBERON"]), OURS)
    causes = [legend_tokenized(figure=figure, analysis=analysis(text="The femur.")) for figure in ("f1", "f2")]
    said = await asyncio.to_thread(outcomes, annotator, TechnicalTags(OURS), causes)
    assert [one.state for one in said] == ["failed", "ready"]


@pytest.mark.parametrize(
    ("url", "key"), [("http://a.example:port", "key"), ("http://a.example", "key\n"), ("http://a.example", "ключ")]
)
def test_an_address_or_key_that_cannot_be_sent_is_a_clear_error(url: str, key: str) -> None:
    with pytest.raises(Invalid):
        BioPortal(url, key, ["GO"], turn=at_once)


async def test_every_request_waits_for_its_turn(server: Faulty) -> None:
    turns = 0

    async def turn() -> None:
        nonlocal turns
        assert server.seen <= turns
        turns += 1

    server.faults = ["500"]
    await annotated(BioPortal(server.url, KEY, ["UBERON"], turn=turn), ["The femur."])
    assert (turns, server.seen) == (2, 2)


async def test_an_ending_process_does_not_wait_for_an_answer(server: Faulty) -> None:
    server.always = "slow"
    asking = portal(server)
    waiting = asyncio.create_task(annotated(asking, ["The femur."]))

    async def asked() -> bool:
        return server.seen == 2

    await until(asked, what="both requests are out", seconds=20)
    asking.stop()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(waiting, 20)


def test_an_odd_class_does_not_spoil_an_answer() -> None:
    odd = b"""[{"annotatedClass": {"@id": "a:1", "prefLabel": null, "semanticType": null}, "annotations": []},
        {"annotatedClass": {"@id": "a:2", "prefLabel": ["one", "two"], "semanticType": ["T1", 2]}, "annotations": []},
        {"annotatedClass": {"@id": "a:3", "prefLabel": {"en": "one"}}, "annotations": [], "hierarchy": []}]"""
    read = client.ANSWER.validate_json(odd)
    assert [(one.concept.label, one.concept.types) for one in read] == [("", ()), ("one", ("T1",)), ("", ())]


# --- in the recommender


@asynccontextmanager
async def recommending(folder: Path, server: Faulty, **fields: Any) -> AsyncIterator[Engine]:
    async with both(folder, server, **fields) as (engine, _):
        yield engine


@asynccontextmanager
async def both(
    folder: Path, server: Faulty, *, legends: bool = True, reports: bool = False, **fields: Any
) -> AsyncIterator[tuple[Engine, recommender.Recommender]]:
    """`legends`, `reports`: what the default project allows to be sent."""
    settings = Settings(
        **{
            "data": folder / "data",
            "cache": folder / "cache",
            "bioportal": server.url,
            "bioportal_key": KEY,
            "bioportal_ontologies": ("UBERON", "MONDO"),
            "bioportal_limit": 100,
            **fields,
        }
    )
    async with embedded(folder, MODELS) as engine:
        await Consents(engine.documents).say("default", legends=legends, reports=reports, by="root", at=now())
        taught = recommender.build(engine, library=Given(OURS), choice=chosen(settings, engine))
        async with at_work(engine, nlp.build(engine), taught):
            yield engine, taught


async def ready(engine: Engine) -> list[RecommendationsReady]:
    await engine.bus.settled()
    return [e for e in (await engine.bus.read([RecommendationsReady])).events if isinstance(e, RecommendationsReady)]


def whys(event: RecommendationsReady) -> dict[str, str]:
    return {one.label: one.why.partition("Found by ")[2] for one in event.recommendations}


async def test_both_are_merged_and_say_who_found_what(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server) as engine:
        await engine.bus.publish([image_uploaded(legend="A neuron, the femur and fibrosis.")])
        (event,) = await ready(engine)
    assert whys(event) == {
        "neuron": "the local vocabularies.",
        "femur": "the local vocabularies and BioPortal.",
        "fibrosis": "BioPortal.",
    }
    assert {one.label: one.axis for one in event.recommendations}["fibrosis"] == "disease"


async def test_alone_it_replaces_the_local_vocabularies(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server, bioportal_alone=True) as engine:
        await engine.bus.publish([image_uploaded(legend="A neuron and the femur.")])
        (event,) = await ready(engine)
    assert whys(event) == {"femur": "BioPortal."}


@pytest.mark.parametrize("alone", [False, True])
async def test_reports_stay_here_without_consent(server: Faulty, tmp_path: Path, alone: bool) -> None:
    async with recommending(tmp_path, server, bioportal_alone=alone) as engine:
        await engine.bus.publish([image_uploaded(legend="The femur and fibrosis.", legend_kind="report")])
        (event,) = await ready(engine)
    assert (server.seen, whys(event)) == (0, {"femur": "the local vocabularies."})


async def test_reports_go_out_with_consent(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server, reports=True) as engine:
        await engine.bus.publish([image_uploaded(legend="The femur and fibrosis.", legend_kind="report")])
        (event,) = await ready(engine)
    assert (server.seen, len(event.recommendations)) == (2, 2)


async def test_nothing_leaves_a_project_that_nobody_allowed_it_for(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server, bioportal_alone=True) as engine:
        await engine.bus.publish([image_uploaded(project="other", legend="The femur and fibrosis.")])
        (event,) = await ready(engine)
    assert (server.seen, whys(event)) == (0, {"femur": ""})
    assert "bioportal" not in event.annotator


async def test_an_administrator_allows_it_for_a_project_and_takes_it_back(server: Faulty, tmp_path: Path) -> None:
    async with both(tmp_path, server, legends=False, bioportal_ontologies=("MONDO",)) as (engine, service):
        hop = Hop("recommender", app=service.app)
        token = engine.signer.token(Caller("root", {"default": frozenset({"administrator"})}), "recommender")

        async def said(**body: bool) -> dict[str, Any]:
            path = "/api/v1/projects/default/bioportal"
            answer = await hop.request("PUT", path, token=token, json=body)
            return dict(answer.json())

        async def found(*labels: str) -> None:
            async def so() -> bool:
                newest = max(await ready(engine), key=lambda one: one.generation)
                return sorted(one.label for one in newest.recommendations) == sorted(labels)

            await until(so, what=f"recommendations {labels}", seconds=30)

        await engine.bus.publish([image_uploaded(legend="The femur and fibrosis.")])
        await found("femur")
        assert server.seen == 0
        allowed = await said(legends=True)
        assert (allowed["legends"], allowed["legends_by"], allowed["reports"]) == (True, "root", False)
        await found("femur", "fibrosis")
        assert server.seen == 1
        await said(legends=False)
        await engine.bus.publish([image_uploaded(figure="f2", legend="Another femur and fibrosis.")])
        await found("femur")
        assert server.seen == 1
        await hop.close()


async def test_reports_need_legends_and_a_server_must_be_named(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        with pytest.raises(Invalid):
            await Consents(engine.documents).say("default", legends=False, reports=True, by="root", at=now())
        service = recommender.build(engine, library=Given(OURS))
        hop = Hop("recommender", app=service.app)
        token = engine.signer.token(Caller("root", {"default": frozenset({"administrator"})}), "recommender")
        path = "/api/v1/projects/default/bioportal"
        refused = await hop.request("PUT", path, token=token, json={"legends": True})
        assert (refused.status_code, refused.json()["field"]) == (422, "legends")
        assert (await hop.request("GET", path, token=token)).json()["server"] is None
        await hop.close()


async def test_events_wait_while_it_is_down_and_none_is_lost(server: Faulty, tmp_path: Path) -> None:
    server.always = "500"
    async with recommending(tmp_path, server, bioportal_ontologies=("UBERON",)) as engine:
        await engine.bus.publish([image_uploaded(legend="The femur.")])
        await until(lambda: _waits(engine, "BioPortal"), what="the recommender waits", seconds=20)
        server.always = None
        (event,) = await ready(engine)
        assert (event.state, await engine.bus.dead_letters()) == ("ready", [])


async def test_readiness_names_a_wrong_key_and_it_is_asked_once(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server, bioportal_key="wrong", bioportal_ontologies=("UBERON",)) as engine:
        await engine.bus.publish([image_uploaded(legend="The femur.")])
        await until(lambda: _waits(engine, "valid key"), what="the recommender waits", seconds=20)
        problems = Readiness().problems(await engine.bus.progress(), now())
        assert "recommender waits for a valid key of BioPortal." in problems
        assert (server.seen, await engine.bus.dead_letters()) == (1, [])


async def test_a_known_text_is_not_sent_again_until_a_figure_is_erased(server: Faulty, tmp_path: Path) -> None:
    async with recommending(tmp_path, server, bioportal_ontologies=("UBERON",)) as engine:
        for figure, seen in (("f1", 1), ("f2", 1)):
            await engine.bus.publish([image_uploaded(figure=figure, legend="The femur.")])
            await engine.bus.settled()
            assert server.seen == seen
        await engine.bus.publish([image_deleted()])
        await engine.bus.settled()
        await engine.bus.publish([image_uploaded(figure="f3", legend="The femur.")])
        await engine.bus.settled()
        assert server.seen == 2


async def test_a_missing_key_is_a_clear_error(tmp_path: Path) -> None:
    async with embedded(tmp_path, MODELS) as engine:
        with pytest.raises(Invalid) as caught:
            chosen(Settings(bioportal="https://portal.example"), engine)
        assert caught.value.field == "bioportal_key"


async def _waits(engine: Engine, dependency: str) -> bool:
    return any(dependency in one.waiting_for for one in await engine.bus.progress())
