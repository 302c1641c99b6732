"""A recommender process whose annotator needs a service: a request takes a set time, and while a file lies in the way
the service is away. In place of `mitagger serve recommender`: python -m tests.support.stand_in

`MITAGGER_STAND_IN_SECONDS`: for each request, of at most `MITAGGER_STAND_IN_TEXTS` texts; `MITAGGER_STAND_IN_AWAY`:
the file.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from services.recommender.annotator import Annotation, Annotator
from services.recommender.choosing import Choice
from services.recommender.loading import Library
from services.recommender.local import LocalAnnotator
from services.recommender.model import MODELS
from services.recommender.service import Recommender, build
from shared.engine import Engine
from shared.errors import Unavailable
from shared.events.legend import Analysis
from shared.process import main, serve
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies


class StandIn:
    """Implements `services.recommender.annotator.Annotator`: what another one finds, later or not now."""

    def __init__(self, annotator: Annotator, seconds: float, away: Path) -> None:
        self._annotator = annotator
        self._seconds = seconds
        self._away = away

    @property
    def version(self) -> str:
        return self._annotator.version

    def annotate(self, analyses: Sequence[Analysis]) -> list[list[Annotation]]:
        if self._away.exists():
            raise Unavailable("annotator")
        time.sleep(self._seconds)  # its latency
        return self._annotator.annotate(analyses)


def run(settings: Settings) -> None:
    seconds = float(os.environ.get("MITAGGER_STAND_IN_SECONDS", "0"))
    texts = int(os.environ.get("MITAGGER_STAND_IN_TEXTS", "50"))
    away = Path(os.environ.get("MITAGGER_STAND_IN_AWAY", os.devnull + ".none"))

    def over(loaded: Vocabularies) -> Annotator:
        return StandIn(LocalAnnotator(loaded), seconds, away)

    def wired(engine: Engine) -> Recommender:
        service = build(engine, library=Library(settings), choice=Choice(local=over))
        recommending, *others = service.subscriptions
        service.subscriptions = (replace(recommending, batch=texts), *others)
        return service

    serve(settings, MODELS, wired)


if __name__ == "__main__":
    main(run)
