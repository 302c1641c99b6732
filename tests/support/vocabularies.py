"""Small vocabularies for tests, compiled in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path

from services.recommender.loading import Library, Site
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources
from shared.vocabulary.source import Name, Source

Rows = Sequence[tuple[str, ...]]  # (id, name, scope) or (id, name, scope, axis)

PREFIXES = {"GO:": "http://purl.obolibrary.org/obo/GO_"}


def source(name: str, rows: Rows, *, parents: Sequence[tuple[str, str]] = ()) -> Source:
    return Source(
        name=name,
        version="1",
        digest=str(hash((name, tuple(rows)))),
        names=[Name(row[0], row[1], row[2], row[3] if len(row) > 3 else None) for row in rows],  # type: ignore[arg-type]
        parents=list(parents),
        iri_prefix=PREFIXES,
    )


class Given(Library):
    """A library with nothing but these; it cannot compile others."""

    def __init__(self, made: Vocabularies | Callable[[], Vocabularies]) -> None:
        super().__init__(Settings(cache=Path("/nowhere")))
        self._made = made

    def artefact(self, site: Site) -> Path:
        return Path(__file__)  # something that is there

    def load(self, site: Site) -> Vocabularies:
        return self._made if isinstance(self._made, Vocabularies) else self._made()


def vocabularies(**ontologies: Rows) -> Vocabularies:
    """`vocabularies(CL=[("CL:0000540", "neuron", "LABEL")])`"""
    return Vocabularies(compile_sources([source(name, rows) for name, rows in ontologies.items()]))
