"""The embedded search: SQLite FTS5, in the same file as everything else.

`search_figures` holds the texts, `search_words` (FTS5, external content, kept by triggers) their words; facets are
pairs of integers, so that counting them over every figure stays a scan of a small table.

All of it may be there twice, with names that begin with `search_` and `search2_`: one that serves and one that is being
filled; `search_slots` says which.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import apsw
from pydantic import TypeAdapter

from shared.errors import Conflict, Invalid
from shared.search.port import FACET_LABELS, FigureEntry, Filter, Hit, Query, Results, TagEntry, words_of
from shared.sqlite import Database

SNIPPET_TOKENS: Final = 24
SNIPPET_CHARACTERS: Final = 200

PUT_AT_ONCE: Final = 100
MERGE_PAGES: Final = 256

# remove_diacritics=2 folds precomposed and combining accents alike; the prefix index makes a short last word ten times
# faster for half as much space again (https://sqlite.org/fts5.html, sections 4.3.1 and 4.2).
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS search_figures (
  key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, version INTEGER NOT NULL, project TEXT NOT NULL,
  article TEXT NOT NULL, doi TEXT COLLATE NOCASE, collection TEXT, status TEXT NOT NULL, language TEXT,
  tag_entries TEXT NOT NULL, provisional_entries TEXT NOT NULL,  -- JSON lists of TagEntry
  title TEXT NOT NULL, label TEXT NOT NULL, legend TEXT NOT NULL, tags TEXT NOT NULL, provisional TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS search_figures_doi ON search_figures (doi);
CREATE INDEX IF NOT EXISTS search_figures_collection ON search_figures (collection);
CREATE INDEX IF NOT EXISTS search_figures_status ON search_figures (project, status);

CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5 (
  title, label, legend, doi, tags, provisional, content='search_figures', content_rowid='key',
  tokenize='unicode61 remove_diacritics 2', prefix='1 2 3');
CREATE TRIGGER IF NOT EXISTS search_figures_inserted AFTER INSERT ON search_figures BEGIN
  INSERT INTO search_words (rowid, title, label, legend, doi, tags, provisional)
  VALUES (new.key, new.title, new.label, new.legend, new.doi, new.tags, new.provisional);
END;
CREATE TRIGGER IF NOT EXISTS search_figures_deleted AFTER DELETE ON search_figures BEGIN
  INSERT INTO search_words (search_words, rowid, title, label, legend, doi, tags, provisional)
  VALUES ('delete', old.key, old.title, old.label, old.legend, old.doi, old.tags, old.provisional);
END;
CREATE TRIGGER IF NOT EXISTS search_figures_updated AFTER UPDATE ON search_figures BEGIN
  INSERT INTO search_words (search_words, rowid, title, label, legend, doi, tags, provisional)
  VALUES ('delete', old.key, old.title, old.label, old.legend, old.doi, old.tags, old.provisional);
  INSERT INTO search_words (rowid, title, label, legend, doi, tags, provisional)
  VALUES (new.key, new.title, new.label, new.legend, new.doi, new.tags, new.provisional);
END;

-- final: 1 for an approved tag, 0 for a provisional one
CREATE TABLE IF NOT EXISTS search_labels (
  label INTEGER PRIMARY KEY, name TEXT NOT NULL, axis TEXT NOT NULL, UNIQUE (name, axis));
CREATE TABLE IF NOT EXISTS search_facets (
  figure INTEGER NOT NULL, label INTEGER NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (figure, label)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS search_facets_label ON search_facets (label);
CREATE TABLE IF NOT EXISTS search_curies (
  figure INTEGER NOT NULL, curie TEXT NOT NULL, final INTEGER NOT NULL, PRIMARY KEY (figure, curie)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS search_curies_curie ON search_curies (curie);
"""

# Names that the tables may begin with, one set each.
_NAMES: Final = ("search", "search2")
_SLOTS: Final = """
CREATE TABLE IF NOT EXISTS search_slots (serves TEXT NOT NULL, fills TEXT);
INSERT INTO search_slots SELECT 'search', NULL WHERE NOT EXISTS (SELECT 1 FROM search_slots);
"""
_DROP: Final = """
DROP TABLE IF EXISTS search_words;
DROP TABLE IF EXISTS search_figures;
DROP TABLE IF EXISTS search_labels;
DROP TABLE IF EXISTS search_facets;
DROP TABLE IF EXISTS search_curies;
"""

_ENTRY: Final = (
    "id", "version", "project", "article", "doi", "collection", "status", "language",
    "tag_entries", "provisional_entries", "title", "label", "legend",
)  # fmt: skip
_COLUMNS: Final = (*_ENTRY, "tags", "provisional")

_PUT: Final = (
    f"INSERT INTO search_figures ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS)}"
    " RETURNING key"
)

# Weights in the order of the columns of search_words: a tag or a DOI says more than a word of the legend.
_BEST: Final = "bm25(search_words, 2.0, 1.0, 1.0, 4.0, 4.0, 4.0)"
_SNIPPET: Final = f"snippet(search_words, -1, '', '', '…', {SNIPPET_TOKENS})"

