"""Kafka topics from data (topics.toml, the event classes, the subscriptions): what is missing or different, and making
it so. Nothing here loses records unless it is asked to."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from aiokafka import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AIOKafkaConsumer,
    OffsetAndMetadata,
    TopicPartition,
)
from aiokafka.admin import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    AIOKafkaAdminClient,
    NewPartitions,
    NewTopic,
)
from aiokafka.admin.config_resource import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    ConfigResource,
    ConfigResourceType,
)
from aiokafka.errors import (  # type: ignore[import-untyped, import-not-found, unused-ignore]
    CommitFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from shared.bus.kafka_address import KafkaAddress
from shared.bus.port import Kind, Subscription
from shared.errors import Invalid, Unavailable
from shared.events import EVENTS

# In DescribeConfigs answers: set for this topic, as against a default of the broker (KIP-226).
_SET_FOR_TOPIC: Final = 1
ANSWER_SECONDS: Final = 20
VISIBLE_SECONDS: Final = 0.02


class Action(StrEnum):
    CREATE = "create"
    KEEP_LONGER = "keep longer"
    ADD_PARTITIONS = "add partitions"  # reorders: a figure's next events go elsewhere than its last
    KEEP_SHORTER = "keep shorter"  # loses records
    COMPACT = "change clean-up"  # loses records

    @property
    def harmless(self) -> bool:
        return self in (Action.CREATE, Action.KEEP_LONGER)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it should be. `kept` is None for good; a compacted one keeps the newest record of each key only."""

    name: str
    partitions: int
    kept: timedelta | None
    compacted: bool = False

    def settings(self) -> dict[str, str]:
        kept = -1 if self.kept is None else int(self.kept.total_seconds() * 1000)
        return {
            "cleanup.policy": "compact,delete" if self.compacted else "delete",
            "retention.ms": str(kept),
        }


@dataclass(frozen=True, slots=True)
class Change:
    """What it takes to make a topic as it should be."""

    topic: Topic
    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class Layout:
    """topics.toml."""

    partitions: int
    replicas: int
    group_partitions: int
    group_kept_days: int


