"""The same as with_faststream.py, with aiokafka alone."""

import asyncio
import json
import os
import sqlite3
import sys
from pathlib import Path

from aiokafka import AIOKafkaConsumer
from jsonschema import Draft202012Validator, ValidationError

TOPICS = ("tag.accepted", "tag.withdrawn", "review.done", "image.deleted")
SCHEMAS = {
    topic: Draft202012Validator(json.loads(Path(os.environ["CATALOGUE"], topic, "v1.schema.json").read_text()))
    for topic in TOPICS
}
PREFIX = os.environ.get("PREFIX", "")
store = sqlite3.connect(os.environ["OUT"])
store.execute("CREATE TABLE IF NOT EXISTS facts (entity PRIMARY KEY, figure, topic, revision INTEGER, body)")


async def consume() -> None:
    consumer = AIOKafkaConsumer(
        *(PREFIX + topic for topic in TOPICS),
        bootstrap_servers=os.environ["KAFKA"],
        group_id=os.environ.get("GROUP", "tags-of-my-hospital"),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        while True:
            batch = await consumer.getmany(timeout_ms=1000, max_records=500)
            with store:  # first the effect, then the position: what dies between comes again
                for where, records in batch.items():
                    for record in records:
                        keep(where.topic.removeprefix(PREFIX), record.value)
            if batch:
                await consumer.commit()


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
    asyncio.run(consume())
