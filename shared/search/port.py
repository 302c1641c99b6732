"""The search port: one entry a figure, found by the words of its legend, its tags and its DOI, with facets by axis."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from pydantic import BaseModel, ConfigDict

FACET_LABELS: Final = 20
EVERYBODY: Final = "*"  # no person's id
MAX_WORDS: Final = 64

Filter: TypeAlias = Literal["axis", "tag", "doi", "collection", "article", "figure", "person", "status", "project"]

# White space, quotes, controls and lone surrogates part words; no engine finds anything by them.
_WORD: Final = re.compile(r"[^\s\"\x00-\x1f\x7f\ud800-\udfff]+")
# How people paste a DOI (Crossref display guidelines): as an address, or with a prefix.
_DOI_PREFIX: Final = re.compile(r"^(?:(?:https?://)?(?:dx\.)?doi\.org/|doi:)(?=10\.)", re.IGNORECASE)


class TagEntry(BaseModel):
    """A tag as it is indexed."""

    model_config = ConfigDict(frozen=True)

    axis: str
    label: str
    curie: str | None = None
    by: str | None = None  # who gave it, of one that is not final


class FigureEntry(BaseModel):
    """A figure as it is indexed. `version` is that of export's record. `tags` are final; `provisional` ones are found,
    counted and returned only for who asks for them, or for those of the person who gave them. `people` gave its tags,
    final or not."""

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
    provisional: tuple[TagEntry, ...] = ()
    people: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """All `words` must occur (see `words_of`), the last one as a prefix, whatever their case and accents; a word with
    inner punctuation ("COVID-19", a DOI, "GO:0005634") is found as its parts in a row. No words: every figure, by id.
    `newest`: the last ids first in place of the best matches; with `until` the last id of the page before, pages go as
    deep as there are figures, where `offset` goes 10,000 deep at most. `facets` false leaves them out: it is faster.

    `filters` are exact: one of the values of each must hold. `tag` is a CURIE or a label; `doi` ignores case.
    `since` and `until` bound the ids (since <= id < until), which begin with the time of their making (decision 8).
    `provisional` also looks at tags that no reviewer has approved: those of the person with this id, or EVERYBODY's.
    """

    words: str = ""
    filters: Mapping[Filter, Sequence[str]] = field(default_factory=dict)
    since: str = ""
    until: str = ""
    provisional: str | None = None
    newest: bool = False
    facets: bool = True
    offset: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A figure found. `snippet` is plain text around the match."""

    entry: FigureEntry
    snippet: str


@dataclass(frozen=True, slots=True)
class Results:
    """Best match first, then by id; or newest first. `facets`: axis → tag label → number of figures found that carry
    it, most frequent first, at most 20 an axis."""

    total: int
    hits: list[Hit]
    facets: Mapping[str, Mapping[str, int]]


class Search(Protocol):
    """An index of figures. Nothing here compares versions: who writes an entry looks at the record again afterwards
    (`services.export.indexing`), and of two writes the one that was asked for later stays."""

    async def prepare(self) -> None:
        """Makes what is missing, before anything else is asked. What is there stays as it is."""

    async def put(self, entries: Sequence[FigureEntry]) -> None:
        """Replaces what there is of these figures, also in an index that is being filled. Searchable when it
        returns."""

    async def remove(self, ids: Sequence[str]) -> None:
        """Also from an index that is being filled. No error where there was none."""

    async def search(self, query: Query) -> Results:
        """Never raises on hostile query text; Invalid on an unknown filter."""

    async def begin(self) -> None:
        """Makes an empty index beside the one that serves; one that was left unfinished goes. Once it returns, `put`
        and `remove` reach both, from every process."""

    async def fill(self, entries: Sequence[FigureEntry]) -> None:
        """As `put`, but only into the index that is being filled. Raises Conflict when there is none."""

    async def switch(self) -> None:
        """The index that was filled serves, at once and for all; the one that served is gone when it returns. Raises
        Conflict when none was being filled."""


def seen_by(entry: FigureEntry) -> dict[str, FigureEntry]:
    """The entry as each person who gave it a provisional tag sees it, by their ids."""
    people = dict.fromkeys(tag.by for tag in entry.provisional if tag.by is not None)
    return {
        person: entry.model_copy(update={"provisional": tuple(tag for tag in entry.provisional if tag.by == person)})
        for person in people
    }


def words_of(text: str) -> list[str]:
    """The words that a query asks for, each once, at most 64: what stands between white space or quotes and has a
    letter or digit; a DOI without its "doi:" or "https://doi.org/"."""
    words = (_DOI_PREFIX.sub("", word) for word in _WORD.findall(text))
    return list(dict.fromkeys(word for word in words if any(map(str.isalnum, word))))[:MAX_WORDS]
