"""Which vocabularies a recommender loads, by its settings."""

from collections.abc import Callable

import structlog

from shared.settings import Settings
from shared.vocabulary import defaults
from shared.vocabulary.artefact import Vocabularies

log = structlog.get_logger()


def vocabularies(settings: Settings, compiling: Callable[[], None] | None = None) -> Vocabularies:
    """The defaults, or those of the site's folder. Compiled when they are first used: seconds; `compiling` is called
    before."""
    cache = settings.cache / "vocabularies"
    return defaults.load(
        cache,
        added=defaults.in_folder(settings.vocabularies) if settings.vocabularies else None,
        only=settings.vocabularies is not None,
        compiling=compiling or (lambda: log.info("compiling the vocabularies, once", cache=str(cache))),
    )
