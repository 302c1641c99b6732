"""The work of worker processes on vocabularies: reading what was sent, compiling, comparing. Pure, but for files."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from shared.errors import MitaggerError, Unavailable
from shared.events.recommendation import Axis
from shared.vocabulary import defaults, package
from shared.vocabulary.axes import AxisTable
from shared.vocabulary.defaults import Origin
from shared.vocabulary.formats.content import Reader, Skipped
from shared.vocabulary.formats.reading import Format, read
from shared.vocabulary.source import Name, check

EXAMPLES: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was read, in the words of the version's document. `failed`: why nothing was made of it, else null."""

    release: str
    rows: int
    skipped: int = 0
    skipped_rows: tuple[Skipped, ...] = ()
    failed: MitaggerError | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedVocabulary(Imported):
    """See `model.VocabularyVersion`."""

    format: Format | None
    places_itself: bool
    concepts: int
    names: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Concepts that two versions of a vocabulary do not share, or name otherwise: all identifiers, with preferred names
    (before, after)."""

    added: dict[str, str]
    removed: dict[str, str]
    renamed: dict[str, tuple[str, str]]


def import_file(path: Path, file: str, vocabulary: str, into: Path, progress: Path) -> ImportedVocabulary:
    """Makes the package `into` of a vocabulary that is named `file`; `progress` holds the rows read so far, in decimal.

    Failures of the input are in the answer, with the rows that were skipped before.
    """
    reader = Reader(told=lambda rows: tell(progress, rows))
    format: Format | None = None
    release, places_itself, concepts, names = "", False, 0, 0
    failed: MitaggerError | None = None
    try:
        format, content = read(path, vocabulary=vocabulary, reader=reader, name=file)
        package.write(content, into)
        release, places_itself, names = content.version[:100], bool(content.axes), len(content.names)
        concepts = len({identifier for identifier, _, _ in content.names})
        del content
        check(Origin(vocabulary, into, "", "", imported=True).read())
    except MitaggerError as error:
        failed = error
    return ImportedVocabulary(
        format=format,
        release=release,
        places_itself=places_itself,
        concepts=concepts,
        names=names,
        rows=reader.rows,
        skipped=reader.skipped,
        skipped_rows=tuple(reader.problems),
        failed=failed,
    )


def compile_into(origins: Iterable[Origin], path: Path) -> None:
    """Compiles vocabularies into an artefact of the cache. Raises Invalid, TooLarge, Unavailable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        defaults.compile_into(list(origins), path)
    except OSError as error:
        raise Unavailable("the cache folder", f"{path.parent} cannot be written to: {error.strerror}.") from error


def difference(before: Origin | None, after: Origin) -> Difference:
    """What changes when the one takes the place of the other."""
    old, new = labels(before) if before else {}, labels(after)
    return Difference(
        added={one: name for one, name in new.items() if one not in old},
        removed={one: name for one, name in old.items() if one not in new},
        renamed={one: (old[one], name) for one, name in new.items() if one in old and old[one] != name},
    )


@dataclass(frozen=True, slots=True)
class Move:
    """Concepts of a vocabulary that change their axis (null: none), how many, and the first with their names."""

    vocabulary: str
    before: Axis | None
    after: Axis | None
    concepts: int
    examples: dict[str, str]


def moves(origins: Iterable[Origin], table: AxisTable) -> list[Move]:
    """What another axis table changes."""
    found: list[Move] = []
    for origin in origins:
        moved = replace(origin, table=table)
        if moved.part == origin.part:
            continue
        before, after = origin.read(), moved.read()
        was, will = before.placing(), after.placing()
        changed: dict[tuple[Axis | None, Axis | None], dict[str, str]] = {}
        own = {name.id: name.axis for name in before.names if name.axis}
        for identifier, label in _labels(before.names).items():
            move = was(identifier, own.get(identifier)), will(identifier, own.get(identifier))
            if move[0] != move[1]:
                changed.setdefault(move, {})[identifier] = label
        found += [
            Move(origin.name, *move, len(concepts), dict(list(concepts.items())[:EXAMPLES]))
            for move, concepts in changed.items()
        ]
    return found


def labels(origin: Origin) -> dict[str, str]:
    """The preferred name of each concept."""
    return _labels(origin.read().names)


def _labels(names: Iterable[Name]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        if name.scope == "LABEL" or name.id not in found:
            found[name.id] = name.name
    return found


def tell(progress: Path, rows: int) -> None:
    """Writes how many rows were read so far."""
    part = progress.with_suffix(".part")
    part.write_text(str(rows), encoding="ascii")
    part.replace(progress)
