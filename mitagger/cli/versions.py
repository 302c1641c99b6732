"""What the commands on vocabularies, mappings and learned names have in common: waiting for what a server loads,
imports and compiles, and saying what came of it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Final, TypeAlias, TypeVar

import typer

from mitagger.cli.connection import Target, connected
from mitagger.cli.outcome import SOME_FAILED
from mitagger.cli.output import as_json, remarks, said, table
from mitagger.cli.waiting import ended
from mitagger.client import AsyncClient, Busy, Failed
from mitagger.client import models as m
from shared.errors import NotFound

LOADING_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 0.5
SHOWN: Final = 20

Version: TypeAlias = Annotated[
    str, typer.Option("--version", help="Which version; default: the newest that is imported.")
]
ThatVersion: TypeAlias = Annotated[str, typer.Option("--version", help="Which version.")]

V = TypeVar("V", m.VocabularyVersion, m.MappingVersion)
S = TypeVar("S", m.VocabularySet, m.MappingSet)


@asynccontextmanager
async def loaded(target: Target) -> AsyncIterator[AsyncClient]:
    """A client of a server whose vocabularies are there: one that starts compiles them first, once."""
    async with connected(target) as client:
        deadline = time.monotonic() + LOADING_SECONDS
        with remarks.status("loading the vocabularies"):
            while True:
                try:
                    async for _ in client.vocabularies():
                        break
                    break
                except Busy:
                    if time.monotonic() > deadline:
                        raise
                    await asyncio.sleep(LOOK_SECONDS)
        yield client


def brought(version: V, contents: str, *, use: str, in_use: str, json: bool) -> None:
    """Says what an import brought; exit code 1 when rows were skipped. `use`: the command that puts it into use;
    `in_use`: that it is."""
    if json:
        as_json(version)
    else:
        for row in version.skipped_rows[:SHOWN]:
            typer.echo(f"{row.file}, line {row.line}: {row.problem}", err=True)
        following = in_use if version.active else f"{use} {version.name} --version {version.version}"
        typer.echo(f"{version.name} {version.version}: {contents}. {following}")
    if version.skipped:
        raise typer.Exit(SOME_FAILED)


def shown(versions: Sequence[m.VocabularyVersion | m.MappingVersion], counts: Sequence[str], *, json: bool) -> None:
    """Lists them, with these of their fields that count something."""
    if json:
        as_json(versions)
    else:
        columns = ("name", "version", "state", "in use", *(field.replace("_", " ") for field in counts), "problem")
        rows = []
        for one in versions:
            state = (one.name, one.version, one.state, "yes" if one.active else "")
            rows.append((*state, *(getattr(one, field) for field in counts), one.problem))
        table(columns, rows)


def used(one: S, *, nothing: str, json: bool) -> None:
    """Says what is in use."""
    said(one, f"In use: {', '.join(one.members) or nothing} ({one.reason}).", json=json)


async def read(version: V, again: Callable[[str], Awaitable[V]]) -> V:
    """The version once it is imported. Raises Failed."""
    with remarks.status("reading") as status:
        version = await ended(
            version,
            lambda one: one.state in ("waiting", "running"),
            lambda: again(version.id),
            lambda one: status.update(f"reading: {one.rows:,} rows"),
        )
    if version.state == "failed":
        rows = "".join(f"\n{row.file}, line {row.line}: {row.problem}" for row in version.skipped_rows[:3])
        raise Failed(f"The import failed: {version.problem}{rows}")
    return version


async def compiled(one: S, again: Callable[[str], Awaitable[S]], *, otherwise: str) -> S:
    """The set once it is in use. Raises Failed with `otherwise`."""
    with remarks.status("compiling; what was in use stays so until it is done"):
        one = await ended(one, lambda now: now.state in ("waiting", "running"), lambda: again(one.id))
    if one.state == "failed":
        raise Failed(f"{otherwise}: {one.problem}")
    return one


async def meant(versions: AsyncIterator[V], name: str, version: str, *, listing: str) -> V:
    """The imported version of that name that is meant; the newest where none is named. Raises NotFound; `listing`: the
    command that shows which there are."""
    async for one in versions:
        if one.state == "ready" and version in ("", one.version):
            return one
    raise NotFound(f"No version {version} of {name} is imported.", remedy=f"See: {listing} {name}")
