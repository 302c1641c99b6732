"""This service in a process of its own, on the distributed engines: python -m services.nlp"""

from services.nlp.service import build
from shared.process import main, serve
from shared.settings import Settings


def run(settings: Settings) -> None:
    serve(settings, (), build)


if __name__ == "__main__":
    main(run)
