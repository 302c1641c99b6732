"""The work of worker processes on vocabularies: reading what was sent, compiling, comparing. Pure, but for files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import MitaggerError, Unavailable
from shared.vocabulary import defaults, package
from shared.vocabulary.defaults import Origin
from shared.vocabulary.formats.content import Reader, Skipped
from shared.vocabulary.formats.reading import Format, read
from shared.vocabulary.source import check

EXAMPLES: Final = 100


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read. `failed`: why nothing was made of it, else null."""

    format: Format | None
    release: str
    places_itself: bool
    concepts: int
    names: int
    rows: int
    skipped: int
    skipped_rows: tuple[Skipped, ...]
    failed: MitaggerError | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Concepts that two versions of a vocabulary do not share, or name otherwise: all identifiers, with preferred names
    (before, after)."""

    added: dict[str, str]
    removed: dict[str, str]
    renamed: dict[str, tuple[str, str]]


def import_file(path: Path, file: str, vocabulary: str, into: Path, progress: Path) -> Imported:
    """Makes the package `into` of a vocabulary that is named `file`; `progress` holds the rows read so far, in decimal.

    Failures of the input are in the answer, with the rows that were skipped before.
    """
    reader = Reader(told=lambda rows: _tell(progress, rows))
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
    return Imported(
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


def labels(origin: Origin) -> dict[str, str]:
    """The preferred name of each concept."""
    found: dict[str, str] = {}
    for name in origin.read().names:
        if name.scope == "LABEL" or name.id not in found:
            found[name.id] = name.name
    return found


def _tell(progress: Path, rows: int) -> None:
    part = progress.with_suffix(".part")
    part.write_text(str(rows), encoding="ascii")
    part.replace(progress)
