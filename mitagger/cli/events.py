"""`mitagger events`."""

from typing import Annotated

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Json, Key, Server, Target, connected
from mitagger.cli.outcome import perform
from mitagger.cli.output import as_json, as_line, remarks
from mitagger.client import AsyncClient

app = typer.Typer(no_args_is_help=True, help="Events that services publish.")

Topics = Annotated[list[str] | None, typer.Option("--topic", help="As image.uploaded. May be repeated; default: all.")]


@app.command()
def tail(
    *,
    topic: Topics = None,
    after: Annotated[str, typer.Option(help="Begin after this cursor; 0: with the oldest event kept.")] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many events.")] = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Follow events as they happen, one JSON document a line (CloudEvents), until Ctrl+C.

    Example: mitagger events tail --topic review.done
    """
    perform(_tail(Target(server, key, data), topic or [], after, limit))


async def _tail(target: Target, topics: list[str], after: str, limit: int | None) -> None:
    shown = 0
    async with connected(target) as client:
        cursor = after
        if after == "0":
            cursor = ""
            while (page := await client.events(after=cursor, topics=topics)).items:
                cursor = page.next
                for event in page.items:
                    as_line(event)
                    shown += 1
                    if shown == limit:
                        return
            cursor = page.next
        while True:  # the server ends a stream after some minutes
            async for position, event in client.follow_events(after=cursor, topics=topics):
                cursor = position
                as_line(event)
                shown += 1
                if shown == limit:
                    return


@app.command()
def republish(
    topic: Annotated[list[str], typer.Argument(help="Topics, as image.uploaded.")],
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Let the owners publish their current state again, so that read models can be rebuilt.

    Example: mitagger events republish image.uploaded review.done
    """

    async def ask(client: AsyncClient) -> int:
        with remarks.status("republishing"):
            return await client.republish(topic)

    sent = asked(Target(server, key, data), ask)
    if json:
        as_json({"republished": sent})
    else:
        typer.echo(f"{sent} events published again.")
