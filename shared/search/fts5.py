"""The embedded search: SQLite FTS5, in the same file as everything else.

`search_figures` holds the texts, `search_words` (FTS5, external content, kept by triggers) their words; facets are
pairs of integers, so that counting them over every figure stays a scan of a small table.

A figure is one row. Who gave it tags that are not final sees a row of their own in its place (`viewer`), in which these
tags are as good as final.

All of it may be there twice, with names that begin with `search_` and `search2_`: one that serves and one that is being
filled; `search_slots` says which.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import apsw
from pydantic import TypeAdapter

from shared.errors import Conflict, Invalid
from shared.search.port import (
    EVERYBODY,
    FACET_LABELS,
    FigureEntry,
    Filter,
    Hit,
    Query,
    Results,
    TagEntry,
    seen_by,
    words_of,
)
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
  title TEXT NOT NULL, label TEXT NOT NULL, legend TEXT NOT NULL, tags TEXT NOT NULL, provisional TEXT NOT NULL,
  viewer TEXT, people TEXT NOT NULL DEFAULT '[]');  -- people: JSON list
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

_BETWEEN: Final = " · "  # tags, as they are indexed and shown
_SEEN: Final = "\x1f"  # between a figure's id and the viewer's: the id of their row

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
    "tag_entries", "provisional_entries", "title", "label", "legend", "people",
)  # fmt: skip
_COLUMNS: Final = (*_ENTRY, "tags", "provisional", "viewer")

_PUT: Final = (
    f"INSERT INTO search_figures ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in _COLUMNS)}"
    " RETURNING key"
)

# Weights in the order of the columns of search_words: a tag or a DOI says more than a word of the legend.
_BEST: Final = "bm25(search_words, 2.0, 1.0, 1.0, 4.0, 4.0, 4.0)"
# Of the legend, of what matches best, and all tags, each with its matches between marks.
_UNMARKED: Final = "'', '', '', ''"
_FROM, _TO = "\x02", "\x03"
_MARKED: Final = ", ".join(
    [f"snippet(search_words, {column}, char(2), char(3), '…', {SNIPPET_TOKENS})" for column in (2, -1)]
    + [f"highlight(search_words, {column}, char(2), char(3))" for column in (4, 5)]
)

_VIEWERS: Final = """
CREATE INDEX IF NOT EXISTS search_figures_viewer ON search_figures (viewer) WHERE viewer IS NOT NULL;
"""
_SEEN_BY: Final = (
    "(f.viewer = :viewer OR f.viewer IS NULL AND NOT EXISTS"
    " (SELECT 1 FROM search_figures o WHERE o.id = f.id || char(31) || :viewer))"
)

_FILTERS: Final[Mapping[Filter, str]] = {
    "project": "f.project IN ({0})",
    "status": "f.status IN ({0})",
    "collection": "f.collection IN ({0})",
    "doi": "f.doi IN ({0})",
    "article": "f.article IN ({0})",
    "figure": "f.id IN ({0})",
    "person": "EXISTS (SELECT 1 FROM json_each(f.people) WHERE value IN ({0}))",
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
                columns = slot.execute("SELECT name FROM pragma_table_info('search_figures')").fetchall()
                # A store of before people found their own tags, or figures by who tagged them.
                for column, kind in (("viewer", "TEXT"), ("people", "TEXT NOT NULL DEFAULT '[]'")):
                    if (column,) not in columns:
                        slot.execute(f"ALTER TABLE search_figures ADD COLUMN {column} {kind}").fetchall()
                slot.execute(_VIEWERS).fetchall()

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
            fills.execute(_VIEWERS).fetchall()
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
        order = "f.id DESC" if query.newest else f"{_BEST}, f.id" if words else "f.id"
        hits = (
            f"SELECT {', '.join('f.' + column for column in _ENTRY)}, {_MARKED if words else _UNMARKED} {found}"
            f" ORDER BY {order} LIMIT :limit OFFSET :offset"
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
                counts = slot.execute(facets, values).fetchall() if query.facets else []
            return Results(
                total=int(total[0]) if total else 0,
                hits=[_hit(row, provisional=query.provisional == EVERYBODY) for row in rows],
                facets=_most_frequent(counts),
            )

        return await self._database.read(job)


def _found(query: Query, words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """FROM and WHERE of the figures that match, and the values to bind."""
    values: dict[str, Any] = {
        "final": 0 if query.provisional == EVERYBODY else 1, "limit": query.limit, "offset": query.offset,
    }  # fmt: skip
    source, conditions = "search_figures f", ["f.viewer IS NULL"]
    if query.provisional is not None and query.provisional != EVERYBODY:
        conditions = [_SEEN_BY]
        values["viewer"] = query.provisional
    if words:
        source = "search_words JOIN search_figures f ON f.key = search_words.rowid"
        conditions.append("search_words MATCH :match")
        # A quoted word is a phrase of its parts, and nothing in it is an operator.
        every = " AND ".join(f'"{word}"' for word in words) + "*"
        values["match"] = every if query.provisional == EVERYBODY else f"- provisional : ({every})"
    for bound, sign in (("since", ">="), ("until", "<")):
        if edge := getattr(query, bound):
            conditions.append(f"f.id {sign} :{bound}")
            values[bound] = edge
    for name, wanted in query.filters.items():
        if name not in _FILTERS:
            raise Invalid(f"Search has no filter {name!r}.", field=name, remedy=f"Use one of {', '.join(_FILTERS)}.")
        own = [f"{id}{_SEEN}{values['viewer']}" for id in wanted] if name == "figure" and "viewer" in values else []
        marks = {f"{name}{place}": value for place, value in enumerate([*wanted, *own])}
        condition = _FILTERS[name].format(", ".join(f":{mark}" for mark in marks))
        # The plus keeps SQLite from the index of projects, where it would go through all of one to find a few figures.
        conditions.append(f"+{condition}" if name == "project" and "figure" in query.filters else condition)
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
    seen = _remove_seen(slot, id, ())
    row = slot.execute("DELETE FROM search_figures WHERE id = ? RETURNING key", (id,)).fetchone()
    if row is not None:
        _put_tags(slot, row[0], {}, {})
    return seen or row is not None


def _remove_seen(slot: _Slot, id: str, but: Iterable[str]) -> bool:
    """Removes the rows of who saw tags of a figure that were not final, but for some people."""
    rows = slot.execute(
        "DELETE FROM search_figures WHERE viewer IS NOT NULL AND id > ?1 AND id < ?2"
        " AND viewer NOT IN (SELECT value FROM json_each(?3)) RETURNING key",
        (id + _SEEN, id + chr(ord(_SEEN) + 1), json.dumps(list(but))),
    ).fetchall()
    for (key,) in rows:
        _put_tags(slot, key, {}, {})
    return bool(rows)


def _put(slot: _Slot, entry: FigureEntry) -> None:
    _put_row(slot, entry, entry.id, None)
    seen = seen_by(entry)
    _remove_seen(slot, entry.id, seen)
    for person, theirs in seen.items():
        _put_row(slot, theirs, entry.id + _SEEN + person, person)


def _put_row(slot: _Slot, entry: FigureEntry, id: str, viewer: str | None) -> None:
    own = entry.provisional if viewer is not None else ()
    ((key,),) = slot.execute(
        _PUT,
        (
            id, entry.version, entry.project, entry.article, entry.doi, entry.collection, entry.status,
            entry.language, _TAGS.dump_json(entry.tags).decode(), _TAGS.dump_json(entry.provisional).decode(),
            entry.title, entry.label, entry.legend, json.dumps(entry.people), _text((*entry.tags, *own)),
            "" if own else _text(entry.provisional), viewer,
        ),
    ).fetchall()  # fmt: skip
    # A tag that is final and provisional counts once, as final.
    both = [(tag, 1 if own else 0) for tag in entry.provisional] + [(tag, 1) for tag in entry.tags]
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
    return _BETWEEN.join(f"{tag.label} {tag.curie or ''}".rstrip() for tag in tags)


def _hit(row: tuple[Any, ...], *, provisional: bool) -> Hit:
    *stored, legend, best, tags, drafts = row
    named = dict(zip(_ENTRY, stored, strict=True))
    named["id"], seen, _ = named["id"].partition(_SEEN)
    final, others = (_TAGS.validate_json(named.pop(column)) for column in ("tag_entries", "provisional_entries"))
    named["people"] = json.loads(named["people"])
    entry = FigureEntry(**named, tags=final, provisional=others if provisional or seen else ())
    snippet = legend if _FROM in legend else _matching(entry, f"{tags}{_BETWEEN}{drafts}") or best
    if not snippet:
        snippet = entry.legend[:SNIPPET_CHARACTERS] + ("…" if len(entry.legend) > SNIPPET_CHARACTERS else "")
    return Hit(entry, _unmarked(snippet))


def _matching(entry: FigureEntry, marked: str) -> str:
    """The labels of the tags that match; with its identifier where that is what matches."""
    known = {_text([tag]): tag for tag in (*entry.tags, *entry.provisional)}
    said = []
    for part in marked.split(_BETWEEN):
        tag = known.get(_unmarked(part))
        if tag is not None and _FROM in part:
            said.append(tag.label if part.index(_FROM) < len(tag.label) else _unmarked(part))
    return _BETWEEN.join(dict.fromkeys(said))


def _unmarked(text: str) -> str:
    return text.replace(_FROM, "").replace(_TO, "")


def _most_frequent(counts: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    facets: dict[str, dict[str, int]] = {}
    for axis, name, figures in counts:
        labels = facets.setdefault(axis, {})
        if len(labels) < FACET_LABELS:
            labels[name] = figures
    return facets
