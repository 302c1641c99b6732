"""Services in processes of their own on a real Kafka and MongoDB's protocol (tests/support/servers), and what comes out
of them."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiokafka import AIOKafkaConsumer

from shared.settings import Settings
from tests.support.servers import kafka, mongo

logging.getLogger("aiokafka").setLevel(logging.ERROR)  # a new topic's leader is asked for until it is known

JOIN_SECONDS: Final = 90.0
POLL_MS: Final = 100
LOG_TAIL: Final = 2_000  # characters


class Engines:
    """Topics and a database that nobody else uses."""

    def __init__(self, mongodb: str) -> None:
        self.name = f"bench{secrets.token_hex(4)}"
        self.kafka = kafka.address()
        self.bus = f"kafka://{self.kafka}/{self.name}"
        self.documents = mongo.named(mongodb, self.name)

    @asynccontextmanager
    async def running(
        self, folder: Path, commands: Sequence[Sequence[str]], more: Mapping[str, str]
    ) -> AsyncIterator[None]:
        """These modules with their arguments, each in a process, ended at the end. Raises RuntimeError when one ends
        before; whatever is raised meanwhile says what they logged last."""
        settings = {
            "MITAGGER_BUS": self.bus,
            "MITAGGER_DOCUMENTS": self.documents,
            "MITAGGER_BLOBS": f"file://{folder / 'blobs'}",
            "MITAGGER_CACHE": str(Settings().cache),
            "MITAGGER_KEY": secrets.token_hex(32),
            "MITAGGER_PORT": "0",
            **more,
        }
        processes = []
        try:
            for number, command in enumerate(commands):
                with (folder / f"{self.name}-{number}.log").open("wb") as log:
                    process = await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", *command),
                        env={**os.environ, **settings, "MITAGGER_DATA": str(folder / f"{self.name}-{number}")},
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                processes.append(process)
            async with asyncio.TaskGroup() as both:
                watching = both.create_task(_watched(processes))
                yield
                watching.cancel()
        except BaseException as error:
            for log_file in sorted(folder.glob(f"{self.name}-*.log")):
                error.add_note(f"{log_file.name}: {log_file.read_text(errors='replace')[-LOG_TAIL:]}")
            raise
        finally:
            for process in processes:
                if process.returncode is None:
                    process.terminate()
            await asyncio.gather(*(process.wait() for process in processes))

    @asynccontextmanager
    async def arriving(self, topic: str) -> AsyncIterator["Arrivals"]:
        """What is published to a topic from now on."""
        consumer = AIOKafkaConsumer(
            f"{self.name}.{topic}", bootstrap_servers=self.kafka, enable_auto_commit=False, auto_offset_reset="latest"
        )
        await consumer.start()
        await consumer.seek_to_end()
        arrivals = Arrivals(consumer)
        counting = asyncio.create_task(arrivals.count())
        try:
            yield arrivals
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
            await consumer.stop()


async def _watched(processes: Sequence[asyncio.subprocess.Process]) -> None:
    await asyncio.wait([asyncio.create_task(one.wait()) for one in processes], return_when=asyncio.FIRST_COMPLETED)
    raise RuntimeError(f"A process ended: {[one.returncode for one in processes]}.")


class Arrivals:
    """How many records have come."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._changed = asyncio.Condition()
        self.number = 0

    async def count(self) -> None:
        while True:
            found = await self._consumer.getmany(timeout_ms=POLL_MS)
            async with self._changed:
                self.number += sum(map(len, found.values()))
                self._changed.notify_all()

    async def reached(self, number: int) -> None:
        async with asyncio.timeout(JOIN_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.number >= number)
