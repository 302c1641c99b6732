"""`mitagger annotate`: find concepts in legends, without a server."""

import asyncio
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from mitagger.annotate import Narrowed, written
from mitagger.annotate import annotate as annotated
from mitagger.annotate_file import Files, Loading, Progress, annotate_file, opened
from mitagger.blocks import BROKEN, packing, unpacked
from services.recommender.local import LocalAnnotator
from services.recommender.profiles import PROFILES, ProfileName
from shared.errors import Invalid, MitaggerError
from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.axes import AXES

_errors = Console(stderr=True, highlight=False)


def annotate(  # noqa: PLR0917 - typer's options
    file: Annotated[
        str, typer.Argument(help="JSON lines (id, text) or a legend a line, also .gz or .zst; - is standard input.")
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option(help="Write to this file (also .gz or .zst), on all cores; called again, goes on where it ended."),
    ] = None,
    rejects: Annotated[
        Path | None, typer.Option(help="With --output: write lines that cannot be annotated to this file instead.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="With --output: so many processes; else one a core.")
    ] = None,
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
    try:
        if output is None and (rejects or workers):
            raise Invalid("--rejects and --workers are for --output FILE.", remedy="Add --output, or leave them out.")
        cache, added = Settings().cache / "vocabularies", _named(vocabulary or [])
        vocabularies = defaults.load(
            cache,
            added=added,
            only=only,
            compiling=lambda: _errors.print("Compiling the vocabularies; this happens once."),
        )
        _known("axis", axis or [], AXES)
        _known("ontology", ontology or [], vocabularies.versions)
        narrowed = Narrowed(tuple(axis or ()), tuple(ontology or ()))
        local = LocalAnnotator(vocabularies, PROFILES[profile])
        if output is None:
            failed = _to_standard_output(file, local, narrowed)
        else:
            files = Files(None if file == "-" else Path(file), output, rejects)
            made_by = f"{local.version} {narrowed} {rejects}"
            del vocabularies, local  # workers have their own
            loading = Loading(cache, tuple(added.items()), only, profile)
            failed = _to_file(files, loading, narrowed, made_by=made_by, workers=workers or os.cpu_count() or 1)
    except BrokenPipeError:
        # The reader (as `head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    except MitaggerError as error:
        _errors.print(f"mitagger annotate: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
    if failed:
        raise typer.Exit(1)


def _to_standard_output(file: str, annotator: LocalAnnotator, narrowed: Narrowed) -> bool:
    """Whether a line failed."""
    failed = False
    with opened(None if file == "-" else Path(file)) as raw:
        how = packing(Path(file))
        try:
            for record in annotated(unpacked(raw, how), annotator, narrowed):
                failed = failed or "error" in record
                sys.stdout.buffer.write(written(record))
                sys.stdout.buffer.flush()  # who reads may wait for it
        except BROKEN as error:
            raise Invalid(f"{file} is damaged: {error}.", remedy="Fetch it again.") from error
    return failed


def _to_file(files: Files, loading: Loading, narrowed: Narrowed, *, made_by: str, workers: int) -> bool:
    """Whether a line failed. Shows how far it is where a person watches, and in the end how long it took."""
    begin, before = time.monotonic(), None
    with _errors.status("Annotating") as status:
        if not _errors.is_terminal:
            status.stop()

        def show(progress: Progress, share: float | None) -> None:
            nonlocal before
            before = before or (progress.legends, share or 0.0, time.monotonic())
            status.update(_how_far(progress, share, before))

        done = asyncio.run(annotate_file(files, loading, narrowed, made_by=made_by, workers=workers, shown=show))
    took = time.monotonic() - begin
    _errors.print(
        f"{done.legends:,} legends are in {files.output}"
        + (f", {done.failed:,} of them failed: see {files.rejects or 'those with an error'}" if done.failed else "")
        + f" ({took:,.0f} s).",
        markup=False,
        soft_wrap=True,
    )
    return done.failed > 0


def _how_far(progress: Progress, share: float | None, before: tuple[int, float, float]) -> str:
    """ "12,345 legends, 5,600 a second, 12 %, 3 min left": by what happened since `before` (legends, share, time)."""
    legends, shared, then = before
    seconds = time.monotonic() - then
    said = f"{progress.legends:,} legends"
    if seconds >= 1:
        said += f", {(progress.legends - legends) / seconds:,.0f} a second"
    if share is not None:
        said += f", {share:.0%}"
        if share > shared and seconds >= 1:
            left = (1 - share) / (share - shared) * seconds
            said += f", {left / 60:,.0f} min left" if left >= 90 else f", {left:,.0f} s left"
    return said


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
