"""The work of worker processes on mappings: reading what was sent, compiling. Pure, but for files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.recommender.importing import Imported, tell
from shared.errors import Invalid, MitaggerError
from shared.vocabulary import mappings, package, pairs
from shared.vocabulary.formats import mapped
from shared.vocabulary.formats.content import Reader
from shared.vocabulary.formats.mapped import MappingFormat
from shared.vocabulary.pairs import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedMappings(Imported):
    """See `model.MappingVersion`."""

    format: MappingFormat | None
    mappings: int
    left_out: int


def import_file(path: Path, file: str, least: float, into: Path, progress: Path) -> ImportedMappings:
    """Makes the package `into` of mappings in a file that is named `file`; `progress` holds the rows read so far, in
    decimal. Failures of the input are in the answer, with the rows that were skipped before."""
    reader = Reader(told=lambda rows: tell(progress, rows))
    read = Pairs(least=least)
    format: MappingFormat | None = None
    failed: MitaggerError | None = None
    try:
        format = mapped.read(path, name=file, reader=reader, pairs=read)
        pairs.write(read, into)
    except MitaggerError as error:
        failed = error
    return ImportedMappings(
        format=format,
        release=read.version[:100],
        mappings=len(set(read.pairs)),
        left_out=read.left_out,
        rows=reader.rows,
        skipped=reader.skipped,
        skipped_rows=tuple(reader.problems),
        failed=failed,
    )


def import_vocabulary(path: Path, release: str, into: Path) -> ImportedMappings:
    """Makes the package `into` of what an imported vocabulary (its package: `path`) says of others."""
    read = Pairs()
    failed: MitaggerError | None = None
    rows = list(package.mappings(path))
    try:
        pairs.of_vocabulary(rows, package.iri_prefix(path), read)
        if not read.pairs:
            raise Invalid("This vocabulary names no concepts of others.", remedy="Import its OBO file, or SSSOM.")
        pairs.write(read, into)
    except MitaggerError as error:
        failed = error
    return ImportedMappings(
        format="vocabulary",
        release=release,
        mappings=len(set(read.pairs)),
        left_out=read.left_out,
        rows=len(rows),
        failed=failed,
    )


def compile_into(members: Sequence[mappings.Member], names: Path, into: Path) -> int:
    """Compiles mappings; returns between how many pairs of concepts. `names`: the compiled vocabularies in use."""
    return mappings.compile_mappings(members, names, into)
