"""A copy of a service that asks a limited one, for tests/drills/test_limit.py: python -m tests.support.asker …

Every event of its group is a request; which is sent when it is this copy's turn, and says who sent it at what moment.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

import httpx

from services.recommender.pace import Pace
from shared.bus import kafka_group
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.bus.port import Subscription
from shared.events.envelope import Event
from shared.events.image import ImageDeleted
from shared.process import until_interrupted

GROUP: Final = "asker"


async def ask(kafka: str, service: str, name: str, *, limit: int, session: int) -> None:
    """Asks `service` until it is interrupted."""
    kafka_group.SESSION_SECONDS = session  # type: ignore[misc]
    kafka_group.HEARTBEAT_SECONDS = session / 4  # type: ignore[misc, assignment]
    bus = KafkaBus(parsed(kafka))
    pace = Pace(limit, lambda: bus.share(GROUP, ImageDeleted))
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:

        async def handle(events: Sequence[Event]) -> None:
            for _ in events:
                await pace.turn()
                (await http.post(f"{service}/{name}/{time.time()}")).raise_for_status()

        bus.subscribe(Subscription(GROUP, (ImageDeleted,), handle, batch=20))
        await bus.open()
        await bus.start()
        await until_interrupted()
        await bus.stop()
        await bus.close()


if __name__ == "__main__":
    address, url, most, seconds, me = sys.argv[1:]
    asyncio.run(ask(address, url, me, limit=int(most), session=int(seconds)))
