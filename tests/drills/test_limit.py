"""A service that limits requests a second is asked by one, two and four copies that come, go and die: never too often,
by the moments at which they were sent, and every copy gets its turns. (How long each is on its way through a busy
machine is not the copies' doing.)

`MITAGGER_DRILL_LIMIT_SECONDS`: how long each phase lasts (4; `make drills`: 30).
"""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from services.recommender.slots import USED_SHARE
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.events.image import ImageDeleted
from tests.support.people import until
from tests.support.server import ROOT
from tests.support.servers import kafka

LIMIT: Final = 15  # requests a second
SESSION_SECONDS: Final = 2
PHASE_SECONDS: Final = float(os.environ.get("MITAGGER_DRILL_LIMIT_SECONDS", "4"))
SETTLE_SECONDS: Final = 120.0

pytestmark = [pytest.mark.servers, pytest.mark.drill, pytest.mark.timeout(int(900 + 10 * PHASE_SECONDS))]


class Limited:
    """The service: notes when each request was sent, and by whom."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, str]] = []
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                _, name, moment = head.split()[1].decode().split("/")
                self.seen.append((float(moment), name))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the copy went
        finally:
            writer.close()

    def since(self, moment: float) -> Counter[str]:
        return Counter(name for at, name in self.seen if at >= moment)

    def busiest_second(self) -> int:
        at = sorted(moment for moment, _ in self.seen)
        first, most = 0, 0
        for last, moment in enumerate(at):
            while at[first] <= moment - 1:
                first += 1
            most = max(most, last - first + 1)
        return most


async def test_copies_that_come_go_and_die_never_ask_too_often_and_none_starves(tmp_path: Path) -> None:
    address = f"kafka://{kafka.address()}/limit-{uuid.uuid4().hex[:8]}"
    bus = KafkaBus(parsed(address))
    await bus.open()
    service, copies = Limited(), dict[str, asyncio.subprocess.Process]()
    log = (tmp_path / "askers.log").open("ab")

    async def come(*names: str) -> None:
        for name in names:
            copies[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.support.asker", address, service.url),
                *(str(LIMIT), str(SESSION_SECONDS), name),
                cwd=ROOT, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def phase() -> Counter[str]:
        """What each sends in the time after all copies that live have had turns, and all slots have an owner again."""
        began = time.time()

        async def settled() -> bool:
            now = time.time()
            recent = service.since(max(began, now - 2)).total()
            return recent >= 0.8 * USED_SHARE * LIMIT * 2 and all(service.since(began)[name] for name in copies)

        await until(settled, what=f"{list(copies)} send", seconds=SETTLE_SECONDS)
        began = time.time()
        await until(_later(began + PHASE_SECONDS), what="the phase ends", seconds=PHASE_SECONDS + 10)
        return service.since(began)

    async def leave(name: str, how: signal.Signals) -> None:
        process = copies.pop(name)
        process.send_signal(how)
        async with asyncio.timeout(40):
            await process.wait()

    moment = datetime.now(UTC)
    events = [
        ImageDeleted(time=moment, project="default", actor="test", figure=f"f{n}", revision=1)
        for n in range(int(LIMIT * (10 * PHASE_SECONDS + 200)))
    ]
    for start in range(0, len(events), 500):
        await bus.publish(events[start : start + 500])
    try:
        async with service.serving():
            phases = []
            await come("one")
            phases.append(await phase())
            await come("two")
            phases.append(await phase())
            await come("three", "four")
            phases.append(await phase())
            await leave("two", signal.SIGKILL)
            phases.append(await phase())
            await leave("three", signal.SIGTERM)
            phases.append(await phase())
    finally:
        for process in copies.values():
            if process.returncode is None:
                process.kill()
            await process.wait()
        log.close()
        await bus.close()
    print(f"busiest second {service.busiest_second()} of {LIMIT}; by phase {phases}")  # noqa: T201
    assert service.busiest_second() <= LIMIT
    for sent in phases:
        fair = sent.total() / len(sent)
        assert sent.total() >= 0.8 * USED_SHARE * LIMIT * PHASE_SECONDS, phases
        assert min(sent.values()) >= fair / 2, phases


def _later(moment: float) -> Callable[[], Awaitable[bool]]:
    async def over() -> bool:
        return time.time() >= moment

    return over
