"""Wrong usage, said in plain words. Typer has pydantic check what is typed, and passes its sentences on."""

from typing import Any, Final

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

# By the type of pydantic's error (docs.pydantic.dev, "Validation errors"); `typed` is what stands on the command line.
_SAID: Final = {
    "greater_than_equal": "{typed} is too small; give {ge} or more.",
    "greater_than": "{typed} is too small; give more than {gt}.",
    "less_than_equal": "{typed} is too large; give {le} or less.",
    "less_than": "{typed} is too large; give less than {lt}.",
    "int_parsing": "{typed} is no whole number.",
    "int_from_float": "{typed} is no whole number.",
    "float_parsing": "{typed} is no number.",
    "datetime_parsing": "{typed} is no date; write it as 2026-11-30.",
    "datetime_from_date_parsing": "{typed} is no date; write it as 2026-11-30.",
}


class Plain(TyperGroup):
    """The group of all commands."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):
                error.message = plain(error.__cause__)
            raise


def plain(error: ValidationError) -> str:
    """The first thing that is wrong."""
    first = error.errors(include_url=False)[0]
    said = _SAID.get(first["type"])
    if said is None:
        # Also what typer says itself, of choices.
        return first["msg"].removeprefix("Value error, ")
    return said.format(typed=first["input"], **first.get("ctx", {}))
