"""From image.uploaded to recommendations.ready and back out: what the services tell each other."""

import asyncio
from contextlib import closing
from pathlib import Path

import apsw

from shared.events.image import ImageDeleted, ImageUploaded
from shared.events.legend import LegendTokenized
from shared.events.recommendation import RecommendationsReady
from tests.support.people import until
from tests.support.system import system


async def test_a_corrected_legend_gets_new_recommendations_of_its_revision(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work, bus = running.work, running.engine.bus
        legend = "Femur without fibrosis."
        figure = await work.ask("admin", lambda c: c.create_figure(collection="c", label="Figure 1", legend=legend))
        await until(lambda: work.recommended(figure.id), what="recommendations")
        first = await work.ask("admin", lambda c: c.recommendations(figure.id))
        assert {(item.curie, item.assertion) for item in first.items} == {
            ("UBERON:2", "present"),
            ("MONDO:1", "absent"),
        }
        await work.ask("admin", lambda c: c.change_figure(figure.id, legend="Hippocampus."))
        await bus.settled()
        second = await work.ask("admin", lambda c: c.recommendations(figure.id))
        assert (second.revision, [item.curie for item in second.items]) == (2, ["UBERON:1"])
        told = (await bus.read([ImageUploaded, LegendTokenized, RecommendationsReady])).events
        assert sorted((event.topic, event.revision) for event in told) == [
            (topic, revision)
            for topic in ("image.uploaded", "legend.tokenized", "recommendations.ready")
            for revision in (1, 2)
        ]


async def test_every_state_of_recommendations_is_told(tmp_path: Path) -> None:
    legends = {
        "ready": {"legend": "A femur."},
        "none_found": {"legend": "We show nothing that anyone knows."},
        "language_unsupported": {"legend": "Ein Oberschenkel.", "language": "de"},
    }
    async with system(tmp_path) as running:
        work = running.work
        for state, fields in legends.items():
            figure = await work.ask("admin", lambda c, fields=fields: c.create_figure(collection="c", **fields))
            await running.engine.bus.settled()
            found = await work.ask("admin", lambda c, figure=figure: c.recommendations(figure.id))
            assert (found.state, bool(found.items)) == (state, state == "ready")
            assert bool(found.reason) == (state != "ready")


async def test_a_figure_erased_at_once_leaves_no_word_of_its_legend(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work, bus = running.work, running.engine.bus
        for number in range(10):
            fields = {"collection": "c", "legend": f"Zymurgia {number} of the femur."}
            figure = await work.ask("admin", lambda c, fields=fields: c.create_figure(**fields))
            await work.ask("admin", lambda c, figure=figure: c.delete_figure(figure.id))
        await bus.settled()
        assert (await bus.read([ImageUploaded, LegendTokenized, RecommendationsReady])).events == []
        assert len((await bus.read([ImageDeleted])).events) == 10
        assert await bus.dead_letters() == []
    # What was under way in a thread while the store closed leaves the last pages to whoever opens it next, and may
    # still be at it: then SQLite answers "busy" at once.
    for path in (tmp_path / "data").rglob("mitagger.sqlite"):
        with closing(apsw.Connection(str(path))) as again:
            async with asyncio.timeout(20):
                while next(again.execute("PRAGMA wal_checkpoint(TRUNCATE)"))[0]:
                    await asyncio.sleep(0.01)
    held = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("mitagger.sqlite*"))
    assert b"Zymurgia" not in held
    assert b"zymurgia" not in held


async def test_republishing_changes_nothing(tmp_path: Path) -> None:
    async with system(tmp_path) as running:
        work = running.work
        await work.round()
        before = await work.state()
        for _again in range(2):
            sent = await work.ask(
                "admin", lambda c: c.republish(["image.uploaded", "tag.accepted", "tag.withdrawn", "review.done"])
            )
            assert sent > 8
        after = await work.state()
        assert {**after, "files": before["files"]} == before
