"""Documents in an older shape are read through pure upcasters, the same on every engine."""

from typing import Any

from shared.documents.port import Document
from shared.errors import StoreTooNew


def upcast(model: type[Document], schema: int, body: dict[str, Any]) -> dict[str, Any]:
    """The body in the model's current shape. Raises StoreTooNew when a newer MITagger wrote it."""
    if schema > model.schema_version:
        raise StoreTooNew(f"A newer MITagger wrote this {model.__name__}.", remedy="Install that version again.")
    while schema < model.schema_version:
        body = model.upcasters[schema](body)
        schema += 1
    return body
