"""Type-ahead: what a person who types a name is offered at each key, over a million names.

Goal: a p95 of 20 ms. The peer is SQLite's FTS5 with prefix indexes over the same names: the twenty shortest of those
that have all words, in any order, as beginnings. It puts no letter right, so that has no peer of its own: the rows for
mistyped names stand beside a plain query of the peer.
"""

import random
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from bench import measure
from bench.measure import Measurement, Report, alternated, percentile
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.lookup import complete
from shared.vocabulary.words import spoken

ROUNDS: Final = 5
NAMES: Final = 1_000_000
QUERIES: Final = 400  # of a kind, in a round
LONGEST_TYPED: Final = 30
PEER: Final = "FTS5"
MILLISECONDS: Final = 20.0

Kinds = dict[str, list[str]]


def names_of(vocabularies: Vocabularies) -> list[str]:
    return [name for concept in range(len(vocabularies)) for name, _ in vocabularies.names(concept)]


def million(shipped: Sequence[str], folder: Path) -> Vocabularies:
    """The default vocabularies and names made of halves of theirs, up to a million in all. Compiled once (minutes)."""
    chance, path = random.Random(6), folder / "halves.tsv"
    several = [name.split(" ") for name in shipped if 1 < name.count(" ") < 8]
    with path.open("w", encoding="utf-8") as file:
        file.write("id\tname\tscope\n")
        for number in range(NAMES - len(shipped)):
            one, other = chance.choice(several), chance.choice(several)
            made = " ".join(one[: (len(one) + 1) // 2] + other[len(other) // 2 :])
            # No variants are made of related names: they would not be found here, and take minutes to make.
            file.write(f"HALVES:{number // 3}\t{made}\t{'RELATED' if number % 3 else 'LABEL'}\n")
    return defaults.load(Settings().cache / "vocabularies", added={"HALVES": path})


def queries(names: Sequence[str], chance: random.Random, count: int) -> Kinds:
    """Of names, each a fresh one: its first letters, as many as chance has it; two or three beginnings of its words in
    any order; and half of it or more with one letter wrong."""
    kinds: Kinds = {"each key": [], "beginnings of words, any order": [], "one letter wrong": []}
    while len(kinds["one letter wrong"]) < count:
        name = chance.choice(names)
        words = sorted(word for word in spoken(name) if len(word) > 2)
        if len(words) < 2:
            continue
        kinds["each key"].append(name[: chance.randint(1, min(len(name), LONGEST_TYPED))])
        some = chance.sample(words, min(len(words), chance.randint(2, 3)))
        kinds["beginnings of words, any order"].append(" ".join(word[: chance.randint(1, 4)] for word in some))
        long = max(words, key=len)
        at = chance.randrange(1, len(long))
        kinds["one letter wrong"].append(f"{long[:at]}{chance.choice('bkqxz')}{long[at + 1 :]}")
    return kinds


class Fts5:
    """The names in SQLite, in memory."""

    def __init__(self, names: Sequence[str]) -> None:
        self._database = sqlite3.connect(":memory:")
        self._database.execute("CREATE VIRTUAL TABLE names USING fts5 (name, prefix='1 2 3')")
        self._database.executemany("INSERT INTO names VALUES (?)", ((name,) for name in names))
        self._database.execute("INSERT INTO names (names) VALUES ('optimize')")

    def found(self, query: str) -> list[str]:
        match = " ".join(f'"{word}"*' for word in spoken(query) if word.isalnum())
        if not match:
            return []
        rows = self._database.execute(
            "SELECT name FROM names WHERE names MATCH ? ORDER BY length(name) LIMIT 20", (match,)
        )
        return [name for (name,) in rows]


async def bench(quick: bool) -> Report:
    rounds, count = (1, 20) if quick else (ROUNDS, QUERIES)
    shipped = names_of(defaults.load(Settings().cache / "vocabularies"))
    with tempfile.TemporaryDirectory() as folder:
        vocabularies = defaults.load(Settings().cache / "vocabularies") if quick else million(shipped, Path(folder))
    names = shipped if quick else names_of(vocabularies)
    peer = Fts5(names[:10_000] if quick else names)
    chance = random.Random(7)
    fresh = [queries(names, chance, count) for _ in range(rounds + 1)]

    def way(kind: str, find: Callable[[str], object]) -> Callable[[], Awaitable[float]]:
        turn = iter(fresh)

        async def timed() -> float:
            took = []
            for query in next(turn)[kind]:
                begin = time.perf_counter()
                find(query)
                took.append((time.perf_counter() - begin) * 1e3)
            return percentile(took, 95)

        return timed

    ways = {}
    for kind in fresh[0]:
        ways[kind] = way(kind, lambda query: complete(vocabularies, query))
        ways[f"{kind}, on an axis"] = way(kind, lambda query: complete(vocabularies, query, axis="anatomy"))
        ways[f"{kind}: {PEER}"] = way(kind, peer.found)
    found = await alternated(rounds, ways)
    size = vocabularies.beginnings.bytes
    return Report(
        title="Type-ahead",
        how=f"The {len(shipped):,} names that ship and names made of halves of them, {len(names):,} in all;"
        f" {rounds} alternated rounds of {count} queries of each kind, none asked twice but by both. The index takes"
        f" {size / 1e6:.0f} MB, {size / len(names):.0f} bytes a name.",
        measurements=[
            Measurement(
                f"p95, {kind}{which}",
                "ms",
                found[f"{kind}{which}"],
                PEER,
                found[f"{kind}: {PEER}"],
                most=MILLISECONDS,
            )
            for kind in fresh[0]
            for which in ("", ", on an axis")
        ],
        limits="Marking the names of every word with a short beginning; with a letter wrong, those of every beginning"
        " that is one edit away.",
    )


if __name__ == "__main__":
    measure.main(bench)
