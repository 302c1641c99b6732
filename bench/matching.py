"""Matching: names in legends, and full annotation, beside the bare automaton over the same names and text.

    python bench/matching.py [--legends FILE.jsonl] [--rounds 5]

Prints a Markdown table: millions of characters of legend a second on one core, median and spread of alternated rounds.
The legends are those of the development data (MITAGGER_DEVELOPMENT_DATA), or any JSON lines with a "text". The peer is
ahocorasick_rs, which knows neither words nor concepts and returns every substring that is a name: an upper bound.
"""

import argparse
import gc
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import ahocorasick_rs

from services.nlp.analysis import analyse
from services.recommender.local import LocalAnnotator
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.words import words

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    parser.add_argument("--legends", type=Path, default=Path(data, "corpora/craft/legends.jsonl") if data else None)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.legends is None:
        sys.exit("Set MITAGGER_DEVELOPMENT_DATA, or name a file with --legends.")
    texts = [json.loads(line)["text"] for line in given.legends.open(encoding="utf-8")]
    size = sum(map(len, texts))

    vocabularies, loading = timed(lambda: defaults.load(Settings().cache / "vocabularies"))
    names = [f" {name} " for name in lower_names(vocabularies)]
    automaton, building = timed(lambda: ahocorasick_rs.AhoCorasick(names, store_patterns=False))
    annotator = LocalAnnotator(vocabularies)
    folded = [f" {text.lower()} " for text in texts]
    analyses = [analyse(text, language="en") for text in texts]

    runs: dict[str, Callable[[], int]] = {
        "bare automaton (peer)": lambda: sum(
            len(automaton.find_matches_as_indexes(text, overlapping=True)) for text in folded
        ),
        "words of the text alone": lambda: sum(sum(1 for _ in words(text)) for text in texts),
        "every name of every concept": lambda: sum(sum(1 for _ in vocabularies.occurrences(text)) for text in texts),
        "annotator, texts analysed": lambda: sum(map(len, annotator.annotate(analyses))),
        "analysis and annotator": lambda: sum(
            len(annotator.annotate([analyse(text, language="en")])[0]) for text in texts
        ),
    }
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    found: dict[str, int] = {}
    for _ in range(given.rounds + 1):
        for name, run in runs.items():
            gc.collect()
            found[name], seconds = timed(run)
            speeds[name].append(size / seconds / 1e6)

    print(f"{len(texts)} legends, {size / 1e6:.2f} M characters; {len(names):,} names.")
    print(f"{given.rounds} alternated rounds, after one to warm up.")
    print(f"Vocabularies load in {loading:.2f} s; the automaton, which cannot be saved, builds in {building:.2f} s.\n")
    print("| what | M characters/s, median | lowest to highest | found |\n|---|---|---|---|")
    for name, measured in speeds.items():
        warm = measured[1:]
        print(f"| {name} | {statistics.median(warm):.2f} | {min(warm):.2f} to {max(warm):.2f} | {found[name]:,} |")


def timed(run: Callable[[], Result]) -> tuple[Result, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def lower_names(vocabularies: Vocabularies) -> list[str]:
    return sorted({name.lower() for number in range(len(vocabularies)) for name, _ in vocabularies.names(number)})


if __name__ == "__main__":
    main()
