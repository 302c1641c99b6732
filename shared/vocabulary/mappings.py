"""Mappings, compiled: from a concept to what it is in another vocabulary, out of a file that is never changed.

The file is a SQLite database of both directions of each pair, so that millions need no memory; only `compile_mappings`
makes one, and it is read as trusted. What a step is worth follows SKOS (w3.org/TR/skos-reference, section 10):

- exactMatch and closeMatch hold in both directions; broadMatch is the inverse of narrowMatch.
- exactMatch is transitive, so where nothing leads to a vocabulary directly, two exact steps over one concept of a third
  do. Of no other predicate two steps are taken, and never three: each step adds its mistakes.
- The strongest predicate counts: exact, close, xref (which OBO leaves open), broad, narrow. Several targets of it are
  one answer only when a person has chosen one of them; else they are ambiguous, and nobody guesses.
- A pair that a file negates (predicate_modifier Not) is no exact match and no xref, whatever others say, nor are two
  steps between its concepts.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from shared.errors import Invalid
from shared.vocabulary import pairs
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.pairs import INVERSE, IRIS, PREDICATES, Kind, canonical, prefix_of

Outcome = Literal["exact", "close", "broad", "narrow", "ambiguous", "unmapped"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("exact", "close", "broad", "narrow", "ambiguous", "unmapped")

FORMAT: Final = 1
MOST_TARGETS: Final = 50  # of one concept that are told
MOST_STEPS: Final = 200  # pairs of steps that are looked at
_KINDS: Final[tuple[Kind, ...]] = ("exact", "close", "xref", "broad", "narrow")  # the strongest first
_OF: Final[Mapping[Kind, Outcome]] = {
    "exact": "exact",
    "close": "close",
    "xref": "close",
    "broad": "broad",
    "narrow": "narrow",
}

_SCHEMA: Final = f"""
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
PRAGMA user_version = {FORMAT};
CREATE TABLE pair (
    subject TEXT, prefix TEXT, object TEXT, kind INTEGER, curated INTEGER, confidence REAL, source INTEGER,
    PRIMARY KEY (subject, prefix, object, kind)
) WITHOUT ROWID;
CREATE TABLE source (number INTEGER PRIMARY KEY, name TEXT, version TEXT);
CREATE TABLE iri (prefix TEXT PRIMARY KEY, iri TEXT) WITHOUT ROWID;
CREATE TABLE label (curie TEXT PRIMARY KEY, label TEXT) WITHOUT ROWID;
CREATE TABLE target (prefix TEXT PRIMARY KEY, concepts INTEGER) WITHOUT ROWID;
CREATE TABLE negated (subject TEXT, object TEXT, PRIMARY KEY (subject, object)) WITHOUT ROWID;
"""
_ADD: Final = """
INSERT INTO pair VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET curated = excluded.curated, confidence = excluded.confidence, source = excluded.source
WHERE (excluded.curated, coalesce(excluded.confidence, -1)) > (pair.curated, coalesce(pair.confidence, -1))
"""
_STEP: Final = """
SELECT object, kind, curated, confidence, source FROM pair WHERE subject = ? AND prefix = ? ORDER BY object
"""
_TWO_STEPS: Final = """
SELECT one.object, two.object, one.source, two.source
FROM pair AS one JOIN pair AS two ON two.subject = one.object AND two.prefix = ? AND two.kind = one.kind
WHERE one.subject = ? AND one.kind = ?
AND NOT EXISTS (SELECT 1 FROM negated WHERE subject = one.subject AND object = two.object)
ORDER BY one.object, two.object LIMIT ?
"""
_DROP: Final = "DELETE FROM pair WHERE kind IN (?, ?) AND (subject, object) IN (SELECT subject, object FROM negated)"


class Member(NamedTuple):
    """A version of mappings that is used; `path`: what `pairs.write` made of it."""

    name: str
    version: str
    path: Path


class Target(NamedTuple):
    """What a concept is in another vocabulary. `predicate`: of the step from the concept to it. `source`: which
    mappings say so, with their versions; `via`: the concept between, where there are two steps. `confidence`: of one
    step, where its file states it."""

    curie: str
    iri: str | None
    label: str
    predicate: str
    confidence: float | None
    source: str
    via: str


@dataclass(frozen=True, slots=True)
class Found:
    """`targets`: the one, or those between which nobody decides."""

    outcome: Outcome
    targets: tuple[Target, ...] = ()

    @property
    def target(self) -> Target | None:
        """The one that can stand for the concept: it says the same, or (broad) less, never more."""
        return self.targets[0] if self.outcome in ("exact", "close", "broad") else None


UNMAPPED: Final = Found("unmapped")


def compile_mappings(members: Sequence[Member], names: Path | None, into: Path) -> int:
    """Compiles mappings, the first of equals winning; returns between how many pairs of concepts. `names`: compiled
    vocabularies, whose preferred names and IRIs go before those of the files. Raises Invalid."""
    with closing(sqlite3.connect(into, isolation_level=None)) as file:
        file.executescript(_SCHEMA)
        file.execute("BEGIN")
        for number, member in enumerate(members):
            file.execute("INSERT INTO source VALUES (?, ?, ?)", (number, member.name, member.version))
            _add(file, number, member.path)
        file.execute(_DROP, (_KINDS.index("exact"), _KINDS.index("xref")))
        iris = {**{k: v for member in reversed(members) for k, v in pairs.iris(member.path).items()}, **IRIS}
        if names is not None:
            iris |= _named(file, Vocabularies(names))
        file.executemany("INSERT INTO iri VALUES (?, ?)", sorted(iris.items()))
        file.execute("DELETE FROM label WHERE curie NOT IN (SELECT subject FROM pair)")
        file.execute("INSERT INTO target SELECT prefix, count(DISTINCT object) FROM pair GROUP BY prefix")
        (count,) = file.execute("SELECT count(*) FROM pair WHERE subject < object").fetchone()
        file.execute("COMMIT")
        file.execute("VACUUM")
    return int(count)


def _add(file: sqlite3.Connection, source: int, path: Path) -> None:
    for pair in pairs.read(path):
        if pair.negated:
            if pair.kind == "exact":
                both = (pair.subject, pair.object), (pair.object, pair.subject)
                file.executemany("INSERT OR IGNORE INTO negated VALUES (?, ?)", both)
            continue
        for subject, object, kind in (
            (pair.subject, pair.object, pair.kind),
            (pair.object, pair.subject, INVERSE[pair.kind]),
        ):
            prefix = object.partition(":")[0]
            row = (subject, prefix, object, _KINDS.index(kind), int(pair.curated), pair.confidence, source)
            file.execute(_ADD, row)
        for curie, label in ((pair.subject, pair.subject_label), (pair.object, pair.object_label)):
            if label:
                file.execute("INSERT OR IGNORE INTO label VALUES (?, ?)", (curie, label))


def _named(file: sqlite3.Connection, vocabularies: Vocabularies) -> dict[str, str]:
    """Gives concepts the names that they have here; returns the IRIs of their prefixes."""
    iris: dict[str, str] = {}
    for (curie,) in file.execute("SELECT DISTINCT subject FROM pair").fetchall():
        for number in vocabularies.find(curie)[:1]:
            concept = vocabularies.concept(number)
            file.execute("INSERT OR REPLACE INTO label VALUES (?, ?)", (curie, concept.label))
            prefix, _, local = curie.partition(":")
            if concept.iri is not None and concept.iri.endswith(local):
                iris.setdefault(prefix, concept.iri.removesuffix(local))
    return iris


class Mappings:
    """Compiled mappings, opened (`opened`). Of one thread at a time."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file
        self._iris: dict[str, str] = dict(file.execute("SELECT prefix, iri FROM iri"))
        self._sources = {
            number: f"{name} {version}".strip() for number, name, version in file.execute("SELECT * FROM source")
        }

    def targets(self) -> dict[str, int]:
        """Into which vocabularies something leads, and to how many of their concepts; the most first."""
        return dict(self._file.execute("SELECT prefix, concepts FROM target ORDER BY concepts DESC, prefix"))

    def to(self, curie: str, vocabulary: str) -> Found:
        """What a concept is in another vocabulary, or in its own: itself."""
        subject, prefix = canonical(curie), prefix_of(vocabulary)
        if subject.partition(":")[0] == prefix:
            return Found("exact", (self._target(subject, "exact", None, "", ""),))
        steps = self._file.execute(_STEP, (subject, prefix)).fetchall()
        if steps:
            strongest = min(kind for _, kind, _, _, _ in steps)
            best = [step for step in steps if step[1] == strongest]
            chosen = [step for step in best if step[2]]
            kind = _KINDS[strongest]
            told = [
                self._target(object, kind, confidence, self._sources[source], "")
                for object, _, _, confidence, source in (chosen if len(chosen) == 1 else best)[:MOST_TARGETS]
            ]
            return Found(_OF[kind] if len(told) == 1 else "ambiguous", tuple(told))
        return self._over_another(subject, prefix)

    def _over_another(self, subject: str, prefix: str) -> Found:
        found: dict[str, Target] = {}
        rows = self._file.execute(_TWO_STEPS, (prefix, subject, _KINDS.index("exact"), MOST_STEPS))
        for via, object, first, second in rows:
            if object not in found:
                said = dict.fromkeys((self._sources[first], self._sources[second]))
                found[object] = self._target(object, "exact", None, "; ".join(said), via)
        if not found:
            return UNMAPPED
        return Found("exact" if len(found) == 1 else "ambiguous", tuple(found.values())[:MOST_TARGETS])

    def _target(self, curie: str, kind: Kind, confidence: float | None, source: str, via: str) -> Target:
        prefix, _, local = curie.partition(":")
        iri = self._iris.get(prefix)
        named = self._file.execute("SELECT label FROM label WHERE curie = ?", (curie,)).fetchone()
        label = named[0] if named else ""
        return Target(curie, iri + local if iri else None, label, PREDICATES[kind], confidence, source, via)


@contextmanager
def opened(path: Path) -> Iterator[Mappings]:
    """Raises Invalid where the file is none that this version can read."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)) as file:
            (format,) = file.execute("PRAGMA user_version").fetchone()
            if format != FORMAT:
                raise Invalid("Another MITagger compiled these mappings.", remedy="Activate them again.")
            yield Mappings(file)
    except sqlite3.DatabaseError as error:
        raise Invalid("These are no compiled mappings.", remedy="Activate them again.") from error
