"""`mitagger annotate`: find concepts in legends, without a server."""

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import Console

from mitagger.annotate import Annotated as Record
from mitagger.annotate import annotate as annotated
from services.recommender.local import LocalAnnotator
from services.recommender.profiles import PROFILES, ProfileName
from shared.errors import Invalid, MitaggerError, NotFound
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.axes import AXES

_errors = Console(stderr=True, highlight=False)


def annotate(  # noqa: PLR0917 - typer's options
    file: Annotated[str, typer.Argument(help="JSON lines (id, text) or a legend a line; - is standard input.")] = "-",
    axis: Annotated[list[str] | None, typer.Option(help=f"Only this axis: {', '.join(AXES)}. May be repeated.")] = None,
    ontology: Annotated[list[str] | None, typer.Option(help="Only this ontology, as CL. May be repeated.")] = None,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Add a vocabulary for this run: a TSV with id, name, scope."),
    ] = None,
    profile: Annotated[
        ProfileName,
        typer.Option(help="tagging leaves out what is too general for a figure; corpus annotates as CRAFT does."),
    ] = "tagging",
    only: Annotated[bool, typer.Option("--only", help="Load just the vocabularies given by --vocabulary.")] = False,
) -> None:
    """Write the concepts that legends mention, as JSON lines, in the order of the legends.

    Offsets are 0-based, half open, in Unicode code points. A line that cannot be read gives a record with "error"; the
    exit code then is 1.

    Example: echo "MRI of the hippocampus" | mitagger annotate --axis anatomy
    """
    failed = False
    try:
        vocabularies = defaults.load(
            Settings().cache / "vocabularies",
            added=_named(vocabulary or []),
            only=only,
            compiling=lambda: _errors.print("Compiling the vocabularies; this happens once."),
        )
        _known("axis", axis or [], AXES)
        _known("ontology", ontology or [], vocabularies.versions)
        with _opened(file) as stream:
            records = annotated(
                stream, LocalAnnotator(vocabularies, PROFILES[profile]), axes=axis or (), ontologies=ontology or ()
            )
            for record in _counted(records):
                failed = failed or "error" in record
                sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader (as `head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except MitaggerError as error:
        _errors.print(f"mitagger annotate: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if failed:
        raise typer.Exit(1)


def _named(given: Iterable[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not (equals and path and name.isidentifier()):
            raise Invalid(f"--vocabulary {one!r} is not NAME=FILE.", remedy="Write, say, --vocabulary CL=cells.tsv")
        if name in named:
            raise Invalid(f"--vocabulary gives {name} twice.", remedy="Give each vocabulary its own name.")
        named[name] = Path(path)
    return named


def _known(option: str, given: Iterable[str], known: Iterable[str]) -> None:
    for one in given:
        if one not in known:
            raise Invalid(f"--{option} {one!r} is not known.", remedy=f"Use one of {', '.join(known)}.")


def _opened(file: str) -> IO[bytes]:
    if file == "-":
        return sys.stdin.buffer
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}.") from error


def _counted(records: Iterable[Record]) -> Iterator[Record]:
    """Shows how many there were, from the first second on, where a person watches and the records go elsewhere."""
    watched = _errors.is_terminal and not sys.stdout.isatty()
    start = shown = time.monotonic()
    with _errors.status("Annotating") as status:
        if not watched:
            status.stop()
        for number, record in enumerate(records, start=1):
            yield record
            now = time.monotonic()
            if watched and now - shown > 1:
                status.update(f"{number:,} legends, {number / (now - start):,.0f} a second")
                shown = now
