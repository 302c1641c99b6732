"""Keyset paging, the same on every engine: what a sort says, and cursors that belong to it."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from shared.errors import Invalid


def order(sort: Sequence[str]) -> tuple[list[str], bool]:
    """The fields of a sort, and whether it goes down. Raises Invalid when it goes both ways."""
    descending = bool(sort) and sort[0].startswith("-")
    if any(field.startswith("-") != descending for field in sort):
        raise Invalid("A sort goes up or down in all its fields.", field="sort")
    return [field.removeprefix("-") for field in sort], descending


def cursor(sort: Sequence[str], values: Sequence[Any]) -> str:
    """Points behind the document with these values in the fields of the sort, and this id at the end."""
    return base64.urlsafe_b64encode(json.dumps([list(sort), list(values)]).encode()).decode()


def cursor_values(cursor: str, sort: Sequence[str]) -> list[Any]:
    """The values that `cursor` was made of. Raises Invalid when it is not one of this sort."""
    try:
        of, values = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if of == list(sort) and len(values) == len(sort) + 1 and all(map(_storable, values)):
            return list(values)
    except (ValueError, TypeError, RecursionError, binascii.Error):
        pass
    raise Invalid("That cursor is not one of this list.", field="cursor", remedy="Start again without one.")


def _storable(value: object) -> bool:
    """Whether a document can hold it: a number of 64 bits, or text without half surrogates."""
    if isinstance(value, str):
        return not any("\ud800" <= sign <= "\udfff" for sign in value)
    return isinstance(value, int | float) and abs(value) < 1 << 63
