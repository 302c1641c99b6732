"""Two annotators as one: the local one, and one that texts leave the site for."""

from collections.abc import Sequence
from typing import Final

from services.recommender.annotator import Annotation, Annotator
from shared.events.legend import Analysis

LOCAL: Final = ("the local vocabularies",)


class Merged:
    """Implements `annotator.Annotator`: what `remote` finds, merged with what `local` finds, or `alone`.

    Reports stay here unless `reports`: they are left to `local`. What both find counts once, by the better score; every
    annotation says who found it. Raises what either raises: without one of them there is no answer.
    """

    def __init__(self, local: Annotator, remote: Annotator, *, alone: bool, reports: bool) -> None:
        self._local = local
        self._remote = remote
        self._alone = alone
        self._reports = reports
        how = ("alone" if alone else "merged") + ("+reports" if reports else "")
        self.version = f"{remote.version}+{how}+{local.version}"

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        away = [self._reports or analysis.kind != "report" for analysis in analyses]
        here = [not (self._alone and leaves) for leaves in away]
        remote = iter(self._remote.annotate([one for one, leaves in zip(analyses, away, strict=True) if leaves]))
        local = iter(self._local.annotate([one for one, stays in zip(analyses, here, strict=True) if stays]))
        return [
            _merged(next(local) if stays else [], next(remote) if leaves else [])
            for stays, leaves in zip(here, away, strict=True)
        ]


def _merged(local: Sequence[Annotation], remote: Sequence[Annotation]) -> list[Annotation]:
    found = {_key(one): one._replace(found_by=LOCAL) for one in local}
    for one in remote:
        known = found.get(_key(one))
        if known is None:
            found[_key(one)] = one
        else:
            better = max(known, one, key=lambda each: each.score)
            found[_key(one)] = better._replace(found_by=(*known.found_by, *one.found_by))
    return sorted(found.values(), key=_key)


def _key(one: Annotation) -> tuple[int, int, str, str]:
    return (one.start, one.end, one.concept.ontology, one.concept.curie)
