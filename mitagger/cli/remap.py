"""`mitagger vocabulary remap`."""

import csv
from pathlib import Path
from typing import Annotated, Final

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, remarks, table
from mitagger.client import AsyncClient
from mitagger.client import models as m
from shared.cells import guarded
from shared.errors import Invalid

MOST: Final = 5_000
SHOWN: Final = 20
COLUMNS: Final = (
    *("curie", "label", "tags", "figures", "outcome"),
    *("mapped_curie", "mapped_iri", "mapped_label", "predicate", "confidence", "via", "source"),
)


def remap(
    *,
    source: Annotated[str, typer.Option("--from", help="The vocabulary of the tags, as MONDO.")],
    target: Annotated[str, typer.Option("--to", help="Another vocabulary, as SNOMEDCT.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="All of it, as TSV; a row a target of a concept.")
    ] = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show what the final tags of one vocabulary would be in another, by the mappings in use. Nothing is changed.

    Example: mitagger vocabulary remap --from MONDO --to SNOMEDCT
    """

    async def ask(client: AsyncClient) -> m.Remap:
        with remarks.status("looking through the tags in use"):
            found = await client.remap(source, target, limit=MOST if output or json else SHOWN)
        if output is not None:
            _write(found, output)
        return found

    found = asked(Target(server, key, data), ask)
    if json:
        as_json(found)
        return
    if output is None and found.changes:
        table(
            ("concept", "label", "tags", "", "would be"),
            ((one.curie, one.label, one.tags, one.outcome, _said(one)) for one in found.changes),
        )
    table(
        ("outcome", "concepts", "tags", "figures"),
        ((name, one.concepts, one.tags, one.figures) for name, one in found.outcomes.items()),
    )
    more = found.concepts - len(found.changes)
    typer.echo(
        f"{found.tags:,} final tags of {source}, {found.concepts:,} concepts, {found.figures:,} figures."
        + (f" {more:,} concepts with fewer tags are not listed{'' if output else '; see --output'}." if more else "")
    )


def _said(one: m.RemapChange) -> str:
    return "; ".join(f"{target.curie} {target.label}".strip() for target in one.targets[:3])


def _write(found: m.Remap, output: Path) -> None:
    """Raises Invalid where the file cannot be written."""
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, delimiter="\t", lineterminator="\n")
            rows.writerow(COLUMNS)
            for one in found.changes:
                about = (one.curie, guarded(one.label), one.tags, one.figures, one.outcome)
                for to in one.targets:
                    confidence = "" if to.confidence is None else to.confidence
                    rows.writerow(
                        (*about, to.curie, to.iri or "", guarded(to.label), to.predicate, confidence, to.via, to.source)
                    )
                if not one.targets:
                    rows.writerow((*about, *[""] * (len(COLUMNS) - len(about))))
    except OSError as error:
        raise Invalid(f"{output} cannot be written: {error.strerror}.", remedy="Choose another place.") from error
