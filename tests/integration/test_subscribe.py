"""The consumers of docs/subscribe, as strangers run them: nothing is lost or doubled, whenever they die."""

import asyncio
import json
import os
import secrets
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.events.envelope import Event
from shared.events.review import ReviewDone
from shared.events.tag import TagAccepted, TagWithdrawn
from tests.support.builders import image_deleted, review_done, tag_accepted, tag_withdrawn
from tests.support.people import until
from tests.support.servers import kafka

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ("with_faststream.py", "with_aiokafka.py")
FIGURES: Final = 60

pytestmark = [pytest.mark.servers, pytest.mark.timeout(180), pytest.mark.parametrize("script", SCRIPTS)]


class Stranger:
    """Another system's process, in a folder of its own that has a copy of the catalogue."""

    def __init__(self, folder: Path, script: str, prefix: str) -> None:
        self.log = folder / "stranger.log"
        self._out = folder / "tags.sqlite"
        self._script = ROOT / "docs" / "subscribe" / script
        self._settings = {
            "KAFKA": kafka.address(),
            "PREFIX": prefix,
            "CATALOGUE": str(ROOT / "shared" / "events" / "catalogue"),
            "OUT": str(self._out),
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """Killed at the end."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("MITAGGER", "PYTHON"))}
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", str(self._script)),
                cwd=self.log.parent, env=environment | self._settings,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def kept(self) -> dict[str, tuple[str, int]]:
        """Topic and revision of each entity."""
        if not self._out.exists():
            return {}
        with closing(sqlite3.connect(self._out, timeout=20)) as store:
            try:
                rows = store.execute("SELECT entity, topic, revision FROM facts").fetchall()
            except sqlite3.OperationalError:  # the table is not there yet
                return {}
        return {entity: (topic, revision) for entity, topic, revision in rows}

    async def keeps(self, wanted: dict[str, tuple[str, int]]) -> None:
        async def all_there() -> bool:
            return self.kept() == wanted

        try:
            await until(all_there, what=f"{len(wanted)} facts", seconds=60)
        except AssertionError:
            raise AssertionError(f"{self.kept()}\nis not\n{wanted}\n{self.log.read_text()[-2000:]}") from None


@pytest.fixture
async def bus() -> AsyncIterator[KafkaBus]:
    made = KafkaBus(parsed(f"kafka://{kafka.address()}/stranger-{secrets.token_hex(4)}"))
    await made.open()
    yield made
    await made.close()


def accepted(figure: str, revision: int) -> TagAccepted:
    return tag_accepted(figure=figure, tag_id=f"tag of {figure}", revision=revision)


def withdrawn(figure: str, revision: int) -> TagWithdrawn:
    return tag_withdrawn(figure=figure, tag_id=f"tag of {figure}", revision=revision)


def reviewed(figure: str, revision: int) -> ReviewDone:
    return review_done(figure=figure, revision=revision)


async def test_highest_revisions_are_kept_and_erased_figures_are_not(
    script: str, bus: KafkaBus, tmp_path: Path
) -> None:
    events: list[Event] = [
        accepted("f1", 1), withdrawn("f1", 2), accepted("f1", 1), reviewed("f1", 2), reviewed("f1", 1),
        accepted("f2", 3), accepted("f2", 3), accepted("gone", 1), reviewed("gone", 1), image_deleted(figure="gone"),
    ]  # fmt: skip
    await bus.publish(events)
    stranger = Stranger(tmp_path, script, bus.prefix)
    wanted = {
        "tag of f1": ("tag.withdrawn", 2), "review f1": ("review.done", 2), "tag of f2": ("tag.accepted", 3),
        "erased gone": ("image.deleted", 2),
    }  # fmt: skip
    async with stranger.running():
        await stranger.keeps(wanted)
        await bus.publish([accepted("gone", 9), accepted("f2", 2), accepted("f3", 1)])
        await stranger.keeps(wanted | {"tag of f3": ("tag.accepted", 1)})


async def test_what_does_not_fit_the_schema_is_reported_and_stops_nothing(
    script: str, bus: KafkaBus, tmp_path: Path
) -> None:
    bad: list[Any] = [b"\xff", b"[]", b"{}", None, json.dumps({"figure": "f1", "revision": "one"}).encode()]
    async with AIOKafkaProducer(bootstrap_servers=kafka.address()) as producer:
        for value in bad:
            await producer.send_and_wait(f"{bus.prefix}tag.accepted", value, key=b"f1")
    await bus.publish([accepted("f1", 1)])
    stranger = Stranger(tmp_path, script, bus.prefix)
    async with stranger.running():
        await stranger.keeps({"tag of f1": ("tag.accepted", 1)})
    assert stranger.log.read_text().count("not an event of tag.accepted") == len(bad)


async def test_killed_between_effect_and_position_nothing_is_lost_or_doubled(
    script: str, bus: KafkaBus, tmp_path: Path
) -> None:
    stranger = Stranger(tmp_path, script, bus.prefix)
    wanted: dict[str, tuple[str, int]] = {}
    for revision in (1, 2):
        figures = [f"f{number}" for number in range(FIGURES)]
        wanted = {f"tag of {figure}": ("tag.accepted", revision) for figure in figures}
        async with stranger.running() as process:
            await bus.publish([accepted(figure, revision) for figure in figures])
            # The first effect of this round shows: the rest of the batch, or its position, may not have been kept.
            async with asyncio.timeout(60):
                while not any(kept == ("tag.accepted", revision) for kept in stranger.kept().values()):
                    await asyncio.sleep(0.002)
            process.send_signal(signal.SIGKILL)
            await process.wait()
    async with stranger.running():
        await stranger.keeps(wanted)
