"""SSSOM (mapping-commons.github.io/sssom, version 1.0): mappings as a table of tab-separated values.

Metadata stand before the table, YAML behind "#": of these, `curie_map` (the IRI that each prefix stands for) and
`mapping_set_version` are read. Of the columns: subject_id, subject_label, predicate_id, predicate_modifier, object_id,
object_label, mapping_justification, confidence, and reviewer_agreement. docs/decisions/0030-mappings.md says why no
library reads it.
"""

from collections.abc import Mapping
from typing import BinaryIO, Final

import yaml

from shared.errors import Invalid
from shared.vocabulary.formats.content import Reader
from shared.vocabulary.pairs import CURATED, KINDS, NO_TERM, Pair, Pairs, Prefixes, Unnamed

LONGEST_HEADER: Final = 1024**2  # characters; Biomappings' has 20,000
NEEDED: Final = ("subject_id", "predicate_id", "object_id")
READ: Final = (
    *NEEDED,
    *("subject_label", "object_label", "predicate_modifier", "mapping_justification", "confidence"),
    "reviewer_agreement",
)
_REMEDY: Final = "Give SSSOM as TSV: metadata behind '#', then a header with subject_id, predicate_id, object_id."

# BaseLoader makes strings, lists and dictionaries only, and follows no merge key: a document cannot grow by it.
_Loader: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def read(file: BinaryIO, name: str, reader: Reader, pairs: Pairs) -> None:
    """Adds the mappings of a file. Raises Invalid where it is no SSSOM, TooLarge."""
    header: list[str] = []
    size = 0
    columns: dict[str, int] | None = None
    prefixes = Prefixes({})
    for line, text in reader.lines(file, name):
        if columns is None and text.startswith("#"):
            size += len(text)
            if size > LONGEST_HEADER:
                raise Invalid(f"The metadata of {name} have more than {LONGEST_HEADER:,} characters.", remedy=_REMEDY)
            header.append(text[1:])
        elif columns is None:
            prefixes = _about("\n".join(header), name, pairs)
            columns = _columns(text, name, line)
        elif text:
            cells = _cells(text)
            row = {title: cells[at] if at < len(cells) else "" for title, at in columns.items()}
            if problem := _take(row, prefixes, pairs):
                reader.skip(name, line, problem)
    if columns is None:
        raise Invalid(f"{name} holds no table.", remedy=_REMEDY)


def _about(header: str, name: str, pairs: Pairs) -> Prefixes:
    try:
        about = yaml.load(header, Loader=_Loader) or {}  # noqa: S506 - makes nothing but texts and containers
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Invalid(
            f"The metadata of {name} are no YAML: {' '.join(str(error).split())[:200]}.", remedy=_REMEDY
        ) from error
    curie_map = about.get("curie_map") if isinstance(about, Mapping) else None
    if not isinstance(about, Mapping) or not isinstance(curie_map or {}, Mapping):
        raise Invalid(f"The metadata of {name} are not built as SSSOM says.", remedy=_REMEDY)
    version = about.get("mapping_set_version")
    if isinstance(version, str) and not pairs.version:
        pairs.version = version
    prefixes = Prefixes({k: v for k, v in (curie_map or {}).items() if isinstance(k, str) and isinstance(v, str)})
    pairs.add_iris(prefixes.iris)
    return prefixes


def _columns(text: str, name: str, line: int) -> dict[str, int]:
    titles = _cells(text)
    if missing := [one for one in NEEDED if one not in titles]:
        raise Invalid(f"{name}, line {line}: there is no column {missing[0]}.", remedy=_REMEDY)
    return {one: titles.index(one) for one in READ if one in titles}


def _cells(text: str) -> list[str]:
    """Quotes round a cell are of the table, as in CSV (RFC 4180), where one has a tab: none of these is read."""
    cells = (cell.strip() for cell in text.split("\t"))
    return [cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell for cell in cells]


def _take(row: Mapping[str, str], prefixes: Prefixes, pairs: Pairs) -> str:
    """Adds a row, or leaves it out; what is wrong with it, where it cannot be read. Raises TooLarge."""
    if missing := [one for one in NEEDED if not row[one]]:
        return f"{missing[0]} is empty."
    kind = KINDS.get(row["predicate_id"])
    agreement = _number(row.get("reviewer_agreement", ""))
    # A reviewer who does not agree (0 or less): as in the file "unsure" of Biomappings.
    if NO_TERM in (row["subject_id"], row["object_id"]) or kind is None or (agreement is not None and agreement <= 0):
        pairs.left_out += 1
        return ""
    modifier, stated = row.get("predicate_modifier", ""), row.get("confidence", "")
    if modifier not in ("", "Not"):
        return f"{modifier[:40]!r} is no predicate_modifier (Not)."
    confidence = _number(stated)
    if stated and (confidence is None or not 0 <= confidence <= 1):
        return f"the confidence {stated[:40]!r} is not between 0 and 1."
    try:
        subject, object = prefixes.curie(row["subject_id"]), prefixes.curie(row["object_id"])
    except Unnamed as error:
        return str(error)
    pairs.add(
        Pair(
            subject,
            kind,
            object,
            negated=modifier == "Not",
            curated=row.get("mapping_justification") == CURATED,
            confidence=confidence,
            subject_label=row.get("subject_label", ""),
            object_label=row.get("object_label", ""),
        )
    )
    return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
