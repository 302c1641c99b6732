"""The command `mitagger`, put together: each command in a module of its own."""

import typer

from mitagger.cli import (
    audit,
    dead_letters,
    events,
    files,
    indexes,
    keys,
    learned,
    people,
    quarantine,
    topics,
    vocabulary,
)
from mitagger.cli.annotate import annotate
from mitagger.cli.backup import backup, restore
from mitagger.cli.demo import demo
from mitagger.cli.doctor import doctor
from mitagger.cli.export import export
from mitagger.cli.import_ import import_
from mitagger.cli.outcome import CODES
from mitagger.cli.search import search
from mitagger.cli.serve import serve
from mitagger.cli.status import status

app = typer.Typer(
    name="mitagger",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # they would show legends and keys
    rich_markup_mode=None,
    help=f"Figures in, reviewed tags out.\n\n{CODES}",
)
app.command()(serve)
app.command()(demo)
app.command("import")(import_)
app.command()(annotate)
app.command()(search)
app.command()(export)
app.command()(status)
app.command()(doctor)
app.command()(backup)
app.command()(restore)
app.add_typer(people.app, name="people")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(vocabulary.app, name="vocabulary")
app.add_typer(events.app, name="events")
app.add_typer(files.app, name="files")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(learned.app, name="learned")
app.add_typer(topics.app, name="topics")
app.add_typer(indexes.app, name="indexes")
