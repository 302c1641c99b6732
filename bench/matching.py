"""Matching: names in legends, and full annotation, beside the bare automaton over the same names and text.

Millions of characters of legend a second of one core: what other processes do meanwhile hardly counts.
"""

import gc
import time
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from nltk.tokenize import RegexpTokenizer
from nltk.tokenize.punkt import PunktParameters, PunktSentenceTokenizer

from bench import measure
from bench.distinct import distinct
from bench.legends import FEW, BareAutomaton, fold, legends
from bench.measure import Measurement, Report, alternated
from services.nlp.analysis import Text, analyses, findings
from services.nlp.sentences import ABBREVIATIONS, STARTERS, sentences_of
from services.nlp.tokens import tokens_of
from services.recommender.local import LocalAnnotator
from shared.settings import Settings
from shared.vocabulary import defaults

ROUNDS: Final = 5
TOGETHER: Final = 280  # legends a batch, as the command gives them
GOAL: Final = 5.0
PEER: Final = "bare automaton"
TOKENISER: Final = "NLTK's tokeniser"
PUNKT: Final = "NLTK's Punkt"


async def bench(quick: bool) -> Report:
    rounds = 1 if quick else ROUNDS
    whose, known = legends()
    known = known[:5] if quick else known
    begin = time.perf_counter()
    vocabularies = defaults.load(Settings().cache / "vocabularies")
    loading = time.perf_counter() - begin
    begin = time.perf_counter()
    automaton = BareAutomaton(vocabularies, concepts=FEW if quick else None)
    building = time.perf_counter() - begin
    annotator = LocalAnnotator(vocabularies)
    nltk = RegexpTokenizer(r"\w+(?:\.(?<=\d\.)\d\w*)*|[^\w\s\x1c-\x1f]")  # cuts as `tokens` does
    parameters = PunktParameters()
    parameters.abbrev_types, parameters.sent_starters = set(ABBREVIATIONS), set(STARTERS)
    punkt = PunktSentenceTokenizer(parameters)
    generated = distinct(known, seed=1)
    count = len(known)

    def annotated(texts: list[str]) -> None:
        for first in range(0, len(texts), TOGETHER):
            annotator.annotate(findings([Text(text, language="en") for text in texts[first : first + TOGETHER]]))

    def analysed(texts: list[str]) -> None:
        for first in range(0, len(texts), TOGETHER):
            analyses([Text(text, language="en") for text in texts[first : first + TOGETHER]])

    steps: dict[str, Callable[[list[str]], object]] = {
        PEER: lambda texts: [automaton.found(fold(text)) for text in texts],
        TOKENISER: lambda texts: [list(nltk.span_tokenize(text)) for text in texts],
        PUNKT: lambda texts: [list(punkt.span_tokenize(text)) for text in texts],
        "tokens": lambda texts: [tokens_of(texts[at : at + TOGETHER]) for at in range(0, len(texts), TOGETHER)],
        "sentences": lambda texts: [sentences_of(texts[at : at + TOGETHER]) for at in range(0, len(texts), TOGETHER)],
        "every name in the text": lambda texts: [
            vocabularies.hits(texts[at : at + TOGETHER]) for at in range(0, len(texts), TOGETHER)
        ],
        "analysis, as an event carries it": analysed,
        "full annotation, the corpus again and again": annotated,
    }
    new = "full annotation, generated legends, each for the first time"

    def timed(step: Callable[[list[str]], object], texts: Callable[[], list[str]]) -> Callable[[], Awaitable[float]]:
        async def way() -> float:
            given = texts()
            gc.collect()
            start = time.process_time()
            step(given)
            return sum(map(len, given)) / (time.process_time() - start) / 1e6

        return way

    ways = {name: timed(step, lambda: known) for name, step in steps.items()}
    ways[new] = timed(annotated, lambda: list(islice(generated, count)))
    speeds = await alternated(rounds, ways)
    unit = "M characters/s"
    peers = {"tokens": TOKENISER, "sentences": PUNKT}
    rows = [
        Measurement(name, unit, speeds[name], peers.get(name, PEER), speeds[peers.get(name, PEER)])
        for name in steps
        if name not in (PEER, TOKENISER, PUNKT)
    ]
    rows.append(Measurement(new, unit, speeds[new], PEER, speeds[PEER], least=GOAL))
    rows.append(Measurement(new, unit, speeds[new], TOKENISER, speeds[TOKENISER]))
    rows.append(Measurement("loading the vocabularies", "s", [loading], most=1.0))
    return Report(
        title="Matching",
        how=f"{count} legends of {whose}, {sum(map(len, known)) / 1e6:.2f} M characters, as many generated ones a round"
        f" (its sentences in other company, with other numbers), and the {automaton.names:,} names of the default"
        f" vocabularies; {rounds} alternated rounds, seconds of one core, {TOGETHER} legends at once. The peer"
        f" (`ahocorasick_rs`, built in {building:.1f} s, which cannot be saved) finds every substring that is a"
        " name: an upper bound.",
        measurements=rows,
        limits="Python around what is found. Of the time of a full annotation, a third are array operations that cut"
        " words, tokens and sentences and look names up; the rest goes to panels (a sixth), abbreviations (a ninth),"
        " negation, and to choosing and writing the fourteen or so mentions of a legend (a third):"
        " docs/decisions/0042-speed-once-more.md.",
    )


if __name__ == "__main__":
    measure.main(bench)
