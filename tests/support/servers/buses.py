"""Buses on the run's Kafka, each test under a prefix of its own."""

import dataclasses
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shared.bus import kafka_group, topics
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from tests.support.servers import kafka


@asynccontextmanager
async def opened(
    monkeypatch: pytest.MonkeyPatch, *, partitions: int, address: str = ""
) -> AsyncIterator[Callable[[], Awaitable[KafkaBus]]]:
    """Makes buses over the same topics, of so many partitions, which wait for next to nothing; stopped at the end."""
    like = dataclasses.replace(topics.layout(), partitions=partitions)
    monkeypatch.setattr(topics, "layout", lambda: like)
    monkeypatch.setattr(kafka_group, "delay", lambda attempt: 0.001)
    monkeypatch.setattr(kafka_group, "DEPENDENCY_SECONDS", 0.01)
    monkeypatch.setattr(kafka_group, "FETCH_WAIT_MS", 10)
    monkeypatch.setattr(kafka_group, "HEARTBEAT_SECONDS", 0.1)
    there = parsed(f"kafka://{address or kafka.address()}/test-{uuid.uuid4().hex[:8]}")
    made: list[KafkaBus] = []

    async def make() -> KafkaBus:
        bus = KafkaBus(there)
        await bus.open()
        made.append(bus)
        return bus

    yield make
    for bus in made:
        await bus.stop()
        await bus.close()
