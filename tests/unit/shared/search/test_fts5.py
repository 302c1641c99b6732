"""What is particular to the embedded search engine."""

from pathlib import Path

from shared.search.fts5 import Fts5Search
from shared.search.port import FigureEntry, TagEntry
from shared.sqlite import Database


async def test_no_word_of_a_removed_figure_stays_in_the_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "store.sqlite")
    await database.open()
    index = Fts5Search(database)
    await index.prepare()

    async def kept(word: bytes) -> bool:
        cells: list[object] = []
        for table in ("search_words_data", "search_figures", "search_labels", "search_facets", "search_curies"):
            every = f"SELECT * FROM {table}"  # noqa: S608 - names from the line above
            rows = await database.read(lambda connection, sql=every: connection.execute(sql).fetchall())
            cells.extend(cell for row in rows for cell in row)
        return any(word in (cell if isinstance(cell, bytes) else str(cell).encode()) for cell in cells)

    def entry(number: int, text: str, version: int = 1) -> FigureEntry:
        return FigureEntry(
            id=f"f{number:03}", version=version, project="default", article="a", status="approved", legend=text,
            tags=(TagEntry(axis="disease", label=text),),
        )  # fmt: skip

    await index.put([entry(number, f"word{number}") for number in range(300)])
    await index.put([entry(7, "Wilhelmine")])
    await index.put([entry(7, "Theodora", version=2)])
    await index.put([entry(number, f"word{number}", version=2) for number in range(100, 200)])
    assert await kept(b"heodor")
    await index.remove(["f007"])
    for word in (b"ilhelmine", b"heodor"):
        assert not await kept(word)
    assert await kept(b"word299")
    await database.close()
