"""`mitagger annotate`: a stream of legends in, a stream of records out, in the same order. No server, flat memory."""

import json
from collections.abc import Collection, Iterator
from typing import IO, TypedDict

from services.nlp.analysis import analyse
from services.recommender.annotator import Annotation, Annotator
from shared.errors import Invalid, MitaggerError, TooLarge
from shared.events.legend import Assertion
from shared.events.recommendation import Axis, Match

LONGEST_LINE = 8 * 1024**2  # bytes
LONGEST_TEXT = 1_000_000  # code points


class Mention(TypedDict):
    """An annotation as written: offsets 0-based, half open, in code points of the legend. `name` is what the vocabulary
    calls it, `rule` how the legend says that name (one of `shared.vocabulary.variants.RULES`)."""

    start: int
    end: int
    text: str
    iri: str | None
    curie: str
    label: str
    ontology: str
    axis: Axis | None
    match: Match
    name: str
    rule: str
    score: float
    assertion: Assertion
    panel: str | None
    vocabulary_version: str


class Annotated(TypedDict, total=False):
    """A record of the output: `id`, and either `annotations` or `error`."""

    id: str | int | None
    annotations: list[Mention]
    error: str


def annotate(
    stream: IO[bytes],
    annotator: Annotator,
    *,
    axes: Collection[str] = (),
    ontologies: Collection[str] = (),
) -> Iterator[Annotated]:
    """One record for each line of `stream` that is not blank.

    Lines are JSON objects with `id` and `text` if the first one begins with "{", else legends whose id is the number of
    their line. `axes` and `ontologies` narrow what is written. A line that cannot be annotated gives a record with
    `error`, and the others go on.
    """
    structured: bool | None = None
    for number, line in enumerate(_lines(stream), start=1):
        if not line.strip():
            continue
        if structured is None:
            structured = line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{")
        identifier: str | int | None = None if structured else str(number)
        try:
            text = _text(line)
            if structured:
                identifier, text = _legend(text)
            if len(text) > LONGEST_TEXT:
                raise TooLarge(f"the legend has {len(text):,} characters; at most {LONGEST_TEXT:,} are annotated.")
            [found] = annotator.annotate([analyse(text, language="en")])
        except MitaggerError as error:
            yield {"id": identifier, "error": f"line {number}: {error}"}
            continue
        yield {
            "id": identifier,
            "annotations": [
                _mention(one)
                for one in found
                if (not axes or one.concept.axis in axes) and (not ontologies or one.concept.ontology in ontologies)
            ],
        }


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Lines without their ends. Of one that is too long only its beginning, one byte more than is allowed."""
    while line := stream.readline(LONGEST_LINE + 1):
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) > LONGEST_LINE:
            rest = stream.readline(LONGEST_LINE + 1)
        yield line.rstrip(b"\r\n")


def _text(line: bytes) -> str:
    if len(line) > LONGEST_LINE:
        raise TooLarge(f"longer than {LONGEST_LINE:,} bytes.", remedy="Write one legend a line.")
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"not UTF-8 at byte {error.start}.", remedy="Convert the file to UTF-8.") from error


def _legend(line: str) -> tuple[str | int, str]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"not JSON: {error}.", remedy='Write {"id": ..., "text": ...} on each line.') from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise Invalid("no text.", remedy='Write {"id": ..., "text": ...} on each line.')
    identifier, text = record.get("id"), record["text"]
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise Invalid("no id, or one that is neither a string nor a whole number.")
    if any("\ud800" <= sign <= "\udfff" for sign in text) or (
        isinstance(identifier, str) and any("\ud800" <= sign <= "\udfff" for sign in identifier)
    ):
        raise Invalid("half of a surrogate pair, which is no character.", remedy="Repair the JSON escapes.")
    return identifier, text


def _mention(one: Annotation) -> Mention:
    concept = one.concept
    return {
        "start": one.start,
        "end": one.end,
        "text": one.text,
        "iri": concept.iri,
        "curie": concept.curie,
        "label": concept.label,
        "ontology": concept.ontology,
        "axis": concept.axis,
        "match": one.match,
        "name": one.name,
        "rule": one.rule,
        "score": round(one.score, 4),
        "assertion": one.assertion,
        "panel": ",".join(one.panels) or None,
        "vocabulary_version": concept.version,
    }
