"""The vocabularies of `data/`, and those that a site adds: compiled once into a cache folder, then only loaded."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from shared import errors
from shared.errors import Invalid, NotFound, Unavailable
from shared.events.recommendation import Axis
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.compile import compile_sources, identity
from shared.vocabulary.source import Source, digest, read

DATA = Path(__file__).parent / "data"
KEPT = 8  # artefacts in the cache folder; each has some 30 MB
REFUSED = 3  # exit code of the compiling process for an error of ours


@dataclass(frozen=True)
class Origin:
    """Where a vocabulary is read from."""

    name: str
    path: Path
    version: str
    digest: str
    parents: Path | None
    axis: Axis | None
    iri_prefix: Mapping[str, str]

    def read(self) -> Source:
        return read(
            self.path,
            name=self.name,
            version=self.version,
            parents=self.parents,
            axis=self.axis,
            iri_prefix=self.iri_prefix,
        )


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
    origins = _origins(added or {}, only)
    path = cache / f"{identity((origin.name, origin.version, origin.digest) for origin in origins)}.npz"
    loaded = _loaded(path)
    if loaded is None:
        if compiling:
            compiling()
        _compile_apart(origins, path)
        loaded = Vocabularies(path)
    return loaded


def _loaded(path: Path) -> Vocabularies | None:
    try:
        return Vocabularies(path)
    except (FileNotFoundError, NotADirectoryError, Invalid):  # not compiled yet, or cut short by a full disk
        return None


def _compile_apart(origins: Sequence[Origin], path: Path) -> None:
    """`_compile` in a fresh interpreter: its 600 MB are never this process's."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable("the cache folder", f"{path.parent} cannot be made: {error.strerror}.") from error
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", __name__, str(path)],
        input=_ORIGINS.dump_json(list(origins)),
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


def _origins(added: Mapping[str, Path], only: bool) -> list[Origin]:
    rows = json.loads((DATA / "vocabularies.json").read_text(encoding="utf-8"))
    prefixes = {prefix: iri for row in rows for prefix, iri in row["iri_prefix"].items()}
    origins = {} if only else {row["name"]: _default(row) for row in rows}
    for name, path in added.items():
        content = digest(path)
        origins[name] = Origin(name, path, f"sha256:{content[:12]}", content, None, None, prefixes)
    if not origins:
        raise Invalid("There is no vocabulary to match with.", remedy="Add one with --vocabulary, or leave --only out.")
    return list(origins.values())


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
        axis=row["axis"],  # type: ignore[arg-type]
        iri_prefix=row["iri_prefix"],  # type: ignore[arg-type]
    )


def _compile(origins: Sequence[Origin], path: Path) -> None:
    packed = compile_sources([origin.read() for origin in origins])
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(packed)
    os.replace(file.name, path)
    for old in sorted(path.parent.glob("*.npz"), key=lambda kept: kept.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


def main() -> int:
    """Compile the origins on standard input into the path that is the argument; see `_compile_apart`."""
    try:
        _compile(_ORIGINS.validate_json(sys.stdin.buffer.read()), Path(sys.argv[1]))
    except Invalid as error:
        refusal = {"error": type(error).__name__, "message": error.message, "remedy": error.remedy}
        sys.stdout.write(json.dumps(refusal))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
