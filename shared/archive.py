"""Files in a folder or a zip that came from outside: one way to read them all.

    with Zip(path, largest=100 * 1024**2) as bundle:
        for name in bundle.names():
            with bundle.open(name) as file: ...

Nothing of a zip is unpacked before it is asked for, and never to a name that the zip chose. No message holds a file's
name, which may be a patient's; `LeftOut.file` does.
"""

import io
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol, Self, TypeVar

from shared.errors import Invalid, NotFound, TooLarge

MOST_FILES = 250_000
LARGEST_DIRECTORY = 24 * 1024**2  # bytes of a zip's list of members: 250,000 names of 50 characters
LARGEST_TOTAL = 64 * 1024**3  # bytes of all members of a zip, unpacked
# Deflate shrinks to a thousandth at best; real pictures stay above a hundredth, and small files can do no harm.
BOMB_RATIO = 100
BOMB_FROM = 32 * 1024**2  # bytes unpacked

Entry = TypeVar("Entry")

_CHUNK = 1024**2
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not read, why, and what its sender can do."""

    message: str
    remedy: str
    file: str


class Bundle(Protocol):
    """Files by name ("/" between folders), whatever holds them."""

    name: str
    problems: list[LeftOut]  # files left out, and why

    def names(self) -> list[str]:
        """Sorted; without hidden files and those in `problems`."""

    def open(self, name: str) -> BinaryIO:
        """Raises NotFound for a name that is not among `names`; Invalid where it cannot be read."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class Folder:
    """A folder's regular files. Links that lead outside it are left out, and what cannot be read; both are told."""

    def __init__(self, path: Path) -> None:
        self._root = path.resolve()
        self.name = _legible(self._root.name) or "figures"
        self.problems: list[LeftOut] = []
        self._files: dict[str, Path] = {}
        for folder, folders, files in os.walk(self._root, onerror=self._unread):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if not _hidden(name))
            for name in [name for name in folders if (here / name).is_symlink()]:
                folders.remove(name)  # os.walk does not follow it, and says nothing
                self._leave(here / name, "It is a link to a folder.", "Import that folder itself.")
            for file in sorted(name for name in files if not _hidden(name)):
                self._take(here / file)

    def _unread(self, error: OSError) -> None:
        self._leave(
            Path(error.filename), f"It cannot be read: {error.strerror}.", "Give yourself the right to read it."
        )

    def _leave(self, path: Path, message: str, remedy: str) -> None:
        self.problems.append(LeftOut(message, remedy, self._name(path)))

    def _name(self, path: Path) -> str:
        return _legible(path.relative_to(self._root).as_posix())

    def _take(self, path: Path) -> None:
        name = self._name(path)
        try:
            inside, regular = path.resolve().is_relative_to(self._root), path.is_file()
        except (OSError, RuntimeError):  # a loop of links
            inside, regular = True, False
        if not inside:
            self._leave(path, "It is a link out of the folder.", "Put the file itself there.")
        elif not regular:
            self._leave(path, "It is no regular file.", "Remove it.")
        elif name in self._files:
            self._leave(path, "Another file has the same name, written in other bytes.", "Rename one of them.")
        elif len(self._files) == MOST_FILES:
            raise TooLarge(f"The folder has more than {MOST_FILES:,} files.", remedy="Import it in parts.")
        else:
            self._files[name] = path

    def names(self) -> list[str]:
        return sorted(self._files)

    def path(self, name: str) -> Path:
        """Where the file lies. Raises NotFound."""
        return _get(self._files, name)

    def open(self, name: str) -> BinaryIO:
        try:
            return self.path(name).open("rb")
        except OSError as error:
            raise Invalid(
                f"It cannot be read: {error.strerror}.",
                field="file",
                remedy="Look whether it is still there, and whether you may read it.",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


class Zip:
    """A zip's members. Refused whole when its list of members is beyond the bounds, else member by member.

    `largest`: bytes of a member, unpacked; those whose last name is in `unbounded` are bounded by who reads them.
    """

    def __init__(self, path: Path, *, largest: int, unbounded: Collection[str] = (), name: str = "") -> None:
        self.name = name or path.stem
        self._largest = largest
        self._unbounded = unbounded
        self.problems: list[LeftOut] = []
        self._file = _Bounded(path.open("rb", buffering=0))
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._members = self._accepted(_bounded(self._zip.infolist(), path.stat().st_size))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
            self._file.close()
            raise Invalid("The zip is damaged or incomplete.", remedy="Make it again and send it again.") from error
        except Invalid:
            self._file.close()
            raise

    def _accepted(self, members: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
        accepted: dict[str, zipfile.ZipInfo] = {}
        twice: set[str] = set()
        for member in members:
            name = _decoded(member)
            if name.endswith("/") or any(_hidden(part) for part in name.split("/")):
                continue
            its_key = key(name)
            if problem := _refusal(member, name, self._largest, self._unbounded):
                self.problems.append(problem)
            elif its_key in accepted:
                twice.add(its_key)
            else:
                accepted[its_key] = member
        for its_key in sorted(twice):
            del accepted[its_key]
            self.problems.append(LeftOut("The zip holds two files of this name.", "Rename one.", its_key))
        return _without_common_folder(accepted)

    def names(self) -> list[str]:
        return sorted(self._members)

    def place(self, name: str) -> int:
        """Where the file stands in the zip's list of members, as `unzip -Z1` counts them, from 1; 0: nowhere."""
        return self._places.get(key(name), 0)

    @cached_property
    def _places(self) -> dict[str, int]:
        places: dict[str, int] = {}
        for number, member in enumerate(self._zip.infolist(), start=1):
            name = key(_decoded(member))
            for known in (name, name.partition("/")[2]):  # of a zip of one folder
                places.setdefault(known, number)
        return places

    def open(self, name: str) -> BinaryIO:
        return self._zip.open(_get(self._members, name))  # type: ignore[return-value]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._file.close()


class _Bounded(io.BufferedReader):
    """zipfile reads the list of members in one piece, as long as the file says."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > LARGEST_DIRECTORY:
            raise TooLarge(
                f"The zip's list of members has {size:,} bytes; at most {LARGEST_DIRECTORY:,} are read.",
                remedy="Split it.",
            )
        return super().read(size)


def _bounded(members: list[zipfile.ZipInfo], size: int) -> list[zipfile.ZipInfo]:
    if len(members) > MOST_FILES:
        raise TooLarge(f"The zip has {len(members):,} files; at most {MOST_FILES:,} are read.", remedy="Split it.")
    if sum(member.compress_size for member in members) > size:
        # Members that share their bytes: a bomb without any member that is one (Fifield, WOOT 2019).
        raise Invalid("The files of the zip overlap.", remedy="Make it again with another program.")
    total = sum(member.file_size for member in members)
    if total > LARGEST_TOTAL:
        raise TooLarge(
            f"The zip unpacks to {total // 1024**3:,} GiB; at most {LARGEST_TOTAL // 1024**3} are read.",
            remedy="Split it.",
        )
    return members


def copy(bundle: Bundle, name: str, to: IO[bytes], *, largest: int) -> int:
    """Write a file of the bundle to `to`, a piece at a time; returns its bytes.

    Raises: NotFound, TooLarge beyond `largest` bytes, Invalid when it is damaged. `to` then holds a part of it.
    """
    copied = 0
    with explained(), bundle.open(name) as source:
        while piece := source.read(_CHUNK):
            copied += len(piece)
            if copied > largest:
                bound = f"{largest // 1024**2} MiB"
                raise TooLarge(f"The file has more than {bound}.", field="file", remedy="Send a smaller version.")
            to.write(piece)
    return copied


@contextmanager
def explained(what: str = "The file") -> Iterator[None]:
    """What zipfile raises while it reads a member, as ours; said of `what`."""
    try:
        yield
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, UnicodeError, struct.error) as error:
        raise Invalid(f"{what} is damaged in the zip.", field="file", remedy="Make the zip again.") from error


def _get(files: dict[str, Entry], name: str) -> Entry:
    try:
        return files[key(name)]
    except KeyError:
        raise NotFound("There is no file of this name.", remedy="Check its name; case counts.") from None


def key(name: str) -> str:
    """Names as one writes them: macOS stores them decomposed."""
    return unicodedata.normalize("NFC", name)


def _legible(name: str) -> str:
    """A name of a file system, which takes any bytes, as text: mostly UTF-8, else of old Windows."""
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("cp1252", errors="replace")
    return key(_UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", name))


def _hidden(part: str) -> bool:
    """Also what systems leave behind: macOS' resource forks, Windows' thumbnails."""
    return (part.startswith(".") and part != "..") or part in ("__MACOSX", "Thumbs.db", "desktop.ini")


def _decoded(member: zipfile.ZipInfo) -> str:
    """Names without the flag for UTF-8 are mostly UTF-8 all the same; zipfile takes them for code page 437.

    Some programs for Windows divide folders by a backslash, against the specification (APPNOTE 4.4.17.1).
    """
    name = member.filename
    if not member.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/")


def _refusal(member: zipfile.ZipInfo, name: str, largest: int, unbounded: Collection[str]) -> LeftOut | None:
    """Why this member is not read, if it is not. `name` may be anything."""
    path = PurePosixPath(name)
    refusals = (
        (
            path.is_absolute() or ".." in path.parts or _DRIVE.match(name),
            "Its name leads out of the zip.",
            "Make the zip with relative names.",
        ),
        (stat.S_ISLNK(member.external_attr >> 16), "It is a link.", "Put the file itself into the zip."),
        (member.flag_bits & 0x1, "It is encrypted.", "Make the zip without a password."),
        (
            member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            "It is compressed in a way that is not read.",
            "Make the zip with deflate.",
        ),
        (not name or member.header_offset < 0, "The zip is damaged here.", "Make the zip again."),
        (
            member.file_size > largest and path.name not in unbounded,
            f"It has more than {largest // 1024**2} MiB.",
            "Send a smaller one.",
        ),
        (
            member.file_size > max(BOMB_FROM, BOMB_RATIO * member.compress_size),
            f"It unpacks to more than {BOMB_RATIO} times its size.",
            "Send it uncompressed.",
        ),
    )
    for refused, message, remedy in refusals:
        if refused:
            return LeftOut(message, remedy, name[:1000])
    return None


def _without_common_folder(files: dict[str, Entry]) -> dict[str, Entry]:
    """A zip of one folder is read as that folder."""
    tops = {name.split("/", 1)[0] for name in files}
    if len(tops) != 1 or any("/" not in name for name in files):
        return files
    return {name.split("/", 1)[1]: file for name, file in files.items()}
