"""`mitagger backup` and `mitagger restore`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitagger.cli.connection import Data, Json, settings_of
from mitagger.cli.outcome import perform
from mitagger.cli.output import as_json, remarks

if TYPE_CHECKING:
    from mitagger.backup import Manifest

REPUBLISH = "mitagger events republish image.uploaded tag.accepted tag.withdrawn review.done"


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to: an empty folder, or a backup to renew.")],
    data: Data = None,
    json: Json = False,
) -> None:
    """Copy everything that is kept (documents, files, erasures) while the services go on.

    Renewing a backup copies only new files. The signing key is not in it.

    Example: mitagger backup /backups/mitagger
    """
    from mitagger.backup import back_up  # noqa: PLC0415 - heavy, and needed only here

    with _progress() as told:
        made = perform(back_up(settings_of(data), folder, told))
    _say(made, json=json, done="backed up")


def restore(
    folder: Annotated[Path, typer.Argument(help="The backup.")],
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the store that is there.")] = False,
    erasures: Annotated[
        Path | None, typer.Option("--erasures", help="Ledger of erasures, newer than the backup's own.")
    ] = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Bring a backup back; what was erased since it was made is erased again before anybody is served.

    The backup is checked before anything is touched. A restore that was interrupted is run again.

    Example: mitagger restore /backups/mitagger --data ./data
    """
    from mitagger.backup import restore as bring_back  # noqa: PLC0415

    with _progress() as told:
        made = perform(bring_back(settings_of(data), folder, told, replace=replace, erasures=erasures))
    _say(made, json=json, done="restored")
    if made.engine == "distributed":
        typer.echo(f"Start the services, the gateway last, then: {REPUBLISH}", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int], None]]:
    with remarks.status("looking") as status:
        yield lambda what, count: status.update(f"{what} {count:,}" if count else what)


def _say(made: "Manifest", *, json: bool, done: str) -> None:
    if json:
        as_json(made)
        return
    documents = f"{sum(made.documents.values()):,} documents" if made.documents else "The store"
    size = made.blob_bytes / 2**20
    typer.echo(f"{documents} and {made.blobs:,} files ({size:,.1f} MiB) of {made.made_at[:16]} UTC {done}.")
