"""The committed files: tab-separated UTF-8 in xz, the same bytes for the same concepts."""

import json
import lzma
from collections.abc import Iterable
from pathlib import Path

from concepts import Concept

_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]


def write_vocabulary(folder: Path, name: str, concepts: Iterable[Concept]) -> None:
    """NAME.tsv.xz, and NAME.parents.tsv.xz when the source has parents. Sorted by identifier."""
    ordered = sorted(concepts, key=lambda concept: concept.id)
    rows = ["id\tname\tscope\taxis"]
    edges = ["id\tparent\trelation"]
    for concept in ordered:
        for row in concept.rows():
            axis = (concept.axis or "") if row.scope == "LABEL" else ""
            rows.append(f"{concept.id}\t{row.text}\t{row.scope}\t{axis}")
        edges += [f"{concept.id}\t{parent}\t{relation}" for parent, relation in concept.parents]
    _write(folder / f"{name}.tsv.xz", rows)
    if len(edges) > 1:
        _write(folder / f"{name}.parents.tsv.xz", edges)


def write_manifest(folder: Path, vocabularies: list[dict[str, object]]) -> None:
    text = json.dumps(vocabularies, indent=2, ensure_ascii=False) + "\n"
    (folder / "vocabularies.json").write_text(text, encoding="utf-8")


def _write(file: Path, lines: list[str]) -> None:
    data = ("\n".join(lines) + "\n").encode()
    file.write_bytes(lzma.compress(data, check=lzma.CHECK_CRC64, filters=_FILTERS))
