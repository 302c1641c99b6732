"""Which annotators are asked, by the settings: the local one, and one beside it."""

from collections.abc import Callable
from typing import NamedTuple

from services.recommender.annotator import Annotator
from services.recommender.bioportal import BioPortal, BioPortalAnnotator
from services.recommender.local import LocalAnnotator
from services.recommender.pace import Pace
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.legend import LegendTokenized
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies

GROUP = "recommender"  # whose copies share BioPortal's limit


class Choice(NamedTuple):
    """`local` makes the annotator that every text is given to, over the vocabularies in use. `remote` makes the one
    that texts leave the site for, on the event loop, null where none is asked, at the
    address `server`; `alone`: in place of the local one. `stop` makes it give up what it waits for."""

    local: Callable[[Vocabularies], Annotator] = LocalAnnotator
    remote: Callable[[Vocabularies], Annotator] | None = None
    server: str = ""
    alone: bool = False
    stop: Callable[[], None] = lambda: None


def chosen(settings: Settings, engine: Engine) -> Choice:
    """Raises Invalid where a key is missing."""
    if not settings.bioportal:
        return Choice()
    if settings.bioportal_key is None:
        raise Invalid(
            "BioPortal is to be asked, but there is no key.",
            field="bioportal_key",
            remedy="Set MITAGGER_BIOPORTAL_KEY, or take MITAGGER_BIOPORTAL away.",
        )
    pace = Pace(settings.bioportal_limit, lambda: engine.bus.share(GROUP, LegendTokenized))
    portal = BioPortal(
        settings.bioportal,
        settings.bioportal_key.get_secret_value(),
        settings.bioportal_ontologies,
        turn=pace.turn,
    )
    return Choice(
        remote=lambda vocabularies: BioPortalAnnotator(portal, vocabularies),
        server=portal.url,
        alone=settings.bioportal_alone,
        stop=portal.stop,
    )
