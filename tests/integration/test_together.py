"""Several people on one figure, on each engine (see `tests.support.together`).

`MITAGGER_DRILL_TOGETHER`: how many examples (a few; `make drills`: 1,000).
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from services.annotation.model import MODELS
from shared.bus.log import EventLog
from shared.bus.sqlite import SqliteBus
from shared.documents.mongo import MongoDocuments
from shared.documents.outbox import Relay
from shared.documents.port import Documents
from shared.documents.sqlite import SqliteDocuments
from shared.sqlite import Database
from tests.support.servers import mongo
from tests.support.together import Together, World

EXAMPLES: Final = int(os.environ.get("MITAGGER_DRILL_TOGETHER", "0"))

pytestmark = pytest.mark.timeout(900)  # a failure is made small first


async def embedded(stack: AsyncExitStack, folder: Path) -> tuple[Documents, SqliteBus]:
    database, log = Database(folder / "store.sqlite"), EventLog()
    await database.open()
    stack.push_async_callback(database.close)
    documents, bus = SqliteDocuments(database, log), SqliteBus(database, log)
    await documents.prepare(MODELS)
    await bus.prepare()
    return documents, bus


def drive(open: Callable[[AsyncExitStack, asyncio.Runner], World], examples: int) -> None:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            world = open(stack, runner)
            run_state_machine_as_test(  # type: ignore[no-untyped-call]
                lambda: Together(world),
                settings=settings(
                    max_examples=EXAMPLES or examples,
                    stateful_step_count=30,
                    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
                ),
            )
        finally:
            runner.run(stack.aclose())


def test_several_people_on_one_figure_lose_nothing_and_stay_in_their_roles(tmp_path: Path) -> None:
    async def nothing() -> None:
        pass

    def open(stack: AsyncExitStack, runner: asyncio.Runner) -> World:
        documents, bus = runner.run(embedded(stack, tmp_path))
        return World(documents, bus, nothing, runner.run)

    drive(open, 12)


@pytest.mark.servers
def test_several_people_on_one_figure_with_documents_in_mongodb(tmp_path: Path, mongodb: str) -> None:
    def open(stack: AsyncExitStack, runner: asyncio.Runner) -> World:
        async def opened() -> World:
            _, bus = await embedded(stack, tmp_path)
            there = await stack.enter_async_context(mongo.database(mongodb))
            relay = Relay(there, bus, MODELS)
            documents = MongoDocuments(there, relay.wake)
            await documents.prepare(MODELS)
            return World(documents, bus, relay.sweep, runner.run)

        return runner.run(opened())

    drive(open, 15)
