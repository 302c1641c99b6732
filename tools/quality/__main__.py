"""`make quality`: measure on the development data and write the tables of `docs/quality.md` between its marks."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from services.recommender.local import LocalAnnotator
from services.recommender.profiles import CORPUS, TAGGING, Profile
from services.recommender.scoring import weights
from shared.vocabulary.artefact import Vocabularies
from tools.quality.baseline import Baseline
from tools.quality.calibration import recalibrated
from tools.quality.corpus import ONTOLOGIES, Corpus, Legend, Mention, corpus, vocabularies
from tools.quality.crossing import crossed
from tools.quality.curve import curve
from tools.quality.fit import Learned, examples, fit, fitted
from tools.quality.measures import (
    Found,
    Score,
    by_ontology,
    concepts,
    counted,
    interval,
    macro,
    mentions,
    micro,
    saved,
)
from tools.quality.phrases import in_use, judged

PAGE: Final = Path(__file__).parents[2] / "docs" / "quality.md"
KEYSTROKES: Final = (3, 6, 10)
THRESHOLDS: Final = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
LISTED: Final = 6
BANDS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
GOALS: Final = {"mention": 0.75, "set": 0.80}

Annotate = Callable[[Sequence[Legend]], list[Found]]


STATED: Final = Learned(weights("stated"), {})


def with_(data: Corpus, loaded: Vocabularies, profile: Profile, learned: Learned) -> Annotate:
    annotator = LocalAnnotator(loaded, profile, learned.by, learned.by_name)
    return lambda legends: data.found(legends, annotator.annotate([legend.analysis for legend in legends]))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def scores(legends: Sequence[Legend], found: Sequence[Found]) -> str:
    by = {kind: counted(legends, found, count) for kind, count in (("mention", mentions), ("set", concepts))}
    totals = {kind: by_ontology(counts.values()) for kind, counts in by.items()}
    rows = [
        [ontology, *(cell for total in totals.values() for cell in _cells(total[ontology]))] for ontology in ONTOLOGIES
    ]
    for name, of in (("macro", macro), ("micro", micro)):
        cells: list[str] = []
        for kind, counts in by.items():
            low, high = interval(counts, of)
            cells += ["", "", f"**{of(totals[kind]):.3f}** ({low:.3f} to {high:.3f})", ""]
        rows.append([f"**{name}**", *cells])
    head = ["ontology", "mention P", "R", "F1 (95 %)", "gold", "set P", "R", "F1 (95 %)", "gold"]
    return table(head, rows)


def _cells(score: Score) -> list[str]:
    return [f"{score.precision:.2f}", f"{score.recall:.2f}", f"{score.f1:.3f}", f"{score.gold:,}"]


def ways(data: Corpus, found: Mapping[str, Annotate]) -> str:
    rows = []
    for name, annotate in found.items():
        cells = []
        for legends in (data.development, data.kept_out):
            answer = annotate(legends)
            for count in (mentions, concepts):
                total = by_ontology(counted(legends, answer, count).values())
                cells += [f"{macro(total):.3f}", f"{micro(total):.3f}"]
        rows.append([name, *cells])
    where = [
        f"{part}, {kind}, {mean}"
        for part in ("development", "kept out")
        for kind in ("mention", "set")
        for mean in ("macro", "micro")
    ]
    return table(["way", *where], rows)


def across(data: Corpus, loaded: Vocabularies) -> str:
    head = ["way", "mention, macro", "mention, micro", "set, macro", "set, micro"]
    return table(head, [[way, *(f"{score:.3f}" for score in row)] for way, row in crossed(data, loaded).items()])


def effort(data: Corpus, loaded: Vocabularies, learned: Learned) -> str:
    def at(threshold: float, legends: Sequence[Legend]) -> dict[str, Score]:
        found = with_(data, loaded, replace(CORPUS, threshold=threshold), learned)(legends)
        return by_ontology(counted(legends, found, concepts).values())

    best = max(THRESHOLDS, key=lambda threshold: saved(at(threshold, data.development), 6))
    rows = []
    for name, legends in (("development", data.development), ("kept out", data.kept_out)):
        total = at(best, legends)
        rows.append([name, *(f"{saved(total, keystrokes):.0%}" for keystrokes in KEYSTROKES)])
    return (
        f"Display threshold {best}, the best of {', '.join(map(str, THRESHOLDS))} on development articles at K = 6.\n\n"
        + table(["articles", *(f"K = {keystrokes}" for keystrokes in KEYSTROKES)], rows)
    )


def calibration(data: Corpus, annotator: LocalAnnotator) -> str:
    legends = data.kept_out
    found: Counter[float] = Counter()
    right: Counter[float] = Counter()
    for legend, annotations in zip(legends, annotator.annotate([legend.analysis for legend in legends]), strict=True):
        for one in annotations:
            ontology = one.concept.ontology
            if one.concept.curie not in data.excluded[ontology]:
                band = max((low for low in BANDS[:-1] if low <= one.score), default=0.0)
                found[band] += 1
                right[band] += (legend.id, one.concept.curie, ((one.start, one.end),)) in legend.gold[ontology]
    return table(
        ["score", "mentions", "right"],
        [[f"from {band:.1f}", f"{found[band]:,}", f"{right[band] / found[band]:.2f}"] for band in sorted(found)],
    )


def errors(data: Corpus, loaded: Vocabularies, found: Sequence[Found]) -> Iterator[str]:
    """Of development articles: what kind the misses are, and the most frequent ones."""
    for ontology in ONTOLOGIES:
        kinds: Counter[str] = Counter()
        missed: Counter[str] = Counter()
        wrong: Counter[str] = Counter()
        for legend, of_one in zip(data.development, found, strict=True):
            places = {spans[0] for _, _, spans in of_one[ontology]}
            for mention in legend.gold[ontology] - of_one[ontology]:
                kinds[_kind(mention, legend.said[mention], places, loaded)] += 1
                missed[f"“{legend.said[mention].lower()}” {_label(mention[1], loaded)}"] += 1
            for _, curie, ((start, end),) in of_one[ontology] - legend.gold[ontology]:
                wrong[f"“{legend.analysis.text[start:end].lower()}” {_label(curie, loaded)}"] += 1
        yield f"**{ontology}.** {sum(kinds.values())} missed: {_listed(kinds)}. Most frequent: {_listed(missed)}."
        yield f"{sum(wrong.values())} found wrongly, most frequent: {_listed(wrong)}."


def _kind(mention: Mention, said: str, places: set[tuple[int, int]], loaded: Vocabularies) -> str:
    if len(mention[2]) > 1:
        return "in several pieces"
    if not loaded.find(mention[1]):
        return "concept not in the vocabulary"
    if mention[2][0] in places:
        return "another concept found there"
    if re.fullmatch(r"\S{1,5}", said) and (said.isupper() or len(said) < 3):
        return "short forms that the legend does not define"
    if any(start <= mention[2][0][0] and mention[2][0][1] <= end for start, end in places):
        return "within a longer name"
    return "no name or too unlikely"


def _label(curie: str, loaded: Vocabularies) -> str:
    numbers = loaded.find(curie)
    return f"({loaded.concept(numbers[0]).label if numbers else curie})"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common(LISTED))


def of_axes() -> str:
    """Our own phrases, as the profile for people answers them with the default vocabularies."""
    answers = judged(LocalAnnotator(in_use(), TAGGING))
    rows = []
    for axis in sorted({phrase.axis for phrase, _ in answers}):
        cells = []
        for unseen in (False, True):
            for wanted in (True, False):
                met = [
                    ok
                    for phrase, ok in answers
                    if (phrase.axis, phrase.unseen, phrase.wanted) == (axis, unseen, wanted)
                ]
                cells.append(f"{sum(met)} of {len(met)}")
        rows.append([axis, *cells])
    head = ["axis", "seen: must be found", "must not", "**unseen**: must be found", "must not"]
    seen = [(phrase, ok) for phrase, ok in answers if not phrase.unseen and not ok]
    missed = ", ".join(f"“{phrase.words}”" for phrase, _ in seen if phrase.wanted)
    wrong = ", ".join(f"“{phrase.text}”" for phrase, _ in seen if not phrase.wanted)
    return table(head, rows) + f"\n\nOf the seen half, not found: {missed}. Found wrongly: {wrong}"


def main() -> None:
    data, loaded = corpus(), vocabularies()
    baseline = Baseline(loaded)
    learned = fitted(loaded, data, data.development)
    of_corpus = learned["corpus"]
    best = with_(data, loaded, CORPUS, of_corpus)
    unconventional = replace(CORPUS, conventions=False)
    nameless = fit(list(examples(loaded, data, data.development)), of_names=False)
    found = best(data.development)
    parts = {
        "development": scores(data.development, found),
        "kept-out": scores(data.kept_out, best(data.kept_out)),
        "ways": ways(
            data,
            {
                "profile `corpus`": best,
                "without weights of names": with_(data, loaded, CORPUS, nameless),
                "without the corpus's conventions": with_(data, loaded, unconventional, nameless),
                "without learned weights": with_(data, loaded, CORPUS, STATED),
                "without either": with_(data, loaded, unconventional, STATED),
                "profile `tagging`, for people": with_(data, loaded, TAGGING, learned["tagging"]),
                "matching as BioPortal does": lambda legends: [baseline.found(data, legend) for legend in legends],
            },
        ),
        "crossed": across(data, loaded),
        "effort": effort(data, loaded, of_corpus),
        "calibration": calibration(data, LocalAnnotator(loaded, CORPUS, of_corpus.by, of_corpus.by_name)),
        "axes": of_axes(),
        "recalibration": recalibrated(data, loaded, learned),
        "learning": curve(data, loaded, of_corpus, PAGE.parent / "learning.svg"),
        "errors": "\n\n".join(errors(data, loaded, found)),
    }
    page = PAGE.read_text(encoding="utf-8")
    for name, content in parts.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        page = mark.sub(lambda found, content=content: f"{found[1]}\n{content}\n{found[2]}", page)  # type: ignore[misc]
        print(f"## {name}\n{content}\n")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
