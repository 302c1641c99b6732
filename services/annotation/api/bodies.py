"""What requests have in common."""

from typing import Annotated, Any, Final, TypeAlias

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.errors import Invalid

Id: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,100}$")]


Person: TypeAlias = Annotated[Id, Field(description="Pseudonymous id of a person, as the accounts list it")]


IdPath: TypeAlias = Annotated[Id, Path()]


def named(reviewer: str | None) -> str:
    """The gateway has put the membership's in place of none. Raises Invalid where it named none either."""
    if reviewer is None:
        raise Invalid("Nobody reviews this work.", field="reviewer", remedy="Name a reviewer.")
    return reviewer


class Request(BaseModel):
    """A body: unknown fields are errors, so that a misspelt one is not lost."""

    model_config = ConfigDict(extra="forbid")


EXAMPLES: Final[dict[str, Any]] = {
    "accept": {
        "summary": "Accept a recommendation",
        "value": {"kind": "accept", "recommendation": "MONDO:0004992|present"},
    },
    "accept, changed": {
        "summary": "Accept with another assertion, for one panel",
        "value": {
            "kind": "accept",
            "recommendation": "MONDO:0004992|present",
            "assertion": "uncertain",
            "panels": ["B"],
        },
    },
    "reject": {
        "summary": "Reject a recommendation",
        "value": {"kind": "reject", "recommendation": "UBERON:0000966|present", "reason": "wrong_meaning"},
    },
    "add": {
        "summary": "Add a concept from the concept search",
        "value": {
            "kind": "add",
            "axis": "anatomy",
            "curie": "UBERON:0000966",
            "label": "retina",
            "iri": "http://purl.obolibrary.org/obo/UBERON_0000966",
            "ontology": "UBERON",
            "vocabulary_version": "2024-01-18",
        },
    },
    "add text": {
        "summary": "Add free text on an axis",
        "value": {"kind": "add", "axis": "imaging", "text": "light-sheet fluorescence"},
    },
    "withdraw": {"summary": "Take a decision back", "value": {"kind": "withdraw", "key": "UBERON:0000966|present"}},
}
