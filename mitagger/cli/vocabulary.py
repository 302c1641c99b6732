"""`mitagger vocabulary`: the vocabularies in use. No server is needed."""

from typing import Annotated

import typer

from mitagger.cli.connection import Json, settings_of
from mitagger.cli.outcome import REFUSED, failed
from mitagger.cli.output import as_json, remarks, table
from services.recommender.loading import vocabularies
from shared.errors import MitaggerError
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.axes import AXES
from shared.vocabulary.lookup import complete

app = typer.Typer(no_args_is_help=True, help="The vocabularies in use. No server is needed.")


@app.command("list")
def list_(json: Json = False) -> None:
    """List the ontologies in use, with their versions.

    Example: mitagger vocabulary list
    """
    versions = _loaded().versions
    if json:
        as_json(dict(versions))
    else:
        table(("ontology", "version"), versions.items())


@app.command()
def lookup(
    words: Annotated[str, typer.Argument(help="The beginning of a concept's name.")],
    axis: Annotated[str | None, typer.Option(help=f"Only this axis: {', '.join(AXES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    json: Json = False,
) -> None:
    """Find concepts by the beginnings of the words of their names. Exit code 4 when there is none.

    Example: mitagger vocabulary lookup hippoc --axis anatomy
    """
    if axis is not None and axis not in AXES:
        raise typer.BadParameter(f"Use one of {', '.join(AXES)}.", param_hint="--axis")
    found = complete(_loaded(), words, axis=axis, limit=limit)
    fields = ("curie", "label", "ontology", "axis", "name", "scope")
    rows = [
        (one.concept.curie, one.concept.label, one.concept.ontology, one.concept.axis or "", one.name, one.scope)
        for one in found
    ]
    if json:
        as_json({"items": [dict(zip(fields, row, strict=True)) for row in rows]})
    elif rows:
        table(fields, rows)
    if not rows:
        typer.echo(f"mitagger: no concept is named like {words!r}. Try the beginning of another word.", err=True)
        raise typer.Exit(REFUSED)


def _loaded() -> Vocabularies:
    try:
        return vocabularies(settings_of(None), lambda: remarks.print("Compiling the vocabularies; this happens once."))
    except MitaggerError as error:
        raise failed(error) from error
