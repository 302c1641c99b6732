"""Many texts at once are cut and matched as each alone, word by word, whatever stands in them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.vocabulary.artefact import Vocabularies
from shared.vocabulary.cutting import cut
from shared.vocabulary.words import fold, key, words
from tests.support.vocabularies import vocabularies

NAMES = ("alpha cell", "alpha", "cell", "cell of the nose", "nose", "beta cell line", "TNF α", "e\u0301tat", "cells' s")
PIECES = st.sampled_from([
    *NAMES, " ", " ", "-", "\n", "\t", "_", "'", "’", "'s", "s", "α", "µ", "\u03a2", "\u0301", "\u00ad", "\u200b",
    "\u202e", "\u2066", "&alpha;", "&#945;", r"$\alpha$", "½", ".", "\u2212", "É", "ß", "日", "\U0001d6fc", "😀", "the",
    "\x1c", "CELLS", "noses", "İ", "ﬁ",
])  # fmt: skip
TEXTS = st.lists(st.lists(PIECES, max_size=12).map("".join), max_size=4)
LOADED: Vocabularies = vocabularies(X=[(f"X:{number}", name, "LABEL") for number, name in enumerate(NAMES)])
KEYS = {key(name): number for number, name in enumerate(NAMES)}


@settings(max_examples=300)
@given(TEXTS.filter(bool))
def test_texts_are_cut_as_each_alone(texts: list[str]) -> None:
    found = cut(texts)
    expected = []
    for text, begin in zip(texts, found.begins.tolist(), strict=True):
        expected += [(begin + word.start(), begin + word.end()) for word in words(text)]
        expected.append((begin + len(text), begin + len(text) + 1))
    assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == expected


def one_by_one(text: str) -> list[tuple[int, int, str]]:
    """(start, end, key): the plainest matcher."""
    said = [(word.span(), folded) for word in words(text) if (folded := fold(word.group()))]
    found = []
    for first in range(len(said)):
        for after in range(first + 1, len(said) + 1):
            normal = "".join(folded + " " for _, folded in said[first:after])
            if normal in KEYS:
                found.append((said[first][0][0], said[after - 1][0][1], normal))
    return found


@settings(max_examples=300)
@given(TEXTS)
def test_every_name_is_found_at_exact_offsets(texts: list[str]) -> None:
    for text, hits in zip(texts, LOADED.hits(texts), strict=True):
        named = []
        for start, end, number in hits:
            names = [LOADED.name(entry.name)[0] for entry in LOADED.entries(number) if entry.rule == 0]
            if names:
                named.append((start, end, key(names[0])))
        assert named == one_by_one(text)
