"""Prints the measured half of docs/vocabularies.md: concepts and names per axis, and random samples judged by eye.

The samples are drawn by the hash of the identifier, so that a rebuild changes them only where concepts come or go.
The judgements stand in judgements.tsv; a sampled concept that nobody has judged is printed as such."""

import csv
import hashlib
import lzma
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "vocabulary" / "data"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "vocabularies.md"
JUDGEMENTS = Path(__file__).with_name("judgements.tsv")
MARK = "<!-- Below: written by tools/vocabularies/report.py -->\n"

TITLES = {
    "anatomy": "Anatomy",
    "disease": "Disease & Symptoms",
    "genetics": "Genetics, Proteins & Processes",
    "imaging": "Imaging",
    "intervention": "Medical Intervention",
    "pharmaceutical": "Pharmaceutical Agent",
}
SAMPLE = 50
SAMPLE_OF_DRUGS = 200


@dataclass
class Entry:
    id: str
    label: str
    axis: str
    names: int = 1

    @property
    def vocabulary(self) -> str:
        return self.id.split(":")[0]


def entries() -> list[Entry]:
    found: dict[str, Entry] = {}
    for file in sorted(DATA.glob("*.tsv.xz")):
        if file.name.endswith(".parents.tsv.xz"):
            continue
        with lzma.open(file, "rt", encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
                if row["scope"] == "LABEL":
                    found[row["id"]] = Entry(row["id"], row["name"], row["axis"])
                else:
                    found[row["id"]].names += 1
    return list(found.values())


def sampled(among: list[Entry], size: int) -> list[Entry]:
    drawn = sorted(among, key=lambda entry: hashlib.sha256(entry.id.encode()).digest())[:size]
    return sorted(drawn, key=lambda entry: entry.label.lower())


def judgements() -> dict[str, str]:
    """Identifier to "right", or to what is wrong."""
    with JUDGEMENTS.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: row["judgement"] for row in csv.DictReader(lines, delimiter="\t")}


def report(among: list[Entry]) -> str:
    judged = judgements()
    by_axis: dict[str, list[Entry]] = defaultdict(list)
    for entry in among:
        by_axis[entry.axis].append(entry)
    lines = ["## How many", "", "| axis | vocabulary | concepts | names |", "|---|---|---:|---:|"]
    for axis, title in TITLES.items():
        for name in sorted({entry.vocabulary for entry in by_axis[axis]}):
            part = [entry for entry in by_axis[axis] if entry.vocabulary == name]
            lines.append(f"| {title} | {name} | {len(part):,} | {sum(entry.names for entry in part):,} |")
        names = sum(entry.names for entry in by_axis[axis])
        lines.append(f"| **{title}** | all | **{len(by_axis[axis]):,}** | **{names:,}** |")
    lines += ["", "## Random concepts, judged by eye", "",
              "Right means: a person who tags figures would look for this concept on this axis.", ""]  # fmt: skip
    for axis, title in TITLES.items():
        size = SAMPLE_OF_DRUGS if axis == "pharmaceutical" else SAMPLE
        lines += _judged_sample(title, sampled(by_axis[axis], size), judged)
    for axis in ("anatomy", "disease"):
        mapped = [entry for entry in by_axis[axis] if entry.vocabulary in ("MESH", "NCIT", "EFO")]
        lines += _judged_sample(f"{TITLES[axis]}: only those placed by a mapping", sampled(mapped, SAMPLE), judged)
    return "\n".join(lines)


def _judged_sample(title: str, sample: list[Entry], judged: dict[str, str]) -> list[str]:
    verdicts = [judged.get(entry.id, "not judged") for entry in sample]
    known = [verdict for verdict in verdicts if verdict != "not judged"]
    right = known.count("right")
    shown = [
        f"{entry.label} ({entry.id})" if verdict == "right" else f"**{entry.label}** ({entry.id}: {verdict})"
        for entry, verdict in zip(sample, verdicts, strict=True)
    ]
    return [f"### {title}: {right} of {len(known)} right", "", "; ".join(shown) + ".", ""]


def main() -> None:
    before = DOCS.read_text(encoding="utf-8").split(MARK)[0]
    DOCS.write_text(f"{before}{MARK}\n{report(entries())}", encoding="utf-8")


if __name__ == "__main__":
    main()
