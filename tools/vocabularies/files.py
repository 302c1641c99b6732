"""The committed files: tab-separated UTF-8 in xz, the same bytes for the same concepts."""

import lzma
from collections.abc import Iterable
from pathlib import Path

from tools.vocabularies.concepts import Concept

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def write_vocabulary(folder: Path, name: str, concepts: Iterable[Concept]) -> None:
    """NAME.tsv.xz, and NAME.parents.tsv.xz with the parents that are concepts too. Sorted by identifier."""
    ordered = sorted(concepts, key=lambda concept: concept.id)
    known = {concept.id for concept in ordered}
    rows = ["id\tname\tscope\taxis"]
    edges = ["id\tparent\trelation"]
    for concept in ordered:
        for row in concept.rows():
            axis = (concept.axis or "") if row.scope == "LABEL" else ""
            rows.append(f"{concept.id}\t{row.text}\t{row.scope}\t{axis}")
        edges += [f"{concept.id}\t{parent}\t{relation}" for parent, relation in concept.parents if parent in known]
    _write(folder / f"{name}.tsv.xz", rows)
    if len(edges) > 1:
        _write(folder / f"{name}.parents.tsv.xz", edges)


def _write(file: Path, lines: list[str]) -> None:
    data = ("\n".join(lines) + "\n").encode()
    file.write_bytes(lzma.compress(data, check=lzma.CHECK_CRC64, filters=_FILTERS))
