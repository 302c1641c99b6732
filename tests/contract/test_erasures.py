"""What every ledger of erasures promises."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.erasures import Erasures, FileErasures
from shared.errors import Unavailable


@pytest.fixture(params=["file", pytest.param("mongodb", marks=pytest.mark.servers)])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Erasures]:
    if request.param == "file":
        yield FileErasures(tmp_path / "erasures.log")
        return
    from shared.mongo import MongoErasures
    from tests.support.servers import mongo

    async with mongo.database(request.getfixturevalue("mongodb")) as database:
        yield MongoErasures(database)
        await database.client.drop_database(f"{database.name}_erasures")


async def test_what_was_added_is_there_once(ledger: Erasures) -> None:
    assert await ledger.all() == []
    await ledger.add(["f1", "f2"])
    await ledger.add(["f2", "f3"])
    assert sorted(await ledger.all()) == ["f1", "f2", "f3"]


async def test_a_line_that_was_cut_off_is_passed_over_and_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "erasures.log"
    ledger = FileErasures(path)
    await ledger.add(["f1", "f2"])
    path.write_bytes(path.read_bytes()[:-40] + b"f2")  # as a power loss leaves it
    await ledger.add(["f3"])
    assert set(await ledger.all()) >= {"f1", "f3"}
    await ledger.add(["f2"])
    assert set(await ledger.all()) == {"f1", "f2", "f3"}


async def test_a_file_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "erasures.log").mkdir()
    with pytest.raises(Unavailable):
        await FileErasures(tmp_path / "erasures.log").add(["f1"])
