"""The HTTP door of the mappings in use: where they lead, and what they make of the tags in use."""

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.export.api.exports import MappingsUsedView, mappings_view
from services.export.mapped import Change
from services.export.mapping_use import MappingUse
from shared.access import DEFAULT_PROJECT
from shared.http import CallerDep, ProjectQuery
from shared.vocabulary.mappings import Outcome

MOST_CHANGES: Final = 5_000
SHOWN_TARGETS: Final = 10

Vocabulary = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$", examples=["SNOMEDCT"])]


class Leading(BaseModel):
    """A vocabulary that mappings lead to, and how many of its concepts."""

    vocabulary: str
    concepts: int


class MappingTargets(BaseModel):
    """Where the mappings in use lead, the vocabulary with the most concepts first. `mappings` null: none are in use."""

    mappings: MappingsUsedView | None
    targets: list[Leading]


class RemapQuery(BaseModel):
    """From one vocabulary to another."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    source: Annotated[Vocabulary, Field(alias="from", examples=["MONDO"])]
    target: Annotated[Vocabulary, Field(alias="to")]
    project: ProjectQuery = DEFAULT_PROJECT
    limit: Annotated[int, Field(ge=0, le=MOST_CHANGES)] = 1_000


class TargetView(BaseModel):
    """What a concept is in the other vocabulary. `via`: the concept of a third one between, where there are two steps;
    `source`: the mappings that say so."""

    curie: str
    iri: str | None
    label: str
    predicate: str
    confidence: float | None
    source: str
    via: str


class ChangeView(BaseModel):
    """A tagged concept: how many final tags and figures have it, and what it would become. Several targets: nobody
    decides between them (`ambiguous`)."""

    curie: str
    label: str
    tags: int
    figures: int
    outcome: Outcome
    targets: Annotated[list[TargetView], Field(description=f"At most {SHOWN_TARGETS}")]


class TouchedView(BaseModel):
    concepts: int
    tags: int
    figures: int


class RemapView(BaseModel):
    """What the final tags of one vocabulary would be in another. `outcomes`: how many concepts, tags and figures have
    an exact match; a close one or an xref; only a broader one; only narrower ones; several; none. `figures`: that have
    tags of the vocabulary at all. `changes`: the concepts with the most tags first."""

    source: Annotated[str, Field(serialization_alias="from")]
    target: Annotated[str, Field(serialization_alias="to")]
    mappings: MappingsUsedView | None
    concepts: int
    tags: int
    figures: int
    outcomes: dict[Outcome, TouchedView]
    changes: list[ChangeView]


def router(use: MappingUse) -> APIRouter:
    routes = APIRouter(tags=["mappings"])

    @routes.get("/api/v1/mappings/targets", summary="Which vocabularies an export can be mapped to")
    async def read_mapping_targets(caller: CallerDep) -> MappingTargets:
        caller.require_somewhere("export.run")
        using = await use.in_use()
        targets = await use.targets(using)
        return MappingTargets(
            mappings=mappings_view(using), targets=[Leading(vocabulary=k, concepts=v) for k, v in targets.items()]
        )

    @routes.get("/api/v1/mappings/remap", summary="What the final tags of one vocabulary would be in another")
    async def preview_remap(asked: Annotated[RemapQuery, Query()], caller: CallerDep) -> RemapView:
        """A preview: no tag is changed, now or later; exports with `map_to` say both."""
        caller.require("vocabulary.write", project=asked.project)
        using, remap = await use.remap(asked.project, asked.source, asked.target)
        changes = remap.changes()
        return RemapView(
            source=asked.source,
            target=asked.target,
            mappings=mappings_view(using),
            concepts=len(changes),
            tags=remap.tags.total(),
            figures=remap.all_figures,
            outcomes={outcome: TouchedView(**touched._asdict()) for outcome, touched in remap.totals().items()},
            changes=[_change(one) for one in changes[: asked.limit]],
        )

    return routes


def _change(one: Change) -> ChangeView:
    return ChangeView(
        curie=one.curie,
        label=one.label,
        tags=one.tags,
        figures=one.figures,
        outcome=one.found.outcome,
        targets=[TargetView(**target._asdict()) for target in one.found.targets[:SHOWN_TARGETS]],
    )
