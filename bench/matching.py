"""Matching: names in legends, and full annotation, beside the bare automaton over the same names and text.

Millions of characters of legend a second on one core.
"""

import gc
import time
from collections.abc import Awaitable, Callable
from typing import Final

from nltk.tokenize import RegexpTokenizer

from bench import measure
from bench.legends import BareAutomaton, fold, legends
from bench.measure import Measurement, Report, alternated
from services.nlp.analysis import analyse
from services.nlp.tokens import tokens
from services.recommender.local import LocalAnnotator
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.words import words

ROUNDS: Final = 5
PEER: Final = "bare automaton"


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    whose, texts = legends()
    texts = texts[:5] if quick else texts
    size = sum(map(len, texts))
    vocabularies = defaults.load(Settings().cache / "vocabularies")
    begin = time.perf_counter()
    automaton = BareAutomaton(vocabularies)
    building = time.perf_counter() - begin
    annotator = LocalAnnotator(vocabularies)
    nltk = RegexpTokenizer(r"\w+(?:\.(?<=\d\.)\d\w*)*|[^\w\s\x1c-\x1f]")  # cuts as `tokens` does
    folded = [fold(text) for text in texts]
    analyses = [analyse(text, language="en") for text in texts]
    steps: dict[str, Callable[[], int]] = {
        PEER: lambda: sum(automaton.found(text) for text in folded),
        "NLTK's tokeniser (peer)": lambda: sum(sum(1 for _ in nltk.span_tokenize(text)) for text in texts),
        "tokens": lambda: sum(len(tokens(text)) for text in texts),
        "words of the text alone": lambda: sum(sum(1 for _ in words(text)) for text in texts),
        "every name of every concept": lambda: sum(sum(1 for _ in vocabularies.occurrences(text)) for text in texts),
        "annotator, texts analysed": lambda: sum(map(len, annotator.annotate(analyses))),
        "analysis and annotator": lambda: sum(
            len(annotator.annotate([analyse(text, language="en")])[0]) for text in texts
        ),
    }

    def timed(step: Callable[[], int]) -> Callable[[], Awaitable[float]]:
        async def way() -> float:
            gc.collect()
            start = time.perf_counter()
            step()
            return size / (time.perf_counter() - start) / 1e6

        return way

    speeds = await alternated(rounds, {name: timed(step) for name, step in steps.items()})
    return Report(
        title="Matching",
        how=f"{len(texts)} legends of {whose}, {size / 1e6:.2f} M characters, and the {automaton.names:,} names of the"
        f" default vocabularies; {rounds} alternated rounds, nothing remembered from one to the next. The peer"
        f" (`ahocorasick_rs`, built in {building:.1f} s, which cannot be saved) finds every substring that is a name:"
        " an upper bound.",
        measurements=[
            Measurement(name, "M characters/s", speeds[name], PEER, speeds[PEER]) for name in steps if name != PEER
        ],
        limits="Analysis in Python (sentences, tokens, panels, abbreviations, negation) takes most of the time, so that"
        " a faster matcher would hardly be noticed: docs/decisions/0001-matcher.md.",
    )


if __name__ == "__main__":
    measure.main(bench)
