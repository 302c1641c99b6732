"""Roles as options name them."""

from collections.abc import Sequence
from typing import get_args

import typer

from mitagger.client import models as m


def roles_of(names: Sequence[str]) -> list[m.Role]:
    """Raises BadParameter. (Typer reads no list of literals.)"""
    known: dict[str, m.Role] = {role: role for role in get_args(m.Role)}
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"{unknown[0]!r} is none of: {', '.join(known)}.", param_hint="--role")
    return [known[name] for name in names]
