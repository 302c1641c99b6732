"""The documents of `recommender`."""

from collections.abc import Mapping
from typing import ClassVar

from shared.documents.port import Document


class Generation(Document):
    """Which annotator makes recommendations now. `number` rises whenever its version changes, so that consumers can
    tell newer recommendations of an unchanged legend from older ones. There is one such document."""

    collection: ClassVar[str] = "recommender.generations"

    number: int = 0
    annotator: str = ""
    vocabularies: Mapping[str, str] = {}


MODELS: tuple[type[Document], ...] = (Generation,)
