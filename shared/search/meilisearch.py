"""The distributed search: Meilisearch.

A figure without provisional tags is one document that every question sees; one with them is several: for who sees
final tags only, for who sees everybody's, and for each person who gave some (`views`, `but`). So nothing that a
reviewer has not approved can be found, counted or ranked by who may not see it: restricting the searched attributes
would still let phrases match across them.

An index that is being filled stands beside the one that serves, under the name `…-next`; that it is there tells every
process to write to both.
"""

import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

from shared.errors import Conflict, Invalid
from shared.events.recommendation import Axis
from shared.meilisearch import Address, Missing, Server, connected
from shared.search.port import EVERYBODY, FigureEntry, Filter, Hit, Query, Results, TagEntry, seen_by, words_of

SETTINGS: Final = Path(__file__).with_name("meilisearch.json")
SNIPPET_WORDS: Final = 24
SNIPPET_CHARACTERS: Final = 200
SENT_AT_ONCE: Final = 8 << 20  # bytes; a server takes 100 MB (its --http-payload-size-limit)

FINAL: Final = "final"
EVERY: Final = "every"
_TWIN: Final = "_provisional"  # after a figure's id: its document with everybody's provisional tags
_OWN: Final = "_by_"  # after a figure's id, before a digest of the person's: its document with their tags
_BEHIND_ID: Final = re.compile(f"(?:{_TWIN}|{_OWN}[0-9a-f]{{16}})$")

_ORDERED: Final = ("searchableAttributes", "rankingRules")  # what comes first counts more
_FACETS: Final = {f"labels.{axis}": axis for axis in get_args(Axis)}
_FILTERS: Final[dict[Filter, str]] = {
    "project": "project", "status": "status", "collection": "collection", "doi": "doi", "axis": "axes", "tag": "names",
    "article": "article", "figure": "figure", "person": "people",
}  # fmt: skip


class SettingDifference(NamedTuple):
    """A setting of the index that is not as it should be. `there` and `wanted` are JSON."""

    name: str
    there: str
    wanted: str


@asynccontextmanager
async def opened(url: str, key: str) -> AsyncIterator["MeilisearchSearch"]:
    """The search at `http://host:7700/prefix`. Raises Invalid on another address."""
    address = Address.parse(url)
    async with connected(address.url, key) as server:
        yield MeilisearchSearch(server, prefix=address.prefix)


