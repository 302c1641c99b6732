"""Meilisearch beside FTS5: figures indexed and found. Needs a server, as tests/support/servers/meilisearch.py says.

MITAGGER_BENCH_FIGURES says how many are indexed in all.
"""

import os
import random
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from bench import measure
from bench.legends import legends
from bench.measure import Measurement, Report, percentile
from services.export.rebuilding import AT_ONCE
from shared.access import DEFAULT_PROJECT
from shared.search.fts5 import Fts5Search
from shared.search.port import FigureEntry, Query, Search, TagEntry
from shared.sqlite import Database
from tests.support.servers import meilisearch

FIGURES: Final = int(os.environ.get("MITAGGER_BENCH_FIGURES", "10000"))
STEPS: Final = 5
ROUNDS: Final = 5
ASKED: Final = 40  # queries of each kind, a round
AXES: Final = ("anatomy", "disease", "genetics", "imaging", "intervention", "pharmaceutical")
KINDS: Final = ("two words", "a word and a tag", "a word of one figure", "no words")


async def bench(quick: bool) -> Report:
    count = 500 if quick else FIGURES
    whose, texts = legends()
    dice = random.Random(4)
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            place = stack.enter_context(meilisearch.server())
            ours: Search = await stack.enter_async_context(meilisearch.index(place))
            peer: Search = await stack.enter_async_context(_fts5(Path(folder)))
            ways = {"ours": ours, "peer": peer}
            rates: dict[str, list[float]] = {name: [] for name in ways}
            step = count // STEPS
            for turn in range(STEPS):
                entries = [figure(number, texts, dice) for number in range(turn * step, (turn + 1) * step)]
                for name, search in ways.items():
                    began = time.perf_counter()
                    for start in range(0, step, AT_ONCE):
                        await search.put(entries[start : start + AT_ONCE])
                    rates[name].append(step / (time.perf_counter() - began))
            times: dict[tuple[str, str], list[float]] = {(name, kind): [] for name in ways for kind in KINDS}
            for turn in range(ROUNDS + 1):
                for kind in KINDS:
                    asked = [_query(kind, texts, count, dice) for _ in range(5 if quick else ASKED)]
                    for name, search in ways.items():
                        p95 = await _p95(search, asked)
                        if turn:
                            times[name, kind].append(p95)
    return Report(
        "Search on Meilisearch",
        f"{count:,} figures with legends of {whose} and three tags each, put {AT_ONCE:,} at a time and awaited, in"
        f" {STEPS} steps that the engines take in turn; then {ROUNDS} rounds of {ASKED} queries of each kind, one after"
        " the other.",
        [
            Measurement("indexed, median of the steps", "figures/s", rates["ours"], "FTS5", rates["peer"]),
            Measurement("indexed, last step", "figures/s", rates["ours"][-1:], "FTS5", rates["peer"][-1:]),
            *(
                Measurement(f"{kind}, p95", "ms", times["ours", kind], "FTS5", times["peer", kind])
                for kind in KINDS
            ),
        ],
        "Indexing: Meilisearch's extraction of words and their neighbours, in tasks one after the other; waiting for"
        " each batch leaves it idle in between. Queries: facets and ranking over all that are found.",
    )  # fmt: skip


def figure(number: int, texts: Sequence[str], dice: random.Random) -> FigureEntry:
    tags = [TagEntry(axis=axis, label=f"{axis} {dice.randrange(200)}") for axis in dice.sample(AXES, 3)]
    return FigureEntry(
        id=f"f{number:08}", version=1, project=DEFAULT_PROJECT, article=f"a{number // 5}",
        doi=f"10.5555/a{number // 5}",
        label=f"Figure {number % 5 + 1}", legend=f"{texts[number % len(texts)]} case{number}", status="approved",
        language="en", tags=tuple(tags),
    )  # fmt: skip


def _query(kind: str, texts: Sequence[str], count: int, dice: random.Random) -> Query:
    words = [word for word in dice.choice(texts).split() if word.isalpha() and len(word) > 4] or ["cells"]
    match kind:
        case "two words":
            return Query(f"{dice.choice(words)} {dice.choice(words)}")
        case "a word and a tag":
            return Query(dice.choice(words), filters={"tag": [f"anatomy {dice.randrange(200)}"]})
        case "a word of one figure":
            return Query(f"case{dice.randrange(count)}")
        case _:
            return Query(offset=dice.randrange(200))


async def _p95(search: Search, asked: Sequence[Query]) -> float:
    taken = []
    for query in asked:
        began = time.perf_counter()
        await search.search(query)
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 95)


@asynccontextmanager
async def _fts5(folder: Path) -> AsyncIterator[Search]:
    database = Database(folder / "store.sqlite")
    await database.open()
    try:
        search = Fts5Search(database)
        await search.prepare()
        yield search
    finally:
        await database.close()


if __name__ == "__main__":
    measure.main(bench)
