"""Who recommends for a project: annotators for all, with what is settled of it by its reviews and administrators."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.recommender.annotator import Annotator
from services.recommender.consents import Allowed
from services.recommender.following import Following
from services.recommender.memory import Remembering
from services.recommender.merging import Merged
from services.recommender.recalibration import Recalibration
from services.recommender.taught import Taught


@dataclass(frozen=True, slots=True)
class Settled:
    """What reviews taught: names and meanings, and the scores of projects that decided enough. What administrators
    allowed: the projects whose texts may leave the site."""

    names: Following = field(default_factory=Following)
    scores: Mapping[str, Recalibration] = field(default_factory=dict)
    allowed: Mapping[str, Allowed] = field(default_factory=dict)


class ByProject:
    """Over the local annotator, and one that texts leave the site for, where one is asked: in place of the local one
    (`alone`), or merged. Remembers texts. Not for sharing between threads."""

    def __init__(
        self, local: Annotator, settled: Settled, *, remote: Annotator | None = None, alone: bool = False
    ) -> None:
        self._local = Remembering(local)
        self._remote = Remembering(remote) if remote is not None else None
        self._alone = alone
        self._settled = settled

    @property
    def version(self) -> str:
        """Names what makes the recommendations of all projects together."""
        allowed = self._settled.allowed if self._remote is not None else ()
        projects = sorted({*self._settled.names.projects, *self._settled.scores, *allowed})
        whole = self.version_of("")
        if not projects:
            return whole
        said = "\n".join(f"{project} {self.version_of(project)}" for project in projects)
        return f"{whole}+projects-{hashlib.sha256(said.encode()).hexdigest()[:8]}"

    def version_of(self, project: str) -> str:
        """Names what makes the recommendations of one."""
        scores = self.scores(project)
        return self.annotator(project).version + (f"+scores-{scores.version}" if scores else "")

    def annotator(self, project: str) -> Annotator:
        return Taught(self._asked(project), self._settled.names.of(project))

    def _asked(self, project: str) -> Annotator:
        allowed = self._settled.allowed.get(project)
        if self._remote is None or allowed is None:
            return self._local
        return Merged(self._local, self._remote, alone=self._alone, reports=allowed.reports)

    def scores(self, project: str) -> Recalibration | None:
        return self._settled.scores.get(project)

    def forget(self) -> None:
        """Forgets every text."""
        self._local.forget()
        if self._remote is not None:
            self._remote.forget()