class MeilisearchSearch:
    """Implements `shared.search.port.Search`. Every method raises Unavailable when the server is."""

    def __init__(self, server: Server, *, prefix: str) -> None:
        self._server = server
        self.serving = f"{prefix}-figures"
        self.next = f"{prefix}-figures-next"

    async def version(self) -> str:
        """The server's."""
        return str((await self._server.ask("GET", "/version"))["pkgVersion"])

    async def plan(self) -> list[SettingDifference]:
        """The settings that `apply` would change; all of them while the index is missing."""
        try:
            there = await self._server.ask("GET", f"/indexes/{self.serving}/settings")
        except Missing:
            there = {}
        return [
            SettingDifference(name, json.dumps(there.get(name)), json.dumps(wanted))
            for name, wanted in _settings().items()
            if not _holds(name, there.get(name), wanted)
        ]

    async def apply(self) -> None:
        """Makes the index if it is missing and gives it its settings. While the server indexes everything again for
        changed ones, the old ones serve."""
        if await self.plan():
            await self._make(self.serving)

    async def prepare(self) -> None:
        """Makes the index, with its settings, if it is missing. One with other settings is left alone, for they may
        take hours to change: see `plan`."""
        if not await self._exists(self.serving):
            await self._make(self.serving)

    async def put(self, entries: Sequence[FigureEntry]) -> None:
        await self._put(await self._indexes(), entries)

    async def remove(self, ids: Sequence[str]) -> None:
        if ids:
            indexes = await self._indexes()
            tasks = [await self._begin_removal(index, ids) for index in indexes]
            await self._all([*tasks, *[await self._begin_removal_but(index, ids, ()) for index in indexes]])

    async def begin(self) -> None:
        await self._drop_next()
        await self._make(self.next)

    async def fill(self, entries: Sequence[FigureEntry]) -> None:
        await self._require_next()
        await self._put([self.next], entries)

    async def switch(self) -> None:
        await self._require_next()
        # Both are enqueued before either is awaited, so that no other rebuild can begin in between.
        swap = await self._server.begun("POST", "/swap-indexes", [{"indexes": [self.serving, self.next]}])
        drop = await self._server.begun("DELETE", f"/indexes/{self.next}")
        await self._all([(self.serving, swap), (self.next, drop)])
        # A writer that had just seen the index has made it again by writing to it.
        await self._drop_next()

    async def search(self, query: Query) -> Results:
        filters = [_view(query.provisional)]
        for name, wanted in query.filters.items():
            if name not in _FILTERS:
                known = ", ".join(_FILTERS)
                raise Invalid(f"Search has no filter {name!r}.", field=name, remedy=f"Use one of {known}.")
            within = f"IN [{', '.join(map(_quoted, wanted))}]"
            # Of a figure that looks alike to everybody there is one document, with its id.
            filters.append(f"figure {within} OR id {within}" if name == "figure" else f"{_FILTERS[name]} {within}")
        filters += [f"id >= {_quoted(query.since)}"] * bool(query.since)
        filters += [f"id < {_quoted(query.until)}"] * bool(query.until)
        words = words_of(query.words)
        asked = {
            "q": _asked(words),
            "matchingStrategy": "all",
            "filter": filters,
            "facets": list(_FACETS) if query.facets else [],
            "sort": ["id:desc"] if query.newest else [],  # before all other rules; the last one is by id
            "offset": query.offset,
            "limit": query.limit,
            "attributesToCrop": ["legend"] if words else [],
            "cropLength": SNIPPET_WORDS,
            "cropMarker": "…",
        }
        found = await self._server.ask("POST", f"/indexes/{self.serving}/search", asked)
        counts = found.get("facetDistribution", {})
        return Results(
            total=found["estimatedTotalHits"],
            hits=[_hit(document) for document in found["hits"]],
            facets={
                axis: dict(sorted(counts[facet].items(), key=lambda count: (-count[1], count[0])))
                for facet, axis in _FACETS.items()
                if counts.get(facet)
            },
        )

    async def _put(self, indexes: Sequence[str], entries: Sequence[FigureEntry]) -> None:
        # Of a figure that is given twice, the later entry.
        newest = list({entry.id: entry for entry in entries}.values())
        documents = [document for entry in newest for document in _documents(entry)]
        tasks = []
        for lines in _batches(documents):
            for index in indexes:
                task = await self._server.begun("POST", f"/indexes/{index}/documents?primaryKey=id", lines=lines)
                tasks.append((index, task))
        figures, put = [entry.id for entry in newest], [document["id"] for document in documents]
        tasks += [await self._begin_removal_but(index, figures, put) for index in indexes]
        await self._all(tasks)

    async def _indexes(self) -> list[str]:
        """Where to write, in this order: were the one that serves first, a swap between the two writes would leave the
        new one without."""
        return [self.next, self.serving] if await self._exists(self.next) else [self.serving]

    async def _make(self, index: str) -> None:
        if not await self._exists(index):
            try:
                await self._server.do("POST", "/indexes", {"uid": index, "primaryKey": "id"})
            except Invalid:
                if not await self._exists(index):  # else another process was first
                    raise
        await self._server.do("PATCH", f"/indexes/{index}/settings", _settings())

    async def _drop_next(self) -> None:
        while await self._exists(self.next):
            try:
                await self._server.do("DELETE", f"/indexes/{self.next}")
            except Missing:
                return

    async def _require_next(self) -> None:
        if not await self._exists(self.next):
            raise Conflict("No search index is being filled.", remedy="Begin the rebuild again.")

    async def _exists(self, index: str) -> bool:
        try:
            await self._server.ask("GET", f"/indexes/{index}")
        except Missing:
            return False
        return True

    async def _begin_removal(self, index: str, documents: Sequence[str]) -> tuple[str, int]:
        return index, await self._server.begun("POST", f"/indexes/{index}/documents/delete-batch", documents)

    async def _begin_removal_but(self, index: str, figures: Sequence[str], put: Sequence[str]) -> tuple[str, int]:
        """Removes what there is beside the figures' own documents, but for what was just put."""
        gone = f"figure IN [{', '.join(map(_quoted, figures))}] AND NOT id IN [{', '.join(map(_quoted, put))}]"
        return index, await self._server.begun("POST", f"/indexes/{index}/documents/delete", {"filter": gone})

    async def _all(self, tasks: Sequence[tuple[str, int]]) -> None:
        """Waits until they are done. One into the index beside may come after its end, and find none, or one that it
        has just made, without settings: what serves has it too."""
        for index, task in tasks:
            try:
                await self._server.done(task)
            except (Missing, Invalid):
                if index != self.next:
                    raise


