"""`mitagger audit`."""

import csv
import io
from datetime import datetime
from enum import StrEnum
from typing import Annotated, TypeAlias

import typer

from mitagger.cli.asking import asked
from mitagger.cli.connection import Data, Key, Server, Target
from mitagger.cli.output import as_line
from mitagger.client import AsyncClient
from mitagger.client import models as m

app = typer.Typer(no_args_is_help=True, help="What administrators did.")

Time: TypeAlias = Annotated[datetime | None, typer.Option(help="In UTC.")]
COLUMNS = ("at", "actor", "actor_name", "action", "target", "target_name", "project", "outcome", "detail", "id")


class Format(StrEnum):
    """How it is written."""

    csv = "csv"
    jsonl = "jsonl"


@app.callback()
def _group() -> None:
    """What administrators did."""


@app.command()
def export(
    *,
    format: Annotated[Format, typer.Option(help="csv or jsonl.")] = Format.csv,
    since: Time = None,
    until: Time = None,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Write the record of administration to standard output, newest first.

    Example: mitagger audit export --since 2026-11-01 --format csv
    """

    async def ask(client: AsyncClient) -> None:
        if format is Format.csv:
            typer.echo(_row(COLUMNS))
        async for entry in client.audit(since=_iso(since), until=_iso(until)):
            if format is Format.csv:
                typer.echo(_row(_cells(entry)))
            else:
                as_line(entry)

    asked(Target(server, key, data), ask)


def _cells(entry: m.AuditEntry) -> list[str]:
    detail = "; ".join(f"{name}={value}" for name, value in sorted(entry.detail.items()))
    whom = (entry.target, entry.target_name, entry.project)
    texts = (entry.actor, entry.actor_name, entry.action, *whom, entry.outcome, detail)
    return [entry.at.isoformat(), *map(_harmless, texts), entry.id]


def _harmless(text: str) -> str:
    """A spreadsheet takes what begins like this for a formula (OWASP, "CSV Injection")."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _row(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def _iso(time: datetime | None) -> str:
    return "" if time is None else f"{time.isoformat()}Z"
