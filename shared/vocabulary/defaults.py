"""The vocabularies of `data/`, and those that a site adds: compiled once into a cache folder, then only loaded.

wanted = origins(added={"SITE": Path("site.tsv")})
vocabularies = loaded(cache, wanted)
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from shared import errors
from shared.errors import Invalid, NotFound, Unavailable
from shared.events.recommendation import Axis
from shared.vocabulary import package
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.axes import AxisTable, default_table
from shared.vocabulary.compile import compile_sources, identity
from shared.vocabulary.source import Source, digest, read

DATA = Path(__file__).parent / "data"
KEPT = 8  # artefacts in the cache folder; each has some 30 MB
REFUSED = 3  # exit code of the compiling process for an error of ours


@dataclass(frozen=True)
class Origin:
    """Where a vocabulary is read from: a table of names, or what was imported (`package`). `digest` is of its files."""

    name: str
    path: Path
    version: str
    digest: str
    parents: Path | None = None
    axis: Axis | None = None
    iri_prefix: Mapping[str, str] = field(default_factory=dict)
    imported: bool = False
    places_itself: bool = False  # the axes in its file, if there are some, count in place of the table's rules for it
    table: AxisTable = field(default_factory=default_table)

    @property
    def part(self) -> tuple[str, str, str]:
        """What decides what is made of it: see `compile.identity`."""
        made_of = f"{self.digest} {self.table.digest(self.name)}"
        return self.name, self.version, hashlib.sha256(made_of.encode()).hexdigest()

    def read(self) -> Source:
        digest = self.part[2]
        if self.imported:
            return package.read(self.path, name=self.name, version=self.version, digest=digest, table=self.table)
        source = read(
            self.path,
            name=self.name,
            version=self.version,
            parents=self.parents,
            axis=self.axis,
            iri_prefix=self.iri_prefix,
            table=self.table,
        )
        if self.places_itself and any(name.axis for name in source.names):
            return replace(source, digest=digest, table=self.table.without(self.name))
        return replace(source, digest=digest)


_ORIGINS = TypeAdapter(list[Origin])


def load(
    cache: Path,
    *,
    added: Mapping[str, Path] | None = None,
    only: bool = False,
    compiling: Callable[[], None] | None = None,
) -> Vocabularies:
    """The default vocabularies and the `added` ones (name to file, see `source.read`), from the folder `cache`.

    An added name equal to a default one replaces it; `only` leaves the defaults out. What the folder lacks is compiled
    into it (seconds; `compiling` is called first), in a process of its own, so that this one stays small. Processes may
    share the folder; the eight newest artefacts stay in it.

    Raises NotFound and Invalid for a bad file; Unavailable where the folder cannot be written.
    """
    return loaded(cache, origins(added=added, only=only), compiling=compiling)


def loaded(cache: Path, wanted: Sequence[Origin], *, compiling: Callable[[], None] | None = None) -> Vocabularies:
    """The vocabularies of these origins; see `load`."""
    path = artefact(cache, wanted)
    found = _loaded(path)
    if found is None:
        if compiling:
            compiling()
        _compile_apart(wanted, path)
        found = Vocabularies(path)
    return found


def artefact(cache: Path, wanted: Sequence[Origin]) -> Path:
    """Where what these origins compile to is, or will be."""
    return cache / f"{identity(origin.part for origin in wanted)}.npz"


def _loaded(path: Path) -> Vocabularies | None:
    try:
        return Vocabularies(path)
    except (FileNotFoundError, NotADirectoryError, Invalid):  # not compiled yet, or cut short by a full disk
        return None


def _compile_apart(wanted: Sequence[Origin], path: Path) -> None:
    """`compile_into` in a fresh interpreter: its 600 MB are never this process's."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable("the cache folder", f"{path.parent} cannot be made: {error.strerror}.") from error
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", __name__, str(path)],
        input=_ORIGINS.dump_json(list(wanted)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode == REFUSED:
        refusal = json.loads(done.stdout)
        raise getattr(errors, refusal["error"])(refusal["message"], remedy=refusal["remedy"])
    if done.returncode:
        raise Unavailable(
            "the cache folder",
            f"The vocabularies could not be compiled into {path.parent}; why stands above.",
            remedy="Make room there, or set MITAGGER_CACHE to another folder.",
        )


def in_folder(folder: Path) -> dict[str, Path]:
    """The vocabulary files of a site's folder, by name: NAME.tsv, NAME.tsv.gz or NAME.tsv.xz. Raises NotFound."""
    found = {path.name.partition(".")[0]: path for path in sorted(folder.glob("*.tsv*"))}
    if not found:
        raise NotFound(f"{folder} holds no vocabulary.", remedy="Put files there that are named as NAME.tsv.")
    return found


def origins(
    *,
    added: Mapping[str, Path] | None = None,
    only: bool = False,
    imported: Sequence[Origin] = (),
    table: AxisTable | None = None,
) -> list[Origin]:
    """The default vocabularies, unless `only` others are wanted, with the `added` and the `imported` ones, each in
    place of one of the same name. `table`: the axis table in place of the default one.

    Raises NotFound for a missing file, Invalid where nothing is left.
    """
    rows = json.loads((DATA / "vocabularies.json").read_text(encoding="utf-8"))
    prefixes = {prefix: iri for row in rows for prefix, iri in row["iri_prefix"].items()}
    found = {} if only else {row["name"]: _default(row) for row in rows}
    for name, path in (added or {}).items():
        content = digest(path)
        found[name] = Origin(name, path, f"sha256:{content[:12]}", content, iri_prefix=prefixes, places_itself=True)
    found.update((one.name, one) for one in imported)
    if not found:
        raise Invalid("There is no vocabulary to match with.", remedy="Add one with --vocabulary, or leave --only out.")
    return [one if table is None else replace(one, table=table) for one in found.values()]


def _default(row: Mapping[str, object]) -> Origin:
    name = str(row["name"])
    path, parents = DATA / f"{name}.tsv.xz", DATA / f"{name}.parents.tsv.xz"
    files = [path, parents] if parents.exists() else [path]
    return Origin(
        name=name,
        path=path,
        version=str(row["version"]),
        digest=digest(*files),
        parents=parents if parents.exists() else None,
        iri_prefix=row["iri_prefix"],  # type: ignore[arg-type]
    )


def compile_into(wanted: Sequence[Origin], path: Path) -> None:
    """Compile into a file of the cache, and keep no more than the newest there; see `_compile_apart`."""
    packed = compile_sources([origin.read() for origin in wanted])
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(packed)
    os.replace(file.name, path)
    for old in sorted(path.parent.glob("*.npz"), key=lambda kept: kept.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


def main() -> int:
    """Compile the origins on standard input into the path that is the argument; see `_compile_apart`."""
    try:
        compile_into(_ORIGINS.validate_json(sys.stdin.buffer.read()), Path(sys.argv[1]))
    except Invalid as error:
        refusal = {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}
        sys.stdout.write(json.dumps(refusal))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
