"""This service in a process of its own, on the distributed engines: python -m services.ingest"""

from services.ingest.model import MODELS
from services.ingest.service import build
from shared.process import main, serve
from shared.settings import Settings


def run(settings: Settings) -> None:
    serve(settings, MODELS, lambda engine: build(engine, workers=settings.workers, view_bytes=settings.view_bytes))


if __name__ == "__main__":
    main(run)
