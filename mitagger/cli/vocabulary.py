"""`mitagger vocabulary`: the vocabularies in use, and those that a site brings."""

import asyncio
import tempfile
import zipfile
from collections.abc import Awaitable, Sequence
from json import loads as parse
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from mitagger.cli.asking import asked, listed
from mitagger.cli.connection import Data, Json, Key, Server, Target
from mitagger.cli.outcome import REFUSED, failed
from mitagger.cli.output import as_json, remarks, table
from mitagger.cli.remap import remap
from mitagger.cli.versions import ThatVersion, Version, brought, compiled, loaded, meant, read, shown, used
from mitagger.client import AsyncClient
from mitagger.client import models as m
from shared.errors import Invalid, NotFound
from shared.vocabulary.axes import AXES

SHOWN: Final = 20
BEGIN: Final = "Begin with: mitagger vocabulary axes show"
TAGS_AT_ONCE: Final = 50  # that one search takes
TAGS_LOOKED_UP: Final = 1_000

app = typer.Typer(no_args_is_help=True, help="The vocabularies in use, and those that a site brings.")

axes = typer.Typer(no_args_is_help=True, help="Which concepts belong to which axis.")
app.add_typer(axes, name="axes")
app.command()(remap)

TableFile = Annotated[Path, typer.Argument(metavar="FILE", help="An axis table as JSON.")]
AxisOption = Annotated[str, typer.Option("--axis", help=f"One of {', '.join(AXES)}.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="As SNOMEDCT.")]


@app.command("list")
def list_(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """List the ontologies in use, with their versions.

    Example: mitagger vocabulary list
    """
    found = asked(Target(server, key, data), lambda client: listed(client.vocabularies()), connect=loaded)
    if json:
        as_json({one.ontology: one.version for one in found})
    else:
        table(("ontology", "version"), ((one.ontology, one.version) for one in found))


@app.command()
def lookup(
    words: Annotated[str, typer.Argument(help="The beginning of a concept's name.")],
    *,
    axis: AxisOption = "",
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many.")] = 20,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Find concepts by the beginnings of the words of their names. Exit code 4 when there is none.

    Example: mitagger vocabulary lookup hippoc --axis anatomy
    """
    _known(axis)

    found = asked(
        Target(server, key, data), lambda client: client.concepts(words, axis=axis, limit=limit), connect=loaded
    )
    fields = ("curie", "label", "ontology", "axis", "name", "scope")
    rows = [(one.curie, one.label, one.ontology, one.axis or "", one.name, one.scope) for one in found]
    if json:
        as_json({"items": [dict(zip(fields, row, strict=True)) for row in rows]})
    elif rows:
        table(fields, rows)
    if not rows:
        typer.echo(f"mitagger: no concept is named like {words!r}. Try the beginning of another word.", err=True)
        raise typer.Exit(REFUSED)


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="SNOMED CT RF2 or RxNorm RRF (zip or folder), NCIt flat file, OBO, FHIR, CSV, TSV.")
    ],
    *,
    name: Annotated[str, typer.Option("--name", help="What it is called here, as SNOMEDCT.")],
    version: Annotated[str, typer.Option("--version", help="Default: what the file says, else its hash.")] = "",
    axis: AxisOption = "",
    activate: Annotated[bool, typer.Option("--activate", help="Use it as soon as it is imported.")] = False,
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Import a vocabulary. What is in use stays in use until the new one is activated. Exit code 1 when rows were
    skipped.

    Example: mitagger vocabulary import SnomedCT_International.zip --name SNOMEDCT
    """
    _known(axis)

    async def bring(client: AsyncClient) -> m.VocabularyVersion:
        with remarks.status(f"sending {file.name}"), tempfile.TemporaryDirectory() as folder:
            sent = await asyncio.to_thread(_packed, file, Path(folder))
            found = await client.import_vocabulary(sent, name, version=version, axis=axis)
        found = await read(found, client.vocabulary_version)
        if activate:
            await _compiled(client, client.activate_vocabularies([found.id]))
        return await client.vocabulary_version(found.id)

    found = asked(Target(server, key, data, begins=True), bring, connect=loaded)
    brought(
        found,
        f"{found.concepts:,} concepts, {found.names:,} names, {found.skipped:,} rows skipped",
        use="Use it: mitagger vocabulary activate",
        in_use="It is in use.",
        json=json,
    )


@app.command()
def versions(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Default: all.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """List the versions that were imported, the newest first.

    Example: mitagger vocabulary versions SNOMEDCT
    """
    found = asked(Target(server, key, data), lambda client: listed(client.vocabulary_versions(name)))
    shown(found, ("concepts", "names", "skipped"), json=json)


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
    """Use an imported version in place of what has its name. Figures get new recommendations by themselves.

    Example: mitagger vocabulary activate SNOMEDCT --version 20260101
    """

    async def ask(client: AsyncClient) -> m.VocabularySet:
        found = await _version(client, name, version)
        return await _compiled(client, client.activate_vocabularies([found.id]))

    _say(asked(Target(server, key, data), ask, connect=loaded), json)


@app.command()
def deactivate(name: NameArgument, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Do without an imported vocabulary; one of that name that ships with MITagger takes its place again.

    Example: mitagger vocabulary deactivate MAXO
    """
    _say(
        asked(
            Target(server, key, data),
            lambda client: _compiled(client, client.deactivate_vocabulary(name)),
            connect=loaded,
        ),
        json,
    )


@app.command()
def rollback(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Go back to the vocabularies and axes that were in use before the last change.

    Example: mitagger vocabulary rollback
    """
    _say(asked(Target(server, key, data), lambda client: client.roll_back_vocabularies(), connect=loaded), json)


@app.command()
def diff(
    name: NameArgument,
    *,
    version: Version = "",
    against: Annotated[str, typer.Option("--against", help="Another version; default: what is in use.")] = "",
    server: Server = "",
    key: Key = "",
    data: Data = None,
    json: Json = False,
) -> None:
    """Show which concepts a version adds, removes and renames, and how many figures have tags of them.

    Example: mitagger vocabulary diff SNOMEDCT --version 20260101
    """

    async def ask(client: AsyncClient) -> tuple[m.VocabularyDifference, int]:
        new = await _version(client, name, version)
        old = (await _version(client, name, against)).id if against else ""
        with remarks.status("comparing"):
            found = await client.vocabulary_difference(new.id, against=old)
        touched = [*found.removed_concepts, *(one.curie for one in found.renamed_concepts)]
        return found, await _tagged(client, touched[:TAGS_LOOKED_UP])

    found, figures = asked(Target(server, key, data), ask, connect=loaded)
    if json:
        as_json({**found.model_dump(mode="json"), "figures_with_tags": figures})
        return
    rows = [("added", one, "", label) for one, label in list(found.added_concepts.items())[:SHOWN]]
    rows += [("removed", one, label, "") for one, label in list(found.removed_concepts.items())[:SHOWN]]
    rows += [("renamed", one.curie, one.before, one.after) for one in found.renamed_concepts[:SHOWN]]
    table(("", "concept", "before", "after"), rows)
    typer.echo(
        f"{found.added:,} added, {found.removed:,} removed, {found.renamed:,} renamed;"
        f" {figures:,} figures have tags of removed or renamed ones."
    )


@app.command()
def delete(
    name: NameArgument,
    version: ThatVersion,
    server: Server = "",
    key: Key = "",
    data: Data = None,
) -> None:
    """Delete an imported version that is not in use.

    Example: mitagger vocabulary delete SNOMEDCT --version 20250101
    """

    async def ask(client: AsyncClient) -> None:
        await client.delete_vocabulary_version((await _version(client, name, version)).id)

    asked(Target(server, key, data), ask)
    typer.echo(f"{name} {version} is deleted.")


@axes.command("show")
def show_axes(server: Server = "", key: Key = "", data: Data = None) -> None:
    """Write the axis table, as the JSON that preview and apply read.

    Example: mitagger vocabulary axes show
    """
    as_json(asked(Target(server, key, data), lambda client: client.axis_table()))


@axes.command("preview")
def preview_axes(file: TableFile, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Show which concepts another axis table would move, and how many would be on each axis.

    Example: mitagger vocabulary axes preview axes.json
    """
    wanted = _table(file)

    async def ask(client: AsyncClient) -> m.AxisPreview:
        with remarks.status("comparing"):
            return await client.preview_axis_table(wanted)

    found = asked(Target(server, key, data), ask, connect=loaded)
    if json:
        as_json(found)
        return
    table(
        ("vocabulary", "from", "to", "concepts", "for example"),
        (
            (one.vocabulary, one.before or "-", one.after or "-", one.concepts, _few(one.examples))
            for one in found.moves
        ),
    )
    table(("axis", "now", "then"), ((axis, now, then) for axis, (now, then) in found.axes.items()))


def _few(examples: dict[str, str]) -> str:
    return "; ".join(list(examples.values())[:5])


@axes.command("apply")
def apply_axes(file: TableFile, server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Use another axis table. Figures get new recommendations by themselves.

    Example: mitagger vocabulary axes apply axes.json
    """
    wanted = _table(file)
    _say(
        asked(
            Target(server, key, data),
            lambda client: _compiled(client, client.apply_axis_table(wanted)),
            connect=loaded,
        ),
        json,
    )


@axes.command("rollback")
def roll_back_axes(server: Server = "", key: Key = "", data: Data = None, json: Json = False) -> None:
    """Go back to the axis table before this one; the vocabularies stay as they are.

    Example: mitagger vocabulary axes rollback
    """
    _say(
        asked(
            Target(server, key, data),
            lambda client: _compiled(client, client.roll_back_axis_table()),
            connect=loaded,
        ),
        json,
    )


def _table(file: Path) -> dict[str, Any]:
    try:
        found = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise failed(NotFound(f"{file} cannot be read: {error.strerror}.")) from error
    except ValueError as error:
        raise failed(Invalid(f"{file} is no JSON: {error}.", remedy=BEGIN)) from error
    if not isinstance(found, dict):
        raise failed(Invalid(f"{file} is no axis table.", remedy=BEGIN))
    return found


def _known(axis: str) -> None:
    if axis and axis not in AXES:
        raise typer.BadParameter(f"Use one of {', '.join(AXES)}.", param_hint="--axis")


def _say(one: m.VocabularySet, json: bool) -> None:
    used(one, nothing="no imported vocabulary", json=json)


async def _compiled(client: AsyncClient, change: Awaitable[m.VocabularySet]) -> m.VocabularySet:
    return await compiled(await change, client.vocabulary_set, otherwise="It did not come into use")


async def _version(client: AsyncClient, name: str, version: str) -> m.VocabularyVersion:
    return await meant(client.vocabulary_versions(name), name, version, listing="mitagger vocabulary versions")


async def _tagged(client: AsyncClient, curies: Sequence[str]) -> int:
    """How many figures have a tag of these concepts; one with several may count more than once."""
    found = 0
    for start in range(0, len(curies), TAGS_AT_ONCE):
        found += (await client.search(tag=list(curies[start : start + TAGS_AT_ONCE]), limit=1)).total
    return found


def _packed(source: Path, folder: Path) -> Path:
    """A folder as a zip of what may be read of it. Raises NotFound, Invalid."""
    if not source.exists():
        raise NotFound(f"{source} does not exist.", remedy="Check the path.")
    if not source.is_dir():
        return source
    files = [path for path in sorted(source.rglob("*")) if path.suffix.lower() in (".txt", ".rrf") and path.is_file()]
    # Only the snapshot of a SNOMED CT release is read: a fifth of it.
    files = [path for path in files if "Snapshot" in path.name] or files
    if not files:
        raise Invalid(f"{source} holds no release files (.txt, .RRF).", remedy="Give the file itself.")
    packed = folder / f"{source.resolve().name}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for path in files:
            out.write(path, path.relative_to(source))
    return packed