_FILTERS: Final[Mapping[Filter, str]] = {
    "project": "f.project IN ({0})",
    "status": "f.status IN ({0})",
    "collection": "f.collection IN ({0})",
    "doi": "f.doi IN ({0})",
    "axis": "f.key IN (SELECT figure FROM search_labels JOIN search_facets USING (label)"
    " WHERE axis IN ({0}) AND final >= :final)",
    "tag": "f.key IN (SELECT figure FROM search_labels JOIN search_facets USING (label)"
    " WHERE name IN ({0}) AND final >= :final"
    " UNION ALL SELECT figure FROM search_curies WHERE curie IN ({0}) AND final >= :final)",
}

_TAGS: Final = TypeAdapter(tuple[TagEntry, ...])


class Fts5Search:
    """Implements `shared.search.port.Search`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prepare(self) -> None:
        """Creates missing tables and indexes."""

        def job(connection: apsw.Connection) -> None:
            connection.execute(_SLOTS).fetchall()
            for slot in _written(connection):
                slot.execute(_SCHEMA).fetchall()

        await self._database.write(job)

    async def put(self, entries: Sequence[FigureEntry]) -> None:
        await self._put(entries, _written)

    async def remove(self, ids: Sequence[str]) -> None:
        def job(connection: apsw.Connection) -> bool:
            removed = [_remove(slot, id) for slot in _written(connection) for id in ids]
            return any(removed)

        if not ids:
            return
        if await self._database.write(job):
            # FTS5 only marks words as deleted until their segments merge; an erased figure's words go now. (Its
            # secure-delete option does so too, but makes every change of a tag 25 times slower.)
            while await self._database.write(_merged):
                pass

    async def begin(self) -> None:
        def job(connection: apsw.Connection) -> None:
            serves = _serving(connection)
            fills = _Slot(connection, next(name for name in _NAMES if name != serves.name))
            fills.execute(_DROP).fetchall()
            fills.execute(_SCHEMA).fetchall()
            connection.execute("UPDATE search_slots SET fills = ?", (fills.name,))

        await self._database.write(job)

    async def fill(self, entries: Sequence[FigureEntry]) -> None:
        await self._put(entries, lambda connection: [_filling(connection)])

    async def switch(self) -> None:
        def job(connection: apsw.Connection) -> None:
            served, fills = _serving(connection), _filling(connection)
            connection.execute("UPDATE search_slots SET serves = ?, fills = NULL", (fills.name,))
            served.execute(_DROP).fetchall()

        await self._database.write(job)

    async def _put(self, entries: Sequence[FigureEntry], slots: Callable[[apsw.Connection], list["_Slot"]]) -> None:
        def job(connection: apsw.Connection, some: Sequence[FigureEntry]) -> None:
            for slot in slots(connection):
                for entry in some:
                    _put(slot, entry)

        # A few at a time: people who save a decision wait for the same writer.
        for start in range(0, len(entries), PUT_AT_ONCE):
            await self._database.write(partial(job, some=entries[start : start + PUT_AT_ONCE]))

    async def search(self, query: Query) -> Results:
        words = words_of(query.words)
        found, values = _found(query, words)
        best, snippet = (f"{_BEST}, ", _SNIPPET) if words else ("", "''")
        hits = (
            f"SELECT {', '.join('f.' + column for column in _ENTRY)}, {snippet} {found}"
            f" ORDER BY {best}f.id LIMIT :limit OFFSET :offset"
        )
        facets = (
            f"WITH found (figure) AS MATERIALIZED (SELECT f.key {found})"  # noqa: S608
            " SELECT axis, name, figures FROM (SELECT label, count(*) AS figures"
            " FROM found JOIN search_facets USING (figure) WHERE final >= :final GROUP BY label)"
            " JOIN search_labels USING (label) ORDER BY figures DESC, name"
        )

        def job(connection: apsw.Connection) -> Results:
            with connection:  # one state for the three questions
                slot = _serving(connection)
                total = slot.execute(f"SELECT count(*) {found}", values).fetchone()
                rows = slot.execute(hits, values).fetchall()
                counts = slot.execute(facets, values).fetchall()
            return Results(
                total=int(total[0]) if total else 0,
                hits=[_hit(row, provisional=query.provisional) for row in rows],
                facets=_most_frequent(counts),
            )

        return await self._database.read(job)


def _found(query: Query, words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """FROM and WHERE of the figures that match, and the values to bind."""
    values: dict[str, Any] = {
        "final": 0 if query.provisional else 1, "limit": query.limit, "offset": query.offset,
    }  # fmt: skip
    source, conditions = "search_figures f", ["1"]
    if words:
        source = "search_words JOIN search_figures f ON f.key = search_words.rowid"
        conditions.append("search_words MATCH :match")
        # A quoted word is a phrase of its parts, and nothing in it is an operator.
        every = " AND ".join(f'"{word}"' for word in words) + "*"
        values["match"] = every if query.provisional else f"- provisional : ({every})"
    for name, wanted in query.filters.items():
        if name not in _FILTERS:
            raise Invalid(f"Search has no filter {name!r}.", field=name, remedy=f"Use one of {', '.join(_FILTERS)}.")
        marks = {f"{name}{place}": value for place, value in enumerate(wanted)}
        conditions.append(_FILTERS[name].format(", ".join(f":{mark}" for mark in marks)))
        values |= marks
    return f"FROM {source} WHERE {' AND '.join(conditions)}", values


@dataclass(frozen=True, slots=True)
class _Slot:
    """The tables whose names begin with `name`."""

    connection: apsw.Connection
    name: str

    def execute(self, sql: str, values: Any = None) -> Any:
        return self.connection.execute(sql.replace("search_", f"{self.name}_"), values)

    def executemany(self, sql: str, values: Iterable[Any]) -> None:
        self.connection.executemany(sql.replace("search_", f"{self.name}_"), values)


def _serving(connection: apsw.Connection) -> _Slot:
    return _Slot(connection, str(connection.execute("SELECT serves FROM search_slots").fetchall()[0][0]))


def _filling(connection: apsw.Connection) -> _Slot:
    row = connection.execute("SELECT fills FROM search_slots WHERE fills IS NOT NULL").fetchone()
    if row is None:
        raise Conflict("No search index is being filled.", remedy="Begin the rebuild again.")
    return _Slot(connection, str(row[0]))


def _written(connection: apsw.Connection) -> list[_Slot]:
    """The one that serves, and the one that is being filled."""
    rows = connection.execute("SELECT serves, fills FROM search_slots").fetchall()
    return [_Slot(connection, str(name)) for row in rows for name in row if name is not None]


def _merged(connection: apsw.Connection) -> bool:
    """Merges some pages of the words into one segment; false when there is nothing left to merge (section 6.8)."""
    before = connection.total_changes()
    slots = _written(connection)
    for slot in slots:
        slot.execute("INSERT INTO search_words (search_words, rank) VALUES ('merge', ?)", (-MERGE_PAGES,))
    return connection.total_changes() - before > len(slots)  # the commands themselves count as one each


def _remove(slot: _Slot, id: str) -> bool:
    row = slot.execute("DELETE FROM search_figures WHERE id = ? RETURNING key", (id,)).fetchone()
    if row is None:
        return False
    _put_tags(slot, row[0], {}, {})
    return True


def _put(slot: _Slot, entry: FigureEntry) -> None:
    ((key,),) = slot.execute(
        _PUT,
        (
            entry.id, entry.version, entry.project, entry.article, entry.doi, entry.collection, entry.status,
            entry.language, _TAGS.dump_json(entry.tags).decode(), _TAGS.dump_json(entry.provisional).decode(),
            entry.title, entry.label, entry.legend, _text(entry.tags), _text(entry.provisional),
        ),
    ).fetchall()  # fmt: skip
    # A tag that is final and provisional counts once, as final.
    both = [(tag, 0) for tag in entry.provisional] + [(tag, 1) for tag in entry.tags]
    labels = {(tag.label, tag.axis): final for tag, final in both}
    curies = {tag.curie: final for tag, final in both if tag.curie}
    _put_tags(slot, key, labels, curies)


def _put_tags(slot: _Slot, figure: int, labels: Mapping[tuple[str, str], int], curies: Mapping[str, int]) -> None:
    """Replaces a figure's tags. Labels that no figure carries any more go: they may be somebody's free text."""
    before = slot.execute("DELETE FROM search_facets WHERE figure = ? RETURNING label", (figure,)).fetchall()
    slot.execute("DELETE FROM search_curies WHERE figure = ?", (figure,))
    slot.executemany("INSERT OR IGNORE INTO search_labels (name, axis) VALUES (?, ?)", labels)
    slot.executemany(
        "INSERT INTO search_facets SELECT ?, label, ? FROM search_labels WHERE name = ? AND axis = ?",
        [(figure, final, name, axis) for (name, axis), final in labels.items()],
    )
    slot.executemany(
        "INSERT INTO search_curies VALUES (?, ?, ?)", [(figure, curie, final) for curie, final in curies.items()]
    )
    slot.executemany(
        "DELETE FROM search_labels WHERE label = ?1 AND NOT EXISTS (SELECT 1 FROM search_facets WHERE label = ?1)",
        before,
    )


def _text(tags: Sequence[TagEntry]) -> str:
    return " · ".join(f"{tag.label} {tag.curie or ''}".rstrip() for tag in tags)


def _hit(row: tuple[Any, ...], *, provisional: bool) -> Hit:
    *stored, snippet = row
    named = dict(zip(_ENTRY, stored, strict=True))
    tags, drafts = (_TAGS.validate_json(named.pop(column)) for column in ("tag_entries", "provisional_entries"))
    entry = FigureEntry(**named, tags=tags, provisional=drafts if provisional else ())
    legend = entry.legend
    return Hit(entry, snippet or legend[:SNIPPET_CHARACTERS] + ("…" if len(legend) > SNIPPET_CHARACTERS else ""))


def _most_frequent(counts: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    facets: dict[str, dict[str, int]] = {}
    for axis, name, figures in counts:
        labels = facets.setdefault(axis, {})
        if len(labels) < FACET_LABELS:
            labels[name] = figures
    return facets
