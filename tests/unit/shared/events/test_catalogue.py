"""Code and committed catalogue say the same; every example validates; old consumers can read new events."""

import copy
import json
from pathlib import Path

import jsonschema
import pytest

from shared.events import EVENTS
from shared.events.envelope import Event
from tools import catalogue

EXAMPLES = [
    pytest.param(event, path, id=f"{event.topic}/{path.stem}")
    for event in EVENTS
    for path in sorted((catalogue.CATALOGUE / event.topic / f"v{event.schema_version}.examples").glob("*.json"))
]


@pytest.mark.parametrize("path", catalogue.files(), ids=lambda path: str(path.relative_to(catalogue.CATALOGUE)))
def test_the_committed_catalogue_is_what_the_code_makes(path: Path) -> None:
    assert path.exists(), f"{path.name} is missing: run python -m tools.catalogue"
    assert path.read_text(encoding="utf-8") == catalogue.files()[path], (
        "The event classes changed: run python -m tools.catalogue. If it refuses, the change breaks old consumers: "
        "raise schema_version, publish the new topic beside the old for one release."
    )


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.topic)
def test_every_topic_has_an_example(event: type[Event]) -> None:
    assert [p for p in EXAMPLES if p.values[0] is event]


@pytest.mark.parametrize(("event", "path"), EXAMPLES)
def test_an_example_validates_and_comes_back_whole(event: type[Event], path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(example["body"], catalogue.schema(event))
    decoded = event.decode(example["attributes"], json.dumps(example["body"]).encode())
    assert json.loads(decoded.body()) == example["body"]
    assert decoded.attributes() == example["attributes"]


def test_a_removed_a_retyped_and_a_loosened_field_are_breaking() -> None:
    old = catalogue.schema(EVENTS[0])
    assert list(catalogue.breaking_changes(old, copy.deepcopy(old))) == []
    gone, retyped, loosened, added = (copy.deepcopy(old) for _ in range(4))
    del gone["properties"]["legend"]
    retyped["properties"]["revision"]["type"] = "string"
    loosened["required"].remove("figure")
    added["properties"]["more"] = {"type": "string"}
    assert list(catalogue.breaking_changes(old, gone)) == ["legend is gone"]
    assert list(catalogue.breaking_changes(old, retyped)) == ["revision was integer, now also string"]
    assert list(catalogue.breaking_changes(old, loosened)) == ["figure is no longer required"]
    assert list(catalogue.breaking_changes(old, added)) == []


def test_a_new_choice_of_an_enumeration_is_breaking() -> None:
    old = catalogue.schema(EVENTS[0])
    new = copy.deepcopy(old)
    new["properties"]["legend_kind"]["enum"].append("poem")
    assert list(catalogue.breaking_changes(old, new))


def test_a_field_that_a_newer_publisher_adds_is_ignored() -> None:
    event, path = EXAMPLES[0].values
    example = json.loads(Path(str(path)).read_text(encoding="utf-8"))
    body = {**example["body"], "from_the_future": 1}
    assert event.decode(example["attributes"], json.dumps(body).encode()).figure == body["figure"]  # type: ignore[union-attr]
