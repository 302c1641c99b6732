"""The XML of an export, as figures.xsd beside this file publishes it."""

import io
from typing import ClassVar, Final
from xml.sax.saxutils import XMLGenerator
from xml.sax.xmlreader import AttributesImpl

from services.export.content import Exported, instant, printable
from services.export.model import MappingsInUse
from shared.events.tag import Tag
from shared.vocabulary.mappings import Target

NAMESPACE: Final = "https://mitagger.org/schemas/figures/1"


class XmlFormat:
    """Writes figures one after the other; `take` hands over what was written since the last call."""

    media_type: ClassVar[str] = "application/xml"

    def __init__(self, mapping: MappingsInUse | None = None, map_to: str = "") -> None:
        self._about = {} if mapping is None else {"mappedTo": map_to, "mappings": mapping.artefact}
        self._bytes = io.BytesIO()
        self._xml = XMLGenerator(self._bytes, encoding="utf-8", short_empty_elements=True)

    def begin(self) -> None:
        self._xml.startDocument()
        self._open("figures", xmlns=NAMESPACE, **self._about)

    def add(self, figure: Exported) -> None:
        facts = figure.facts
        self._open(
            "figure",
            id=figure.id,
            status=figure.status,
            language=facts.language,
            externalId=facts.external_id,
            reviewer=figure.reviewer or None,
        )
        self._leaf(
            "article", facts.article.title, doi=facts.article.doi, collection=facts.article.collection
        )  # fmt: skip
        self._leaf("label", facts.label)
        if facts.image_sha256 is not None:
            self._leaf("image", "", file=facts.image_file, sha256=facts.image_sha256)
        for tag in figure.tags:
            self._tag(tag, figure.mapped.get(tag.curie or ""))
        self._close("figure")

    def end(self) -> None:
        self._close("figures")
        self._xml.endDocument()

    def take(self) -> bytes:
        written = self._bytes.getvalue()
        self._bytes.seek(0)
        self._bytes.truncate()
        return written

    def _tag(self, tag: Tag, mapped: Target | None) -> None:
        self._open(
            "tag",
            axis=tag.axis,
            ontology=tag.ontology,
            ontologyVersion=tag.vocabulary_version,
            iri=tag.iri,
            curie=tag.curie,
            assertion=tag.assertion,
            source=tag.source,
            score=None if tag.score is None else str(tag.score),
            annotator=tag.annotator,
            decidedAt=instant(tag.decided_at),
            mappedIri=mapped and mapped.iri,
            mappedCurie=mapped and mapped.curie,
            mappedLabel=mapped and (mapped.label or None),
            mappingPredicate=mapped and mapped.predicate,
            mappingSource=mapped and (mapped.source or None),
        )
        self._leaf("label", tag.label)
        for panel in tag.panels:
            self._leaf("panel", panel)
        for span in tag.spans:
            self._leaf("span", span.text, start=str(span.start), end=str(span.end))
        self._close("tag")

    def _open(self, name: str, **attributes: str | None) -> None:
        given = {key: printable(value) for key, value in attributes.items() if value is not None}
        self._xml.startElement(name, AttributesImpl(given))

    def _leaf(self, name: str, text: str, **attributes: str | None) -> None:
        self._open(name, **attributes)
        self._xml.characters(printable(text))
        self._xml.endElement(name)

    def _close(self, name: str) -> None:
        self._xml.endElement(name)
        self._xml.ignorableWhitespace("\n")
