"""Writes docs/api/openapi.json, the public API, from the code: `python -m tools.openapi`."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp

import services.annotation.service
import services.export.service
import services.gateway.service
import services.ingest.service
import services.nlp.service
import services.recommender.service
from services.gateway.api import openapi
from services.gateway.api.system import VERSION
from shared.engine import opened
from shared.service import Service
from shared.settings import Settings
from shared.vocabulary.artefact import Vocabularies

PATH: Final = Path(__file__).parent.parent / "docs" / "api" / "openapi.json"


async def doors() -> dict[str, ASGIApp]:
    """The HTTP doors of all services by name, wired but not started."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data=Path(folder, "data"), cache=Path(folder, "cache"))
        async with opened(settings, ()) as engine:
            behind: list[Service] = [
                services.ingest.service.build(engine, workers=1),
                services.nlp.service.build(engine),
                services.recommender.service.build(engine, load=_none),
                services.annotation.service.build(engine),
                services.export.service.build(engine),
            ]
            gateway = services.gateway.service.build(engine, behind, upload_bytes=settings.upload_bytes)
            await gateway.stop()
            return {one.name: one.app for one in (gateway, *behind) if one.app is not None}


def document() -> dict[str, Any]:
    """The public API as OpenAPI."""
    return openapi.document(asyncio.run(doors()).values(), VERSION)


def text() -> str:
    """As it is committed."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def _none() -> Vocabularies:
    raise AssertionError("nothing is started here")


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(text(), encoding="utf-8")
    print(f"wrote {PATH.name}: {len(document()['paths'])} paths")
