"""What a cluster does while something that it needs is away: the rest goes on, readiness names what is missing, all
drains afterwards, and no event spent an attempt on it.

`MITAGGER_DRILL_AWAY_SECONDS`: how long it is away (8; `make drills`: 20). Five attempts with backoff would be over
before.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from mitagger.client import AsyncClient
from mitagger.client.errors import Busy, Missing
from shared.bus.kafka import KafkaBus
from shared.bus.kafka_address import parsed
from shared.clock import new_id
from shared.events.envelope import Event
from shared.events.image import ImageUploaded
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from tests.support import outage
from tests.support.builders import image_uploaded
from tests.support.cluster import Cluster
from tests.support.people import until
from tests.support.servers import kafka, mongo
from tests.support.servers.meilisearch import Place
from tests.support.work import quiet

AWAY_SECONDS: Final = float(os.environ.get("MITAGGER_DRILL_AWAY_SECONDS", "8"))
FIGURES: Final = 20

pytestmark = [
    pytest.mark.servers,
    pytest.mark.drill,
    pytest.mark.timeout(int(600 + 4 * AWAY_SECONDS)),
    pytest.mark.asyncio(loop_scope="module"),
]


class Site:
    """A cluster behind doors that can be shut, and a bus beside it to see what goes on."""

    def __init__(self, cluster: Cluster, admin: AsyncClient, bus: KafkaBus, door: outage.Outage, away: Path) -> None:
        """`door`: to MongoDB or Meilisearch; `away`: while this file is there, the annotator is not."""
        self.cluster = cluster
        self.admin = admin
        self.bus = bus
        self.door = door
        self.away = away

    async def figures_arrive(self) -> set[str]:
        """As ingest tells it; without pictures."""
        events = [image_uploaded(figure=new_id(), picture=None, legend=f"{n}: femur.") for n in range(FIGURES)]
        await self.bus.publish(events)
        return {event.figure for event in events}

    async def told(self, event: type[Event], figures: set[str]) -> None:
        """Returns when the topic has an event of each figure."""

        async def all_there() -> bool:
            found, after = set[str](), ""
            while (page := await self.bus.read([event], after=after, limit=200)).events:
                found |= {one.figure for one in page.events}
                after = page.cursor
            return figures <= found

        await until(all_there, what=f"{event.topic} of {FIGURES} figures")

    async def names_what_is_missing(self, service: str, what: str) -> None:
        async def named() -> bool:
            return any(what in problem for problem in await self.cluster.problems(service))

        await until(named, what=f"{service} says that {what} is missing")

    async def drained(self, figures: set[str]) -> None:
        """Everybody is ready, every figure has its recommendations, nothing died."""
        await self.cluster.ready(*self.cluster.names)
        await until(lambda: quiet(self.admin), what="every group has caught up")

        async def recommended() -> bool:
            try:
                return all([(await self.admin.recommendations(one)).state == "ready" for one in sorted(figures)])
            except Missing:
                return False

        await until(recommended, what="recommendations of all figures")
        status = await self.admin.status()
        assert (status.ready, status.problems, status.dead_letters) == (True, [], 0)


@asynccontextmanager
async def sited(folder: Path, mongodb: str, search: Place | None = None) -> AsyncIterator[Site]:
    """With a door before MongoDB, or before Meilisearch if one is given."""
    async with AsyncExitStack() as stack:
        there = urlsplit(mongodb if search is None else search.url)
        assert there.hostname is not None
        assert there.port is not None
        door = await stack.enter_async_context(outage.before(there.hostname, there.port))
        behind = there._replace(netloc=f"127.0.0.1:{door.port}").geturl()
        name = f"outage{secrets.token_hex(4)}"
        bus_url, away = f"kafka://{kafka.address()}/{name}", folder / "away"
        more = {"MITAGGER_STAND_IN_AWAY": str(away)}
        if search is not None:
            more |= {"MITAGGER_SEARCH": f"{behind}/{name}", "MITAGGER_SEARCH_KEY": search.key}
        cluster = Cluster(
            folder,
            bus=bus_url,
            documents=mongo.named(mongodb if search is not None else behind, name),
            more=more,
            instead={"recommender": "tests.support.stand_in"},
        )
        stack.push_async_callback(cluster.kill)
        await cluster.start()
        bus = await stack.enter_async_context(_bus(bus_url))
        admin = await stack.enter_async_context(cluster.client())
        yield Site(cluster, admin, bus, door, away)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory, mongodb: str) -> AsyncIterator[Site]:
    """Each drill leaves it as if nothing had been away."""
    async with sited(tmp_path_factory.mktemp("site"), mongodb) as made:
        yield made


@asynccontextmanager
async def _bus(url: str) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(parsed(url))
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


async def _stays_away(names: Sequence[str], site: Site) -> None:
    """The time passes; who does not need what is away stays ready."""
    ends = asyncio.get_running_loop().time() + AWAY_SECONDS
    while asyncio.get_running_loop().time() < ends:
        for name in names:
            assert await site.cluster.problems(name) == []
        await asyncio.sleep(0.5)


async def test_without_mongodb_legends_are_read_and_recommended_on_and_the_rest_catches_up(site: Site) -> None:
    await site.door.shut()
    figures = await site.figures_arrive()
    await site.told(RecommendationsReady, figures)
    # Each takes seconds to find it out.
    await asyncio.gather(*(site.names_what_is_missing(one, "MongoDB") for one in ("ingest", "annotation", "export")))
    with pytest.raises(Busy):
        await site.admin.status()
    await _stays_away(["nlp"], site)
    await site.door.open()
    await site.drained(figures)


async def test_without_an_annotator_figures_and_legends_go_on_and_recommendations_catch_up(site: Site) -> None:
    site.away.touch()
    figures = await site.figures_arrive()
    await site.told(LegendTokenized, figures)
    await site.names_what_is_missing("recommender", "annotator")
    await site.told(ImageUploaded, figures)
    status = await site.admin.status()
    assert status.problems == ["recommender waits for annotator."]
    await _stays_away(["ingest", "nlp", "annotation", "export", "gateway"], site)
    site.away.unlink()
    await site.drained(figures)


async def test_without_meilisearch_figures_are_tagged_and_exported_on_and_the_index_catches_up(
    tmp_path: Path, mongodb: str, meilisearch: Place
) -> None:
    async with sited(tmp_path, mongodb, meilisearch) as site:
        await site.door.shut()
        figures = await site.figures_arrive()
        await site.told(RecommendationsReady, figures)
        await site.names_what_is_missing("export", "search")
        with pytest.raises(Busy):
            await site.admin.search("femur")
        job = await site.admin.finished_export((await site.admin.start_export("csv", statuses=["new"])).id)
        assert job.state == "done"
        await _stays_away(["ingest", "nlp", "recommender", "annotation"], site)
        await site.door.open()
        await site.drained(figures)

        async def found() -> bool:
            return (await site.admin.search("femur")).total == FIGURES

        await until(found, what="all figures in the index")
