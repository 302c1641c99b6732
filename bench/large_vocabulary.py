"""A vocabulary of the size of SNOMED CT: how long it takes to compile and to load, and how fast it then matches.

Its names are generated: 1.2 million, as SNOMED CT's are built (a finding of a structure, with laterality and cause).
"""

import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from bench import measure
from bench.legends import legends
from bench.measure import Measurement, Report, alternated
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from shared.vocabulary.source import Name, Source

NAMES: Final = 1_200_000
NAMES_OF_ONE: Final = 3
ROUNDS: Final = 5
PEER: Final = "the default vocabularies"
SYLLABLES: Final = [
    "ba",
    "co",
    "de",
    "fi",
    "gu",
    "ha",
    "li",
    "mo",
    "ne",
    "pa",
    "ri",
    "so",
    "ta",
    "ve",
    "zy",
    "chor",
    "derm",
    "gastr",
    "hepat",
    "neur",
    "oste",
    "phleb",
    "ren",
    "thorac",
    "vas",
]
SIDES: Final = ("left", "right", "bilateral", "upper", "lower", "chronic", "acute", "congenital")
KINDS: Final = ("fracture", "disorder", "structure", "injury", "neoplasm", "excision", "finding", "infection", "entire")


def names(count: int) -> Iterator[Name]:
    dice = random.Random(3)
    stems = [
        "".join(dice.choices(SYLLABLES, k=dice.randint(2, 4))) + dice.choice(("us", "is", "al", "oma"))
        for _ in range(60_000)
    ]
    for number in range(count):
        concept = number // NAMES_OF_ONE
        said = [dice.choice(SIDES), *dice.choices(stems, k=dice.randint(1, 3))]
        kind = dice.choice(KINDS)
        text = f"{kind} of {' '.join(said)}" if number % 2 else f"{' '.join(said)} {kind}"
        yield Name(f"{concept + 10_000_000}", text, "LABEL" if number % NAMES_OF_ONE == 0 else "SYNONYM", None)


async def bench(quick: bool) -> Report:
    count, rounds = (3_000, 1) if quick else (NAMES, ROUNDS)
    small = defaults.load(Settings().cache / "vocabularies")
    whose, texts = legends()
    texts = texts[:5] if quick else texts
    made = list(names(count))
    parents = [
        (str(concept + 10_000_000), str(concept // 2 + 10_000_000)) for concept in range(1, count // NAMES_OF_ONE)
    ]
    source = Source(name="SNOMEDCT", version="generated", digest="generated", names=made, parents=parents)
    begin = time.process_time()
    packed = compile_sources([source])
    compiling = time.process_time() - begin
    loads = []
    for _ in range(rounds):
        begin = time.process_time()
        large = Vocabularies(packed)
        loads.append(time.process_time() - begin)
    # A legend of such words for each that there is, so that the large one has something to find.
    speaking = [*texts, *(" ".join(name.name for name in made[at : at + 20]) for at in range(0, 20 * len(texts), 20))]
    size = sum(map(len, speaking))

    def matching(vocabularies: Vocabularies) -> Callable[[], Awaitable[float]]:
        async def way() -> float:
            begin = time.process_time()
            for at in range(0, len(speaking), 64):
                vocabularies.hits(speaking[at : at + 64])
            return size / (time.process_time() - begin) / 1e6

        return way

    speeds = await alternated(rounds, {"large": matching(large), PEER: matching(small)})
    ratio = [ours / theirs for ours, theirs in zip(speeds["large"], speeds[PEER], strict=True)]
    return Report(
        title="A vocabulary of SNOMED CT's size",
        how=f"{count:,} generated names of {count // NAMES_OF_ONE:,} concepts with parents. Seconds of one core. It is"
        f" matched, beside the default vocabularies, on the legends of {whose} and as many texts that are full of its"
        " names.",
        measurements=[
            Measurement("compiling", "s", [compiling], most=90),
            Measurement("loading", "s", loads, most=1),
            Measurement("artefact", "MB", [len(packed) / 1e6]),
            Measurement("names found", "M characters/s", speeds["large"], PEER, speeds[PEER]),
            Measurement("share of the default vocabularies' speed", "", ratio, least=0.5),
        ],
        limits="Compiling is Python for each name and variant; matching misses the processor's caches more often.",
    )


if __name__ == "__main__":
    measure.main(bench)
