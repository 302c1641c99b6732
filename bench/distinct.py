"""Legends that are like those of the corpus and all different: its sentences in other company, with other numbers."""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Final

LENGTH: Final = 900  # code points; the average of the corpus


def distinct(legends: Sequence[str], seed: int) -> Iterator[str]:
    """Without end; other seeds give other ones."""
    dice = random.Random(seed)
    sentences = [one for legend in legends for one in re.split(r"(?<=[.;])\s+", legend) if 20 < len(one) < 400]
    while True:
        text = ""
        while len(text) < LENGTH:
            text += re.sub(r"\d", lambda _: str(dice.randrange(10)), dice.choice(sentences)) + " "
        yield text[:LENGTH].strip()
