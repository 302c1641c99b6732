"""What commands write: tables for people, JSON for programs."""

from collections.abc import Iterable, Sequence
from json import dumps
from typing import Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Progress and remarks go to standard error, so that standard output can be piped.
remarks = Console(stderr=True, highlight=False)


def as_json(value: BaseModel | Sequence[BaseModel] | dict[str, Any]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, BaseModel):
        typer.echo(value.model_dump_json(indent=2))
    elif isinstance(value, dict):
        typer.echo(dumps(value, indent=2, ensure_ascii=False))
    else:
        dumped = [item.model_dump(mode="json") for item in value]
        typer.echo(dumps(dumped, indent=2, ensure_ascii=False))


def said(value: BaseModel, text: str, *, json: bool) -> None:
    """What became of something, in a line, or as JSON."""
    if json:
        as_json(value)
    else:
        typer.echo(text)


def as_line(value: BaseModel) -> None:
    """One JSON document a line, as it comes."""
    typer.echo(value.model_dump_json())


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table on standard output. Values are text: nothing of them is read as markup."""
    shown = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        shown.add_row(*(Text(str(value), overflow="fold") for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 1_000  # a pipe has no width to wrap at
    console.print(shown)
