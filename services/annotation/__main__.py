"""This service in a process of its own, on the distributed engines: python -m services.annotation"""

from services.annotation.model import MODELS
from services.annotation.service import build
from shared.process import main, serve
from shared.settings import Settings


def run(settings: Settings) -> None:
    serve(settings, MODELS, build)


if __name__ == "__main__":
    main(run)
