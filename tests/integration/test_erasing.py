"""Erasing many figures: what goes is shown first, and nothing else goes."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mitagger.client.errors import Refused
from services.ingest.erasing import Erasing
from services.ingest.figures import Figures
from services.ingest.model import Erasure
from shared.clock import new_id, now
from shared.workers import Workers
from tests.support.people import until
from tests.support.system import system
from tests.support.work import Work


async def two_articles(work: Work) -> tuple[list[str], str]:
    """Ids of three figures, the first two of an article, and that article's."""
    made = []
    for collection, legend in (("goes", "Femur."), ("goes", "Hippocampus."), ("stays", "Femur again.")):
        fields = {"collection": collection, "legend": legend}
        made.append(await work.ask("admin", lambda c, fields=fields: c.create_figure(**fields)))
    return [figure.id for figure in made], made[0].article.id


async def left(work: Work) -> set[str]:
    async def ids(client: Any) -> set[str]:
        return {figure.id async for figure in client.figures()}

    return await work.ask("admin", ids)


async def test_an_article_goes_after_its_number_is_confirmed_and_another_stays(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work = running.work
        (first, second, third), article = await two_articles(work)
        await running.engine.bus.settled()
        await work.ask(
            "admin",
            lambda c: c.assign(figures=[first, third], annotator=work._staff.annotator, reviewer=work._staff.reviewer),
        )
        proposed = await work.ask("admin", lambda c: c.propose_erasure(article=article))
        assert (proposed.state, proposed.figures, proposed.left, proposed.complete) == ("proposed", 2, 2, True)
        assert proposed.goes == {"assignments": 1, "comments": 0, "exports": 0, "final tags": 0, "lessons": 0}
        assert await left(work) == {first, second, third}
        with pytest.raises(Refused, match="there are 2"):
            await work.ask("admin", lambda c: c.confirm_erasure(proposed.id, figures=3))
        for _again in range(2):
            await work.ask("admin", lambda c: c.confirm_erasure(proposed.id, figures=2))

        async def done() -> bool:
            return (await work.ask("admin", lambda c: c.erasure(proposed.id))).state == "done"

        await until(done, what="the erasure")
        assert await left(work) == {third}
        await running.engine.bus.settled()

        async def assigned(client: Any) -> list[str]:
            return [one.figure.id async for one in client.assignments()]

        async def articles(client: Any) -> list[str]:
            return [one.collection async for one in client.articles()]

        assert await work.ask("admin", assigned) == [third]
        assert await work.ask("admin", articles) == ["stays"]


async def test_what_changed_since_it_was_shown_is_not_erased(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work = running.work
        figures, article = await two_articles(work)
        proposed = await work.ask("admin", lambda c: c.propose_erasure(article=article))
        late = await work.ask("admin", lambda c: c.create_figure(collection="goes", legend="Late."))
        with pytest.raises(Refused, match="there are 3"):
            await work.ask("admin", lambda c: c.confirm_erasure(proposed.id, figures=2))
        assert await left(work) == {*figures, late.id}
        for selection in ({"before": now() - timedelta(days=1)}, {"figures": ["0" * 32]}):
            with pytest.raises(Refused, match="no such figure"):
                await work.ask("admin", lambda c, selection=selection: c.propose_erasure(**selection))


@pytest.mark.parametrize("how", ["before", "everything", "figures"])
async def test_an_erasure_that_a_dead_process_left_is_ended_by_the_next(tmp_path: Path, how: str) -> None:
    async with system(tmp_path) as running:
        work = running.work
        figures, _ = await two_articles(work)
        selection = {
            "before": {"before": now() + timedelta(minutes=1)}, "everything": {"everything": True},
            "figures": {"figures": tuple(figures)},
        }[how]  # fmt: skip
        erasures = running.engine.documents.collection(Erasure)
        begun = Erasure.model_validate(
            {
                "id": new_id(),
                "project": "default",
                "selection": selection,
                "state": "running",
                "figures": 3,
                "actor": "p-root",
                "created_at": now(),
                "updated_at": now(),
            }
        )
        await erasures.insert(begun)
        engine, workers = running.engine, Workers(1)
        erasing = Erasing(engine.documents, Figures(engine.documents, engine.blobs, workers, engine.erasures))
        await erasing.start()

        async def done() -> bool:
            return (await erasures.get(begun.id)).state == "done"

        await until(done, what="the erasure")
        assert await left(work) == set()
        await erasing.stop()
