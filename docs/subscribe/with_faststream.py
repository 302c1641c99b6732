"""Keeps MITagger's tags in a SQLite file, from the catalogue of events alone. Needs faststream[kafka] and jsonschema.

KAFKA=kafka:9092 PREFIX=mitagger. CATALOGUE=./catalogue OUT=tags.sqlite python with_faststream.py
"""

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from jsonschema import Draft202012Validator, ValidationError

TOPICS = ("tag.accepted", "tag.withdrawn", "review.done", "image.deleted")
SCHEMAS = {
    topic: Draft202012Validator(json.loads(Path(os.environ["CATALOGUE"], topic, "v1.schema.json").read_text()))
    for topic in TOPICS
}
PREFIX = os.environ.get("PREFIX", "")
store = sqlite3.connect(os.environ["OUT"])
store.execute("CREATE TABLE IF NOT EXISTS facts (entity PRIMARY KEY, figure, topic, revision INTEGER, body)")
broker = KafkaBroker(os.environ["KAFKA"])


@broker.subscriber(
    *(PREFIX + topic for topic in TOPICS),
    group_id=os.environ.get("GROUP", "tags-of-my-hospital"),
    auto_offset_reset="earliest",  # FastStream's own default would begin at the end
    ack_policy=AckPolicy.MANUAL,  # its default acknowledges before the work is done
    batch=True,
)
async def consume(_bodies: list[bytes], message: KafkaMessage) -> None:
    try:
        with store:  # one transaction for the batch
            for record in message.raw_message:
                keep(record.topic.removeprefix(PREFIX), record.value)
        await message.ack()
    except sqlite3.Error:
        await asyncio.sleep(1)
        await message.nack()  # goes back: the batch comes again


def keep(topic: str, value: bytes) -> None:
    """Of each entity the highest revision, whatever the order and however often it comes; nothing of erased figures."""
    try:
        body = json.loads(value or b"")
        SCHEMAS[topic].validate(body)
    except (ValueError, ValidationError) as error:
        print(f"not an event of {topic}: {type(error).__name__}", file=sys.stderr)
        return
    figure = body["figure"]
    if topic == "image.deleted":
        store.execute("DELETE FROM facts WHERE figure = ?", (figure,))
    if store.execute("SELECT 1 FROM facts WHERE entity = ?", (f"erased {figure}",)).fetchone():
        return
    # tag.accepted and tag.withdrawn tell of one entity; a figure has one review.
    entity = {"image.deleted": f"erased {figure}", "review.done": f"review {figure}"}.get(topic) or body["tag_id"]
    store.execute(
        "INSERT INTO facts VALUES (?, ?, ?, ?, ?) ON CONFLICT (entity) DO UPDATE SET"
        " topic = excluded.topic, revision = excluded.revision, body = excluded.body"
        " WHERE excluded.revision > revision",
        (entity, figure, topic, body["revision"], json.dumps(body)),
    )


if __name__ == "__main__":
    asyncio.run(FastStream(broker).run())
