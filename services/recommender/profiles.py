"""For whom one matcher finds concepts: `tagging` for people who tag figures, `corpus` as the CRAFT corpus annotates."""

from dataclasses import dataclass
from importlib.resources import files
from typing import Final, Literal

ProfileName = Literal["tagging", "corpus"]


@dataclass(frozen=True)
class Profile:
    """`conventions`: whether what only the corpus takes for a concept counts (`shared/vocabulary/conventions.tsv`);
    `coordination`: whether "frontal and temporal lobe" has the frontal lobe (see `coordination`); `hidden`: concepts
    that are never found, by CURIE; `threshold`: the least score that is kept."""

    name: ProfileName
    threshold: float
    conventions: bool = False
    coordination: bool = False
    hidden: frozenset[str] = frozenset()


def _generic() -> frozenset[str]:
    lines = (files("services.recommender") / "generic.tsv").read_text(encoding="utf-8").splitlines()
    return frozenset(line.partition("\t")[0] for line in lines[1:])


# The corpus annotates what these are made of: "genomic" of genomic DNA, "embryonic" of an embryonic stage.
_IN_PARTS: Final = frozenset({"SO:0000991", "UBERON:0000068"})

# Thresholds are the best of `tools.quality` on development articles: for people by effort saved, for the corpus by F1.
TAGGING: Final = Profile("tagging", threshold=0.35, coordination=True, hidden=_generic())
CORPUS: Final = Profile("corpus", threshold=0.4, conventions=True, hidden=_IN_PARTS)
PROFILES: Final = {profile.name: profile for profile in (TAGGING, CORPUS)}