@cache
def layout() -> Layout:
    return Layout(**tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")))


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Bounds what Kafka is asked for inside. Raises Unavailable for its errors, and when it takes too long."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            yield
    except (KafkaError, TimeoutError) as error:
        message = f"Kafka does not answer: {type(error).__name__}."
        raise Unavailable("kafka", message, remedy="Does it run where MITAGGER_BUS says?") from error


def retry_topic(topic: str, group: str) -> str:
    return f"{topic}.{group}.retry"


def dead_topic(topic: str, group: str) -> str:
    return f"{topic}.{group}.dead"


def wanted(subscriptions: Sequence[Subscription] = (), *, prefix: str = "") -> list[Topic]:
    """All event topics, and the own topics of these subscriptions' groups."""
    like = layout()
    topics = [Topic(prefix + event.topic, like.partitions, event.kept) for event in EVENTS]
    kept = timedelta(days=like.group_kept_days)
    for subscription in subscriptions:
        for event in subscription.topics:
            retry, dead = retry_topic(event.topic, subscription.group), dead_topic(event.topic, subscription.group)
            topics.append(Topic(prefix + retry, like.group_partitions, kept))
            # One key is one letter there: a letter that was replayed is replaced by nothing.
            topics.append(Topic(prefix + dead, like.group_partitions, kept, compacted=True))
    return topics


async def plan(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[Change]:
    """What differs from `topics`; topics beside them are no concern of it. Raises Unavailable."""
    async with answering():
        there = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
        settings = await _settings(admin, [topic.name for topic in topics if topic.name in there])
    changes = []
    for topic in topics:
        if topic.name not in there:
            kept = f"{topic.kept.days} days" if topic.kept else "for good"
            partitions = "1 partition" if topic.partitions == 1 else f"{topic.partitions} partitions"
            changes.append(Change(topic, Action.CREATE, f"{partitions}, kept {kept}"))
        else:
            changes.extend(_differences(topic, there[topic.name], settings[topic.name]))
    return changes


async def apply(admin: AIOKafkaAdminClient, changes: Sequence[Change], *, harmful: bool = False) -> None:
    """Makes the changes. Raises Invalid, before any of them, when some would lose records or their order and `harmful`
    was not asked for; Unavailable."""
    refused = [change for change in changes if not change.action.harmless]
    if refused and not harmful:
        first = refused[0]
        raise Invalid(
            f"{len(refused)} changes would lose records or their order, first: {first.action} of {first.topic.name}"
            f" ({first.detail}).",
            remedy="Nothing was changed. Look at the plan, and ask for these changes explicitly if you mean them.",
        )
    async with answering():
        await _create(admin, [change.topic for change in changes if change.action is Action.CREATE])
        for change in changes:
            if change.action is Action.ADD_PARTITIONS:
                await admin.create_partitions({change.topic.name: NewPartitions(change.topic.partitions)})
            elif change.action is not Action.CREATE:
                await _configure(admin, change.topic)
        while await plan(admin, [change.topic for change in changes]):
            await asyncio.sleep(VISIBLE_SECONDS)


async def begin(admin: AIOKafkaAdminClient, address: KafkaAddress, subscriptions: Sequence[Subscription]) -> None:
    """Creates what is missing for these subscriptions; what differs is left as it is.

    A new reaction gets its first positions: the ends of its topics as of now. That it is new, its retry topic says,
    created afterwards: a reaction that has one and no position has lost it. Raises Unavailable.
    """
    prefix = address.prefix
    async with answering():
        there = set(await admin.list_topics())
        missing = [topic for topic in wanted(subscriptions, prefix=prefix) if topic.name not in there]
        own = {
            prefix + name(event.topic, subscription.group)
            for subscription in subscriptions
            for event in subscription.topics
            for name in (retry_topic, dead_topic)
        }
        await _create(admin, [topic for topic in missing if topic.name not in own])
        for subscription in subscriptions:
            new = [
                prefix + event.topic
                for event in subscription.topics
                if prefix + retry_topic(event.topic, subscription.group) not in there
            ]
            if new and subscription.kind is Kind.REACTION:
                await _start_at_the_end(admin, address, prefix + subscription.group, new)
        await _create(admin, [topic for topic in missing if topic.name in own])


async def partitions(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[TopicPartition]:
    """All partitions of these topics. Raises KafkaError."""
    return [
        TopicPartition(each["topic"], partition["partition"])
        for each in await admin.describe_topics(list(topics))
        for partition in each["partitions"]
    ]


async def _start_at_the_end(
    admin: AIOKafkaAdminClient, address: KafkaAddress, group: str, topics: Sequence[str]
) -> None:
    known = await admin.list_consumer_group_offsets(group)
    where = [each for each in await partitions(admin, topics) if each not in known]
    consumer = AIOKafkaConsumer(**address.client, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(where)
        ends = await consumer.end_offsets(where)
        # Refused when another copy of the service was faster and has joined: then it has committed them.
        with suppress(CommitFailedError):
            await consumer.commit({tp: OffsetAndMetadata(end, "") for tp, end in ends.items()})
    finally:
        await consumer.stop()


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    if not topics:
        return
    brokers = len((await admin.describe_cluster())["brokers"])
    replicas = min(layout().replicas, brokers)
    safe = {"min.insync.replicas": "2"} if replicas >= 3 else {}
    response = await admin.create_topics(
        [NewTopic(t.name, t.partitions, replicas, topic_configs={**t.settings(), **safe}) for t in topics]
    )
    for name, code, *message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another copy of the service was faster
            raise error(f"{name}: {message}")
    while not {topic.name for topic in topics} <= set(await admin.list_topics()):  # brokers learn of it one by one
        await asyncio.sleep(VISIBLE_SECONDS)


async def _configure(admin: AIOKafkaAdminClient, topic: Topic) -> None:
    # The request replaces all settings of the topic, so those of others are sent again.
    settings = (await _settings(admin, [topic.name], own=True))[topic.name] | topic.settings()
    for response in await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, settings)]):
        for code, message, *_ in response.resources:
            if code:
                raise for_code(code)(f"{topic.name}: {message}")


async def _settings(
    admin: AIOKafkaAdminClient, topics: Sequence[str], *, own: bool = False
) -> dict[str, dict[str, str]]:
    """Settings in force by topic; with `own`, those that were set for the topic itself."""
    if not topics:
        return {}
    found: dict[str, dict[str, str]] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics]
    for response in await admin.describe_configs(resources):
        for code, message, _, name, entries in response.resources:
            if code:
                raise for_code(code)(f"{name}: {message}")
            found[name] = {
                entry[0]: entry[1] for entry in entries if entry[1] is not None and (not own or _is_own(entry))
            }
    return found


def _is_own(entry: Sequence[Any]) -> bool:
    return bool(entry[3] == _SET_FOR_TOPIC)


def _differences(topic: Topic, partitions: int, settings: Mapping[str, str]) -> list[Change]:
    changes = []
    want = topic.settings()
    if partitions < topic.partitions:
        changes.append(Change(topic, Action.ADD_PARTITIONS, f"{partitions} to {topic.partitions}"))
    kept, keep = int(settings["retention.ms"]), int(want["retention.ms"])
    if kept != keep:
        longer = keep < 0 or 0 <= kept < keep
        action = Action.KEEP_LONGER if longer else Action.KEEP_SHORTER
        changes.append(Change(topic, action, f"{_days(kept)} to {_days(keep)}"))
    if set(settings["cleanup.policy"].split(",")) != set(want["cleanup.policy"].split(",")):
        detail = f"{settings['cleanup.policy']} to {want['cleanup.policy']}"
        changes.append(Change(topic, Action.COMPACT, detail))
    return changes


def _days(milliseconds: int) -> str:
    return "for good" if milliseconds < 0 else f"{timedelta(milliseconds=milliseconds)}"