def _settings() -> dict[str, Any]:
    return dict(json.loads(SETTINGS.read_text(encoding="utf-8")))


def _holds(name: str, there: Any, wanted: Any) -> bool:
    """Whether a setting is as wanted: of one with parts, the parts that we name; lists in any order unless it says what
    comes first."""
    if isinstance(wanted, dict) and wanted:
        return isinstance(there, dict) and all(_holds(name, there.get(part), value) for part, value in wanted.items())
    if isinstance(wanted, list) and isinstance(there, list) and name not in _ORDERED:
        return sorted(wanted) == sorted(there)
    return bool(wanted == there)


def _documents(entry: FigureEntry) -> Iterator[dict[str, Any]]:
    """One for every view, or one for each."""
    if not entry.provisional:
        yield _document(entry, entry.id, entry.tags, [FINAL, EVERY])
        return
    seen = seen_by(entry)
    final = _document(entry.model_copy(update={"provisional": ()}), entry.id, entry.tags, [FINAL])
    yield final | {"but": [_by(person) for person in seen]}
    beside = {_TWIN: (entry, EVERY)} | {
        _OWN + hashlib.sha256(person.encode()).hexdigest()[:16]: (theirs, _by(person))
        for person, theirs in seen.items()
    }
    for behind, (shown, view) in beside.items():
        document = _document(shown, entry.id + behind, shown.tags + shown.provisional, [view])
        yield document | {"figure": entry.id}


def _by(person: str) -> str:
    return f"by {person}"


def _view(provisional: str | None) -> str:
    """The filter for who sees final tags only, everybody's, or one's own."""
    if provisional is None or provisional == EVERYBODY:
        return f"views = {FINAL if provisional is None else EVERY}"
    person = _quoted(_by(provisional))
    return f"views = {person} OR (views = {FINAL} AND NOT but = {person})"


def _document(entry: FigureEntry, id: str, tags: Sequence[TagEntry], views: Sequence[str]) -> dict[str, Any]:
    labels: dict[str, list[str]] = {}
    for tag in tags:
        if tag.label not in labels.setdefault(tag.axis, []):
            labels[tag.axis].append(tag.label)
    names = dict.fromkeys(name for tag in tags for name in (tag.label, tag.curie) if name)
    return {
        **entry.model_dump(mode="json"), "id": id, "views": views, "axes": list(labels), "labels": labels,
        "names": list(names),
    }  # fmt: skip


def _batches(documents: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """As NDJSON, in parts of about SENT_AT_ONCE."""
    lines, size = [], 0
    for document in documents:
        line = json.dumps(document, ensure_ascii=False).encode()
        lines.append(line)
        size += len(line)
        if size >= SENT_AT_ONCE:
            yield b"\n".join(lines)
            lines, size = [], 0
    if lines:
        yield b"\n".join(lines)


def _asked(words: Sequence[str]) -> str:
    """The words as Meilisearch takes them: a quoted one is a phrase of its parts, taken as it is; what is not quoted at
    the end is a prefix."""
    if not words:
        return ""
    *complete, last = words
    last = last[: max(place for place, sign in enumerate(last) if _inside(sign)) + 1]
    start = max((place for place, sign in enumerate(last) if not _inside(sign)), default=-1) + 1
    whole = [*complete, last[:start]] if any(map(str.isalnum, last[:start])) else complete
    return " ".join([*(f'"{word}"' for word in whole), last[start:]])


def _inside(sign: str) -> bool:
    """Whether a sign belongs to a word rather than parting two: letters, digits, and the accents on them."""
    return sign.isalnum() or "\u0300" <= sign <= "\u036f"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _hit(document: dict[str, Any]) -> Hit:
    cropped = document.pop("_formatted", {}).get("legend", "")
    entry = FigureEntry.model_validate(document | {"id": _BEHIND_ID.sub("", document["id"])})
    legend = entry.legend
    return Hit(entry, cropped or legend[:SNIPPET_CHARACTERS] + ("…" if len(legend) > SNIPPET_CHARACTERS else ""))
