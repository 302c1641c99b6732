"""The form in which names and texts are compared, word by word, with exact offsets.

A word is a run of letters and digits, a Greek letter, or any other sign alone; white space, hyphens, dashes and
underscores only part words, so "T-cell" equals "T cell". Each word is folded: case, diacritics and compatibility forms
go (Unicode NFKD), Greek letters become their names, possessives and plurals their singular, British spellings the
American ones; "the" goes. Matches begin and end with words, so that whatever folding does to their insides, offsets
stay those of the original text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

GREEK = "\u0391-\u03c9\u00b5"
# Combining marks, zero-width characters and the soft hyphen belong to the word that they stand in.
MARKS = "\u0300-\u036f\u00ad\u200b-\u200d\u2060\ufeff"
LETTER = re.compile(rf"[^\W_{GREEK}]")  # or digit; Greek letters are words of their own
MARK = re.compile(f"[{MARKS}]")
_WORD = re.compile(
    rf"[^\W_{GREEK}]+(?:[{MARKS}]+[^\W_{GREEK}]*)*(?:['’]s(?!\w))?"
    rf"|[{GREEK}][{MARKS}]*"
    rf"|[^\w\s\-\u2010-\u2015\u2212{MARKS}]"
)

# Plurals of English, then of Latin and Greek, as school grammars list them: an ending, what stands for it, and the
# shortest word to which that applies; of each list the first that fits. Both sides are folded: a rule need not give a
# word ("analysis" and "analyses" meet in "analyse"); it must not make different words meet.
_ENGLISH = (
    ("sses", "ss", 5),
    ("shes", "sh", 5),
    ("ches", "ch", 5),
    ("xes", "x", 4),
    ("uses", "us", 5),
    ("ies", "y", 5),
    ("ss", "ss", 4),
    ("us", "us", 4),
    ("is", "is", 4),
    ("s", "", 4),
)
_CLASSICAL = (
    ("use", "us", 4),
    ("itis", "itis", 6),
    ("is", "e", 5),
    ("ae", "a", 4),
    ("ium", "ia", 5),
    ("ion", "ia", 5),
    ("um", "a", 4),
    ("i", "us", 4),
)
_IRREGULAR = {
    "children": "child",
    "feet": "foot",
    "men": "man",
    "mice": "mouse",
    "teeth": "tooth",
    "women": "woman",
}


_LIGATURE = 6  # letters of the shortest word whose "ae" and "oe" are one with "e"


def words(text: str, start: int = 0) -> Iterator[re.Match[str]]:
    """The words of a text in order, from a place on, as matches: `.group()`, `.span()` in code points."""
    return _WORD.finditer(text, start)


@lru_cache(maxsize=200_000)
def fold(word: str) -> str:
    """The form under which a word of `words` is compared; empty where nothing is left to compare."""
    plain = cased(word).casefold()
    plain = _IRREGULAR.get(plain, plain)
    if not plain.isalpha():
        return plain
    if plain == "the":
        return ""
    plain = _ended(_ended(plain, _ENGLISH), _CLASSICAL)
    # British and American spelling: "haematoxylin", "oesophagus".
    return plain.replace("ae", "e").replace("oe", "e") if len(plain) >= _LIGATURE and "e" in plain else plain


def _ended(word: str, rules: Iterable[tuple[str, str, int]]) -> str:
    for ending, replacement, shortest in rules:
        if len(word) >= shortest and word.endswith(ending):
            return word[: -len(ending)] + replacement
    return word


def cased(word: str) -> str:
    """A word without its possessive, diacritics, marks and compatibility forms, but in its own case."""
    if word.endswith(("'s", "’s")):
        word = word[:-2]
    if word.isascii():
        return word
    return "".join(_spelled(sign) for sign in unicodedata.normalize("NFKD", word))


def _spelled(sign: str) -> str:
    category = unicodedata.category(sign)
    if category in ("Mn", "Cf", "Cs") or sign.isspace():
        return ""
    if "\u0391" <= sign <= "\u03c9" and category in ("Lu", "Ll"):
        return unicodedata.name(sign).rsplit(" ", 1)[-1].lower()
    return sign


def key(text: str) -> str:
    """The folded words of a name, each followed by a space: what two equal names have in common."""
    return "".join([folded + " " for word in _WORD.findall(text) if (folded := fold(word))])


def spoken(text: str) -> set[str]:
    """The words of a name as one types them, without folding plurals, so that their beginnings are found."""
    return {folded for word in _WORD.findall(text) if (folded := cased(word).casefold())}


def cased_key(text: str) -> str:
    """As `key`, but unfolded and in the text's own case."""
    return " ".join([plain for word in _WORD.findall(text) if (plain := cased(word))])
