"""`mitagger status`."""

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import PROJECT, Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table


def status(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Show what runs, how many figures there are, and whether the consumers keep up.

    Example: mitagger status --json
    """
    found = asked(Target(server, key, data), lambda client: client.status())
    if json:
        as_json(found)
        return
    typer.echo(f"MITagger {found.version}: {'ready' if found.ready else 'not ready'}")
    for problem in found.problems:
        typer.echo(f"  {problem}")
    counts = ", ".join(f"{count} {name}" for name, count in found.figures.items()) or "not known"
    typer.echo(f"Figures of {PROJECT.get() or 'default'}: {counts}")
    if found.quarantine:
        typer.echo(f"Pictures in quarantine: {found.quarantine} (mitagger quarantine list)")
    typer.echo(f"Dead letters: {found.dead_letters}")
    table(
        ("group", "topic", "left to do", "last moved"),
        [
            (one.group, one.topic, one.behind, f"{one.moved_at:%Y-%m-%d %H:%M:%S}" if one.moved_at else "")
            for one in found.progress
        ],
    )
