"""`mitagger annotate`: a stream of legends in, a stream of records out, in the same order. No server, flat memory."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BufferedIOBase
from typing import Final, TypedDict

import orjson

from mitagger.blocks import LONGEST_LINE, blocks
from services.nlp.analysis import Text, findings
from services.recommender.annotator import Annotation
from services.recommender.local import LocalAnnotator
from shared.errors import Invalid, MitaggerError, TooLarge
from shared.events.legend import Assertion
from shared.events.recommendation import Axis, Match

LONGEST_TEXT: Final = 1_000_000  # code points
_INTEGERS: Final = range(-(2**63), 2**64)  # what JSON libraries read everywhere


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


@dataclass(frozen=True)
class Narrowed:
    """What is written: all, or of these axes and ontologies only."""

    axes: Collection[str] = ()
    ontologies: Collection[str] = ()

    def kept(self, found: Sequence[Annotation]) -> Sequence[Annotation]:
        if self.axes:
            found = [one for one in found if one.concept.axis in self.axes]
        if self.ontologies:
            found = [one for one in found if one.concept.ontology in self.ontologies]
        return found


def annotate(stream: BufferedIOBase, annotator: LocalAnnotator, narrowed: Narrowed = Narrowed()) -> Iterator[Annotated]:
    """One record for each line of `stream` that is not blank, as soon as the line is there.

    Lines are JSON objects with `id` and `text` if the first one begins with "{", else legends whose id is the number of
    their line. A line that cannot be annotated gives a record with `error`, and the others go on.
    """
    structured: bool | None = None
    for block in blocks(stream.read1):
        structured = is_structured(block.lines) if structured is None else structured
        yield from records(block.lines, block.first, annotator, structured=bool(structured), narrowed=narrowed)


def is_structured(lines: Sequence[bytes]) -> bool | None:
    """Whether lines are JSON, by the first one that is not blank; None where all are."""
    for line in lines:
        if line.strip():
            return line.lstrip(b"\xef\xbb\xbf \t").startswith(b"{")
    return None


def records(
    lines: Sequence[bytes], first: int, annotator: LocalAnnotator, *, structured: bool, narrowed: Narrowed
) -> list[Annotated]:
    """The records of lines, the first of which has the number `first`."""
    made: list[Annotated] = []
    texts: list[Text] = []
    places: list[int] = []
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        identifier: str | int | None = None if structured else str(number)
        try:
            text = _text(line)
            if structured:
                identifier, text = _legend(text)
            if len(text) > LONGEST_TEXT:
                raise TooLarge(f"the legend has {len(text):,} characters; at most {LONGEST_TEXT:,} are annotated.")
        except MitaggerError as error:
            made.append(failed(identifier, number, error))
            continue
        places.append(len(made))
        texts.append(Text(text, language="en"))
        made.append({"id": identifier})
    for place, found in zip(places, annotator.annotate(findings(texts)), strict=True):
        made[place]["annotations"] = [_mention(one) for one in narrowed.kept(found)]
    return made


def failed(identifier: str | int | None, number: int, error: MitaggerError) -> Annotated:
    """The record of a line that cannot be annotated."""
    return {"id": identifier, "error": f"line {number}: {error}"}


def written(record: Annotated) -> bytes:
    """A record as a line."""
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


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
    if isinstance(identifier, int) and identifier not in _INTEGERS:
        raise Invalid("the id is a number of more than 64 bits.", remedy="Write it as a string.")
    if not (_whole(text) and (isinstance(identifier, int) or _whole(identifier))):
        raise Invalid("half of a surrogate pair, which is no character.", remedy="Repair the JSON escapes.")
    return identifier, text


def _whole(text: str) -> bool:
    """Whether there is no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mention(one: Annotation) -> Mention:
    start, end, text, concept, match, name, _, score, assertion, panels, _, rule, _ = one
    return {
        "start": start,
        "end": end,
        "text": text,
        "iri": concept.iri,
        "curie": concept.curie,
        "label": concept.label,
        "ontology": concept.ontology,
        "axis": concept.axis,
        "match": match,
        "name": name,
        "rule": rule,
        "score": _rounded(score),
        "assertion": assertion,
        "panel": ",".join(panels) or None,
        "vocabulary_version": concept.version,
    }


@lru_cache(maxsize=100_000)
def _rounded(score: float) -> float:
    """Remembered: a name is as likely wherever it stands, and rounding takes a third of the time of a mention."""
    return round(score, 4)
