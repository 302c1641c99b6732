"""The CSV of an export: RFC 4180, a row for each figure and tag. docs/export.md describes the columns."""

import csv
import io
from collections.abc import Mapping
from typing import ClassVar, Final

from services.export.content import Exported, instant, printable
from services.export.model import MappingsInUse
from shared.cells import guarded
from shared.events.tag import Tag

COLUMNS: Final = (
    "figure_id",
    "external_id",
    "doi",
    "collection",
    "article_title",
    "label",
    "panels",
    "image_file",
    "image_sha256",
    "axis",
    "ontology",
    "ontology_version",
    "iri",
    "curie",
    "tag",
    "assertion",
    "source",
    "spans",
    "mentions",
    "score",
    "annotator",
    "reviewer",
    "decided_at",
    "status",
    "language",
)

# After these, when an export asks for another vocabulary's concepts beside the tags'.
MAPPED_COLUMNS: Final = ("mapped_iri", "mapped_curie", "mapped_label", "mapping_predicate", "mapping_source")


class CsvFormat:
    """Writes figures one after the other; `take` hands over what was written since the last call."""

    media_type: ClassVar[str] = "text/csv; charset=utf-8"

    def __init__(self, mapping: MappingsInUse | None = None, map_to: str = "") -> None:
        self._columns = COLUMNS if mapping is None else COLUMNS + MAPPED_COLUMNS
        self._text = io.StringIO(newline="")
        # Every cell is quoted, as OWASP advises: a separator that another locale expects opens no new cell.
        self._writer = csv.writer(self._text, quoting=csv.QUOTE_ALL)

    def begin(self) -> None:
        # Without a byte order mark Excel reads UTF-8 as the machine's old code page.
        self._text.write("\ufeff")
        self._writer.writerow(self._columns)

    def add(self, figure: Exported) -> None:
        about = _safe(_figure_cells(figure))
        for tag_cells in [_tag_cells(tag) | _mapped_cells(figure, tag) for tag in figure.tags] or [{}]:
            cells = about | _safe(tag_cells)
            self._writer.writerow([cells.get(column, "") for column in self._columns])

    def end(self) -> None:
        """A CSV has no end mark."""

    def take(self) -> bytes:
        written = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return written


def _safe(cells: Mapping[str, str]) -> dict[str, str]:
    return {column: guarded(printable(cell)) for column, cell in cells.items()}


def _figure_cells(figure: Exported) -> dict[str, str]:
    facts = figure.facts
    return {
        "figure_id": figure.id,
        "external_id": facts.external_id or "",
        "doi": facts.article.doi or "",
        "collection": facts.article.collection or "",
        "article_title": facts.article.title,
        "label": facts.label,
        "image_file": facts.image_file or "",
        "image_sha256": facts.image_sha256 or "",
        "reviewer": figure.reviewer,
        "status": figure.status,
        "language": facts.language or "",
    }


def _tag_cells(tag: Tag) -> dict[str, str]:
    return {
        "panels": ";".join(tag.panels),
        "axis": tag.axis,
        "ontology": tag.ontology or "",
        "ontology_version": tag.vocabulary_version or "",
        "iri": tag.iri or "",
        "curie": tag.curie or "",
        "tag": tag.label,
        "assertion": tag.assertion,
        "source": tag.source,
        # In brackets: a spreadsheet would take 3-12 for a date.
        "spans": " ".join(f"[{span.start},{span.end})" for span in tag.spans),
        "mentions": " | ".join(span.text for span in tag.spans),
        "score": "" if tag.score is None else str(tag.score),
        "annotator": tag.annotator,
        "decided_at": instant(tag.decided_at),
    }


def _mapped_cells(figure: Exported, tag: Tag) -> dict[str, str]:
    target = figure.mapped.get(tag.curie or "")
    if target is None:
        return {}
    return {
        "mapped_iri": target.iri or "",
        "mapped_curie": target.curie,
        "mapped_label": target.label,
        "mapping_predicate": target.predicate,
        "mapping_source": target.source,
    }
