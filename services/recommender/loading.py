"""Which vocabularies a recommender loads: those that the settings name, with those that a site has imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.axes import AxisTable
from shared.vocabulary.defaults import Origin


@dataclass(frozen=True, slots=True)
class Member:
    """An imported vocabulary. `package`: the content hash of its package."""

    name: str
    release: str
    package: str


@dataclass(frozen=True, slots=True)
class Site:
    """What a site uses beside or in place of the defaults. `table`: its axis table; null: the default one."""

    members: tuple[Member, ...] = ()
    table: AxisTable | None = None


class Library:
    """Vocabularies in the cache folder, under names that say what they are compiled from."""

    def __init__(self, settings: Settings) -> None:
        self.cache = settings.cache / "vocabularies"
        self._folder = settings.vocabularies

    def origins(self, site: Site, packages: Mapping[str, Path] | None = None) -> list[Origin]:
        """Where all vocabularies of a site are read from. `packages`: where the packages lie, by content hash; not
        needed to name what they compile to. Raises NotFound and Invalid for a bad file of the settings' folder."""
        return defaults.origins(
            added=defaults.in_folder(self._folder) if self._folder else None,
            only=self._folder is not None,
            imported=[
                Origin(
                    name=member.name,
                    path=(packages or {}).get(member.package, Path(member.package)),
                    version=member.release,
                    digest=member.package,
                    imported=True,
                )
                for member in site.members
            ],
            table=site.table,
        )

    def artefact(self, site: Site) -> Path:
        """Where what they compile to is in the cache, or will be."""
        return defaults.artefact(self.cache, self.origins(site))

    def load(self, site: Site) -> Vocabularies:
        """Out of the cache, or compiled where the file there is damaged. Raises NotFound, Invalid, Unavailable."""
        return defaults.loaded(self.cache, self.origins(site))
