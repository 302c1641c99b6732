"""This service in a process of its own, on the distributed engines: python -m services.recommender"""

from services.recommender.choosing import annotator
from services.recommender.loading import vocabularies
from services.recommender.model import MODELS
from services.recommender.service import build
from shared.process import main, serve
from shared.settings import Settings


def run(settings: Settings) -> None:
    serve(
        settings,
        MODELS,
        lambda engine: build(engine, load=lambda: vocabularies(settings), over=annotator(settings, engine)),
    )


if __name__ == "__main__":
    main(run)
