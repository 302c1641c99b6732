"""Names of people and keys: how they are shown, and when two are one."""

import unicodedata
from typing import Final

from shared.errors import Invalid

LONGEST_NAME: Final = 100


def clean(name: str) -> str:
    """The name as it is shown. Raises Invalid."""
    shown = " ".join(unicodedata.normalize("NFC", name).split())
    if not 0 < len(shown) <= LONGEST_NAME or any(unicodedata.category(character)[0] == "C" for character in shown):
        raise Invalid(
            f"A name has 1 to {LONGEST_NAME} visible characters.", field="name", remedy="Choose another name."
        )
    return shown


def folded(name: str) -> str:
    """Names are one where they look the same: compatibility forms and case are folded."""
    return unicodedata.normalize("NFKC", " ".join(name.split())).casefold()
