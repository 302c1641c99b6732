"""From a figure's event to its recommendations over real Kafka, nlp and recommender in processes of their own.

Goal: at least 1/8 of a bare chain, in which one process of plain aiokafka consumes the same records in batches and
produces them again, awaiting each batch, with the same guarantees (acks=all, idempotent, offsets committed after). In
both, time runs from the first record produced until the last has come out.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import measure
from bench.legends import legends
from bench.measure import Measurement, Report
from bench.processes import Engines
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.clock import new_id
from shared.events.image import ImageUploaded
from tests.support.builders import image_uploaded
from tests.support.servers import mongo

ROUNDS: Final = 5
FIGURES: Final = 3_000
WARMING: Final = 50
AT_ONCE: Final = 500
GOAL: Final = 1 / 8


def figures(count: int, texts: Sequence[str], start: int) -> list[ImageUploaded]:
    """Legends that differ by a number, without pictures."""
    return [
        image_uploaded(figure=new_id(), picture=None, legend=f"{texts[number % len(texts)]} Case {number}.")
        for number in range(start, start + count)
    ]


async def bare(kafka: str, source: str, target: str) -> None:
    """The peer: python -m bench.chain bare …, until it is terminated."""
    consumer = AIOKafkaConsumer(
        source, bootstrap_servers=kafka, group_id=source, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=500, max_records=200)).values():
            sent = [
                await producer.send(target, record.value, key=record.key, headers=list(record.headers))
                for record in records
            ]
            await asyncio.gather(*sent)
            await consumer.commit()


async def rate(folder: Path, mongodb: str, commands: Sequence[Sequence[str]], made: Sequence[ImageUploaded]) -> float:
    """Figures a second through these processes; `{}` in a command is the name before the topics."""
    engines = Engines(mongodb)
    bus = KafkaBus(parsed(engines.bus))
    await bus.open()
    try:
        run = [[part.format(engines.name, kafka=engines.kafka) for part in command] for command in commands]
        async with engines.arriving("recommendations.ready") as arrived, engines.running(folder, run, {}):
            await bus.publish(made[:WARMING])  # until all have joined and loaded
            await arrived.reached(WARMING)
            start = time.perf_counter()
            for at in range(WARMING, len(made), AT_ONCE):
                await bus.publish(made[at : at + AT_ONCE])
            await arrived.reached(len(made))
            return (len(made) - WARMING) / (time.perf_counter() - start)
    finally:
        await bus.close()


async def bench(quick: bool) -> Report:
    count, rounds = (100, 1) if quick else (FIGURES, ROUNDS)
    where, texts = legends()
    ours = [["mitagger", "serve", "nlp", "--port", "0"], ["mitagger", "serve", "recommender", "--port", "0"]]
    peer = [["bench.chain", "bare", "{kafka}", "{}.image.uploaded", "{}.recommendations.ready"]]
    turn = 0

    def fresh() -> list[ImageUploaded]:
        nonlocal turn
        turn += 1
        return figures(count + WARMING, texts, turn * (count + WARMING))

    with tempfile.TemporaryDirectory() as name, mongo.server() as mongodb:
        found = await measure.alternated(
            rounds,
            {
                "ours": lambda: rate(Path(name), mongodb, ours, fresh()),
                "peer": lambda: rate(Path(name), mongodb, peer, fresh()),
            },
        )
    shares = [mine / theirs for mine, theirs in zip(found["ours"], found["peer"], strict=True)]
    return Report(
        "Figures through Kafka",
        f"{count:,} figures with distinct legends ({where}), one process a service, caches cold for each legend.",
        [
            Measurement("figures, event to recommendations", "/s", found["ours"], "bare chain", found["peer"]),
            Measurement("share of the bare chain", "", shares, least=GOAL),
        ],
        "Python's parsing and writing of events, and the annotator.",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        asyncio.run(bare(*sys.argv[2:]))
    else:
        measure.main(bench)
