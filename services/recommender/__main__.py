"""This service in a process of its own, on the distributed engines: python -m services.recommender"""

from services.recommender.choosing import chosen
from services.recommender.learned import Thresholds
from services.recommender.loading import Library
from services.recommender.model import MODELS
from services.recommender.service import Recommender, build
from shared.engine import Engine
from shared.process import main, serve
from shared.settings import Settings


def run(settings: Settings) -> None:
    def wired(engine: Engine) -> Recommender:
        return build(
            engine,
            library=Library(settings),
            choice=chosen(settings, engine),
            least=Thresholds.of(settings),
        )

    serve(settings, MODELS, wired)


if __name__ == "__main__":
    main(run)
