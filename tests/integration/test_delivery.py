"""The log of a real run, delivered to fresh read models in any order, late and twice: one end state."""

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from mitagger.client import AsyncClient
from mitagger.client import models as m
from mitagger.serve import MODELS
from services.annotation import model as annotation
from services.annotation.service import build as build_annotation
from services.export.model import FigureRecord
from services.export.service import build as build_export
from shared.bus.kafka import KafkaBus
from shared.documents.port import Document
from shared.engine import Engine
from shared.events import EVENTS
from shared.events.envelope import Event
from shared.events.mapping import MappingsActivated
from shared.search.port import EVERYBODY, Query
from tests.support.embedded import embedded
from tests.support.people import until
from tests.support.servers import buses
from tests.support.system import System, system

DELIVERIES: Final = 20
SAMPLED: Final = 3
READ_MODELS: Final[tuple[type[Document], ...]] = (annotation.Figure, annotation.Recommendations, FigureRecord)


async def _log(engine: Engine) -> list[Event]:
    found, after = list[Event](), ""
    while (page := await engine.bus.read(EVENTS, after=after)).events or page.cursor != after:
        found += page.events
        after = page.cursor
    return found


async def _run(running: System) -> list[Event]:
    """Four figures tagged and reviewed, one corrected afterwards, one erased: every event, bodies included."""
    work = running.work
    await work.round()

    async def figures(client: AsyncClient) -> list[m.Figure]:
        return [figure async for figure in client.figures()]

    by_name = {figure.external_id: figure for figure in await work.ask("admin", figures)}
    corrected, erased = by_name["1-0"], by_name["1-1"]
    await work.ask("admin", lambda c: c.change_figure(corrected.id, legend="Femur with fibrosis."))

    async def revised() -> bool:
        return (await work.ask("admin", lambda c: c.recommendations(corrected.id))).revision == 2

    await until(revised, what="recommendations of the corrected legend")
    await running.engine.bus.settled()
    before = await _log(running.engine)
    await work.ask("admin", lambda c: c.delete_figure(erased.id))
    await running.engine.bus.settled()
    known = {event.id for event in before}
    return [*before, *(event for event in await _log(running.engine) if event.id not in known)]


async def _left(engine: Engine) -> dict[str, Any]:
    """Read models without `version`, which counts writes."""
    documents = {
        model.collection: [
            document.model_dump(exclude={"version"})
            for document in (await engine.documents.collection(model).find(limit=1000)).items
        ]
        for model in READ_MODELS
    }
    found = await engine.search.search(Query(provisional=EVERYBODY, limit=100))
    entries = sorted((hit.entry.model_copy(update={"version": 0}) for hit in found.hits), key=lambda entry: entry.id)
    return {**documents, "index": entries, "facets": found.facets}


async def _delivered(folder: Path, batches: Sequence[Sequence[Event]]) -> dict[str, Any]:
    async with embedded(folder, MODELS) as engine:
        await engine.search.prepare()
        exporting = build_export(engine)
        subscriptions = [*build_annotation(engine).subscriptions, *exporting.subscriptions]
        for batch in batches:
            for subscription in subscriptions:
                if type(batch[0]) in subscription.topics:
                    await subscription.handler(batch)
        return await _left(engine)


def _interleaved(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Each topic in its order, the topics among each other in any."""
    topics: dict[type[Event], list[Event]] = {}
    for event in reversed(events):
        topics.setdefault(type(event), []).append(event)
    found = []
    while topics:
        topic = chance.choice(sorted(topics, key=lambda event: event.topic))
        found.append(topics[topic].pop())
        if not topics[topic]:
            del topics[topic]
    return found


async def _through_kafka(
    folder: Path, events: Sequence[Event], chance: random.Random, make: Callable[[], Awaitable[KafkaBus]]
) -> dict[str, Any]:
    """Delivered by a real bus of several partitions to handlers that are stopped and started again in between."""
    async with embedded(folder, MODELS) as engine:
        await engine.search.prepare()
        publishing = await make()
        places = sorted(chance.randrange(len(events)) for _ in range(2))
        for start, end in zip([0, *places], [*places, len(events)], strict=True):
            bus = await make()
            for subscription in [*build_annotation(engine).subscriptions, *build_export(engine).subscriptions]:
                bus.subscribe(replace(subscription, batch=chance.randint(1, 5)))
            await bus.start()
            await publishing.publish(events[start:end])
            if end == len(events):
                await bus.settled()
            await bus.stop()
        return await _left(engine)


def _in_batches(events: Sequence[Event], chance: random.Random) -> list[list[Event]]:
    """As polls give them: one topic each, of random lengths."""
    batches: list[list[Event]] = []
    for event in events:
        if batches and type(batches[-1][0]) is type(event) and chance.random() < 0.7:
            batches[-1].append(event)
        else:
            batches.append([event])
    return batches


@pytest.mark.servers
async def test_any_interleaving_of_topics_on_kafka_leaves_what_the_run_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with system(tmp_path / "run") as running:
        log = await _run(running)
        left = await _left(running.engine)
    for seed in range(SAMPLED):
        chance = random.Random(seed)
        async with buses.opened(monkeypatch, partitions=3) as make:
            found = await _through_kafka(tmp_path / str(seed), _interleaved(log, chance), chance, make)
        assert found == left, f"seed {seed}"


async def test_any_order_of_delivery_leaves_what_the_run_left(tmp_path: Path) -> None:
    async with system(tmp_path / "run") as running:
        log = await _run(running)
        left = await _left(running.engine)
    # Mappings are of no figure, and no part of the main job (tests/integration/test_mappings.py).
    assert {type(event) for event in log} == set(EVENTS) - {MappingsActivated}
    assert [len(left[model.collection]) for model in READ_MODELS] == [3, 3, 3]
    assert await _delivered(tmp_path / "in order", [[event] for event in log]) == left
    for seed in range(DELIVERIES):
        chance = random.Random(seed)
        events = [event for event in log for _ in range(chance.choice((1, 1, 2, 3)))]
        chance.shuffle(events)
        if seed % 2:  # long batches: sorted by topic, the topics in random order
            order = list(EVENTS)
            chance.shuffle(order)
            events.sort(key=lambda event: order.index(type(event)))
        assert await _delivered(tmp_path / str(seed), _in_batches(events, chance)) == left, f"seed {seed}"
