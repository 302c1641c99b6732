"""`mitagger search`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, table


def search(
    query: Annotated[str, typer.Argument(help="Words of legend, tags or DOI.")] = "",
    *,
    axis: Annotated[list[str] | None, typer.Option(help="With a tag on this axis. May be repeated.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="With this tag: CURIE or label. May be repeated.")] = None,
    doi: Annotated[list[str] | None, typer.Option(help="Of this article. May be repeated.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="new, provisional, returned or approved. May be repeated.")
    ] = None,
    offset: Annotated[int, typer.Option(min=0, help="Skip so many.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many.")] = 20,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Find figures, best match first.

    Example: mitagger search "mouse retina" --axis imaging
    """
    found = asked(
        Target(server, key, data),
        lambda client: client.search(
            query, axis=axis, tag=tag, doi=doi, status=status, offset=offset or None, limit=limit
        ),
    )
    if json:
        as_json(found)
        return
    rows = [
        (one.figure, one.label, one.doi or one.collection or "", one.status, "; ".join(tag.label for tag in one.tags))
        for one in found.items
    ]
    if rows:
        table(("figure", "label", "from", "status", "tags"), rows)
    typer.echo(f"{found.total} {'figure' if found.total == 1 else 'figures'} found, {len(rows)} shown.", err=True)
