"""The command `mitagger`, put together: each command in a module of its own."""

from typing import Annotated

import typer

from mitagger.cli import (
    audit,
    bioportal,
    dead_letters,
    events,
    files,
    gold,
    indexes,
    keys,
    learned,
    mapping,
    measures,
    people,
    project,
    quarantine,
    topics,
    vocabulary,
)
from mitagger.cli.annotate import annotate
from mitagger.cli.backup import backup, restore
from mitagger.cli.connection import PROJECT
from mitagger.cli.demo import demo
from mitagger.cli.doctor import doctor
from mitagger.cli.erase import erase
from mitagger.cli.export import export
from mitagger.cli.import_ import import_
from mitagger.cli.outcome import CODES
from mitagger.cli.search import search
from mitagger.cli.serve import serve
from mitagger.cli.status import status
from mitagger.cli.usage import Plain

app = typer.Typer(
    name="mitagger",
    cls=Plain,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show legends and keys
    rich_markup_mode=None,
    help=f"Figures in, reviewed tags out.\n\n{CODES}",
)


@app.callback()
def main(
    project: Annotated[
        str,
        typer.Option(envvar="MITAGGER_PROJECT", help="Id of the project to work in; default: the default project."),
    ] = "",
) -> None:
    """Commands read it by `connection.connected`."""
    PROJECT.set(project)


app.command()(serve)
app.command()(demo)
app.command("import")(import_)
app.command()(annotate)
app.command()(search)
app.command()(export)
app.command()(status)
app.command()(doctor)
app.command()(erase)
app.command()(backup)
app.command()(restore)
app.add_typer(people.app, name="people")
app.add_typer(project.app, name="project")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(vocabulary.app, name="vocabulary")
app.add_typer(mapping.app, name="mapping")
app.add_typer(events.app, name="events")
app.add_typer(files.app, name="files")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(learned.app, name="learned")
app.add_typer(bioportal.app, name="bioportal")
app.add_typer(measures.app, name="measures")
app.add_typer(gold.app, name="gold")
app.add_typer(topics.app, name="topics")
app.add_typer(indexes.app, name="indexes")
