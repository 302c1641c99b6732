"""What recalibration is worth: how well scores say what people accept, over the number of legends that they decided.

Weights were fitted on development articles, where decisions by gold agree with scores more than they do elsewhere. So
the articles kept out are halved, ten times: simulated annotators decide legends of one half by gold, by the code that
recalibrates in production; the scores of recommendations are measured on the other half.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.recommender.local import LocalAnnotator
from services.recommender.profiles import CORPUS, TAGGING, Profile, ProfileName
from services.recommender.recalibration import (
    LEAST_DECISIONS,
    LEAST_OF_EACH,
    Recalibration,
    fitted,
    judgement,
    together,
)
from services.recommender.recommend import recommend
from services.recommender.scoring import weights
from shared.events.recommendation import Axis, Recommendation
from shared.events.review import Decision, ReviewDone
from shared.vocabulary.artefact import Vocabularies
from tools.quality.corpus import Corpus, Legend
from tools.quality.curve import AT, ORDERS, PEOPLE, approved
from tools.quality.fit import Learned

STEPS: Final = (0, 10, 25, 50)
BINS: Final = 10
AXES: Final[dict[str, Axis]] = {
    "GO_CC": "genetics",
    "GO_BP": "genetics",
    "SO": "genetics",
    "CL": "anatomy",
    "UBERON": "anatomy",
    "CHEBI": "pharmaceutical",
    "MONDO": "disease",
}

Judged = Sequence[tuple[Recommendation, bool]]  # with whether gold has its concept, or one that is the same


def recommended(data: Corpus, loaded: Vocabularies, profile: Profile, learned: Learned) -> dict[str, Judged]:
    """By legend."""
    legends = data.kept_out
    annotated = LocalAnnotator(loaded, profile, learned.by, learned.by_name).annotate(
        [legend.analysis for legend in legends]
    )
    excluded = {curie for of_one in data.excluded.values() for curie in of_one}
    made: dict[str, Judged] = {}
    for legend, annotations in zip(legends, annotated, strict=True):
        placed = [
            one._replace(concept=replace(one.concept, axis=AXES[one.concept.ontology]))
            for one in annotations
            if one.concept.curie not in excluded
        ]
        gold = {curie for of_one in legend.gold.values() for _, curie, _ in of_one}
        made[legend.id] = [
            (one, bool(gold & {one.curie, *(other.curie for other in one.equivalents)}))
            for one in recommend(legend.id, placed)
        ]
    return made


def review(legend: Legend, judged: Judged, person: str) -> ReviewDone:
    """Somebody who knows the gold decides all that is recommended."""
    return approved(
        legend,
        person,
        decisions=[
            Decision(
                kind="accept" if right else "reject",
                key=one.id,
                axis=one.axis,
                curie=one.curie,
                label=one.label,
                model_score=one.score,
                annotator=person,
                decided_at=AT,
            )
            for one, right in judged
        ],
    )


def errors(judged: Judged, scores: Recalibration | None) -> tuple[float, float]:
    """Brier score, and expected calibration error over ten bins of equal width (Naeini et al. 2015)."""
    said = [(scores.of(one.axis, one.score) if scores else one.score, right) for one, right in judged]
    brier = sum((score - right) ** 2 for score, right in said) / len(said)
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS)]
    for score, right in said:
        bins[min(BINS - 1, int(score * BINS))].append((score, right))
    off = sum(abs(sum(score - right for score, right in one)) for one in bins)
    return brier, off / len(said)


def _order(data: Corpus, made: dict[str, Judged], number: int) -> Iterator[tuple[int, bool, tuple[float, float]]]:
    """After how many legends, whether a recalibration was in force, and the errors on the other half."""
    draw = random.Random(number)  # noqa: S311 - a fixed draw
    articles = sorted({legend.article for legend in data.kept_out})
    draw.shuffle(articles)
    deciding = set(articles[: len(articles) // 2])
    legends = [legend for legend in data.kept_out if legend.article in deciding]
    draw.shuffle(legends)
    others = [pair for legend in data.kept_out if legend.article not in deciding for pair in made[legend.id]]
    for decided in (*STEPS, len(legends)):
        evidence = together(
            judgement(review(legend, made[legend.id], PEOPLE[place % len(PEOPLE)]))
            for place, legend in enumerate(legends[:decided])
        )
        used = evidence.enough(articles=2, people=2)
        yield decided, used, errors(others, fitted(evidence) if used else None)


def recalibrated(data: Corpus, loaded: Vocabularies, learned: Mapping[ProfileName, Learned]) -> str:
    """The table: mean, lowest and highest of ten halvings, for both profiles, and for weights that were not learned
    from this corpus, as another site may find ours to be. `learned`: from development articles."""
    rows = []
    for name, profile, weighed in (
        ("`tagging`", TAGGING, learned["tagging"]),
        ("`corpus`", CORPUS, learned["corpus"]),
        ("`tagging`, weights stated by hand", TAGGING, Learned(weights("stated"), {})),
    ):
        made = recommended(data, loaded, profile, weighed)
        orders = [list(_order(data, made, number)) for number in range(ORDERS)]
        for step in range(len(STEPS) + 1):
            of_step = [order[step] for order in orders]
            decided = {count for count, _, _ in of_step}
            cells = [name, "all of the half" if step == len(STEPS) else str(decided.pop())]
            cells.append(str(sum(used for _, used, _ in of_step)))
            for kind in (0, 1):
                values = [found[kind] for _, _, found in of_step]
                cells.append(f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})")
            rows.append("| " + " | ".join(cells) + " |")
    head = "| profile | legends decided | halvings with a recalibration | Brier | expected calibration error |"
    needed = f"It needs {LEAST_DECISIONS} decisions, {LEAST_OF_EACH} of them rejections, and as many not."
    return "\n".join([head, "|---|---|---|---|---|", *rows, "", needed])
