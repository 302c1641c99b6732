"""UMLS semantic types (TUIs) as axes, for concepts that BioPortal tells of; the table of docs/bioportal.md.

Groups of types: UMLS Semantic Groups (McCray, Burgun, Bodenreider 2001), ANAT and DISO; T033 (Finding) is left out, for
it holds "normal" and "present". Other vocabularies of BioPortal use no types, or one axis is all of them (`axes.json`).
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from shared.events.recommendation import Axis
from shared.vocabulary.axes import AXES, axis_of

_ANATOMY: Final = "T017 T018 T021 T022 T023 T024 T025 T026 T029 T030 T031"
_DISEASE: Final = "T019 T020 T037 T046 T047 T048 T049 T050 T184 T190 T191"
_CLINICAL: Final[Mapping[str, Axis]] = {
    **dict.fromkeys(_ANATOMY.split(), "anatomy"),
    **dict.fromkeys(_DISEASE.split(), "disease"),
    "T060": "intervention",  # Diagnostic Procedure
    "T061": "intervention",  # Therapeutic or Preventive Procedure
    "T074": "intervention",  # Medical Device
}
# Of NCIT the techniques: Laboratory Procedure, Diagnostic Procedure, Molecular Biology Research Technique.
_TECHNIQUES: Final[Mapping[str, Axis]] = dict.fromkeys(("T059", "T060", "T063"), "imaging")
_BY_TYPE: Final[Mapping[str, Mapping[str, Axis]]] = {"SNOMEDCT": _CLINICAL, "NCIT": _TECHNIQUES}
# SNOMED CT has imaging among its diagnostic procedures; its hierarchy would tell, which the annotator's answer lacks.
_IMAGING: Final = re.compile(
    r"imaging|radiogra|tomogra|\bscan|ultraso|echogra|scintigra|microscop|x-ray", re.IGNORECASE
)
# Types that only vocabularies with one axis hold: of genes and processes (groups GENE, and of PHYS the molecular ones),
# and of drugs (Organic Chemical, Pharmacologic Substance, Clinical Drug).
_OTHERS: Final[Mapping[str, Axis]] = {
    **dict.fromkeys(["T028", "T043", "T044", "T045", "T085", "T086", "T087", "T088", "T114", "T116"], "genetics"),
    **dict.fromkeys(["T109", "T121", "T200"], "pharmaceutical"),
}


def axis_by_types(ontology: str, curie: str, label: str, types: Collection[str]) -> Axis | None:
    """The axis of a concept with these types; None where it belongs to none. Of several, the first in our order."""
    table = _BY_TYPE.get(ontology)
    if table is None:
        return axis_of(ontology, curie)
    found = {table[one] for one in types if one in table}
    if "intervention" in found and "T060" in types and _IMAGING.search(label):
        return "imaging"
    return next((axis for axis in AXES if axis in found), None)


def axes_of_types(types: Collection[str]) -> frozenset[Axis]:
    """The axes that these types belong to, whatever the vocabulary."""
    tables = (_CLINICAL, _TECHNIQUES, _OTHERS)
    return frozenset(table[one] for table in tables for one in types if one in table)
