"""Which annotator makes recommendations, by the settings."""

from collections.abc import Callable
from typing import NamedTuple

from services.recommender.annotator import Annotator
from services.recommender.bioportal import BioPortal, BioPortalAnnotator
from services.recommender.local import LocalAnnotator
from services.recommender.merging import Merged
from services.recommender.pace import Pace
from shared.engine import Engine
from shared.errors import Invalid
from shared.events.legend import LegendTokenized
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies

GROUP = "recommender"  # whose copies share BioPortal's limit


class Choice(NamedTuple):
    """`over` makes the annotator over the vocabularies, on the event loop; `stop` makes it give up what it waits
    for."""

    over: Callable[[Vocabularies], Annotator]
    stop: Callable[[], None]


def chosen(settings: Settings, engine: Engine) -> Choice:
    """Raises Invalid where a key is missing."""
    if not settings.bioportal:
        return Choice(LocalAnnotator, lambda: None)
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

    def over(vocabularies: Vocabularies) -> Annotator:
        return Merged(
            LocalAnnotator(vocabularies),
            BioPortalAnnotator(portal, vocabularies),
            alone=settings.bioportal_alone,
            reports=settings.bioportal_reports,
        )

    return Choice(over, portal.stop)
