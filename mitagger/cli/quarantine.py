"""`mitagger quarantine`."""

from pathlib import Path
from typing import Annotated

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="Pictures that wait until an administrator has looked at them.")

Id = Annotated[str, typer.Argument(help="The figure's, as `list` shows it.")]
Version = Annotated[
    int | None, typer.Option("--version", help="Only if the figure has this version still, as `show` showed it.")
]


@app.command("list")
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 200,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List pictures that wait, the oldest first, and why.

    Example: mitagger quarantine list
    """
    waiting = asked(Target(server, key, data), lambda client: listed(client.quarantine(), limit=limit))
    if json:
        as_json(waiting)
    elif waiting:
        table(
            ("figure", "why", "modality", "size", "since"),
            [
                (
                    one.id,
                    ", ".join(one.reasons).replace("_", " "),
                    one.technical.get("Modality", ""),
                    f"{one.width} x {one.height}",
                    f"{one.created_at:%Y-%m-%d %H:%M}",
                )
                for one in waiting
            ],
        )
    else:
        typer.echo("None.", err=True)


@app.command()
def show(
    id: Id,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Save the picture there (JPEG), to look at.")
    ] = None,
    *,
    page: Annotated[int, typer.Option(min=0, help="Which page of several, from 0.")] = 0,
    frame: Annotated[int, typer.Option(min=0, help="Which frame of several, from 0.")] = 0,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Show what is known of one, as JSON, and save its picture. A name may stand in one frame of many.

    Example: mitagger quarantine show 0199f0c2a1b4 -o look.jpg
    """

    async def ask(client: AsyncClient) -> m.Quarantined:
        found = await client.quarantined(id)
        if output is not None:
            with output.open("wb") as file:
                await client.render_quarantined(id, file, page=page, frame=frame)
        return found

    as_json(asked(Target(server, key, data), ask))


@app.command()
def confirm(
    ids: Annotated[list[str], typer.Argument(help="Of the figures, as `list` shows them.")],
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Let everybody see pictures as they are: you looked, and they name nobody.

    Example: mitagger quarantine confirm 0199f0c2a1b4
    """

    async def ask(client: AsyncClient) -> None:
        for id in ids:
            await client.confirm(id)

    asked(Target(server, key, data), ask)
    typer.echo(f"{len(ids)} confirmed.")


@app.command("black-out")
def black_out(
    id: Id,
    rectangles: Annotated[
        list[str], typer.Argument(help="LEFT,TOP,WIDTH,HEIGHT in pixels of the whole picture, upright.")
    ],
    *,
    version: Version = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Black out parts of a picture for good, on every page and frame, then let everybody see it.

    Example: mitagger quarantine black-out 0199f0c2a1b4 0,0,640,48
    """
    areas = [_rectangle(text) for text in rectangles]

    asked(Target(server, key, data), lambda client: client.black_out(id, areas, version=version))
    typer.echo(f"{len(areas)} parts are black, what was there is erased.")


@app.command()
def refuse(
    id: Id,
    *,
    reason: Annotated[m.Refusal, typer.Option(help="Why. (No free text: one would write the name there.)")],
    version: Version = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Erase a picture; the figure keeps its legend.

    Example: mitagger quarantine refuse 0199f0c2a1b4 --reason names_patient
    """
    asked(Target(server, key, data), lambda client: client.refuse(id, reason, version=version))
    typer.echo("The picture is erased.")


def _rectangle(text: str) -> m.Rectangle:
    try:
        left, top, width, height = (int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not LEFT,TOP,WIDTH,HEIGHT.", param_hint="rectangles") from None
    if left < 0 or top < 0 or width < 1 or height < 1:
        raise typer.BadParameter(f"{text!r} is no part of a picture.", param_hint="rectangles")
    return m.Rectangle(left=left, top=top, width=width, height=height)
