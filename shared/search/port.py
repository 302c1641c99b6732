"""The search port: one entry a figure, found by the words of its legend, its tags and its DOI, with facets by axis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import BaseModel, ConfigDict


class TagEntry(BaseModel):
    """A tag as it is indexed."""

    model_config = ConfigDict(frozen=True)

    axis: str
    label: str
    curie: str | None = None


class FigureEntry(BaseModel):
    """A figure as it is indexed. `order` is (version of export's record): the highest wins."""

    model_config = ConfigDict(frozen=True)

    id: str
    version: int
    project: str
    article: str
    doi: str | None = None
    collection: str | None = None
    title: str = ""
    label: str = ""
    legend: str = ""
    status: str
    language: str | None = None
    tags: tuple[TagEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """All `words` must occur (the last one as a prefix); `filters` are exact: axis, tag (CURIE or label), doi,
    collection, status, project."""

    words: str = ""
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    offset: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A figure found. `snippet` is plain text around the match."""

    entry: FigureEntry
    snippet: str


@dataclass(frozen=True, slots=True)
class Results:
    """`facets`: axis → tag label → number of figures found that carry it, most frequent first, at most 20 an axis."""

    total: int
    hits: list[Hit]
    facets: Mapping[str, Mapping[str, int]]


class Search(Protocol):
    """An index of figures."""

    async def put(self, entries: Sequence[FigureEntry]) -> None:
        """Searchable when it returns. An entry of a lower version than the indexed one is dropped."""

    async def remove(self, ids: Sequence[str]) -> None: ...

    async def search(self, query: Query) -> Results:
        """Never raises on hostile query text; Invalid on an unknown filter."""

    async def clear(self) -> None:
        """Empties the index, for a rebuild."""
