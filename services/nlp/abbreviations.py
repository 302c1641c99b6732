"""Abbreviations that a text defines, each with its long form.

In brackets, "long form (SF)" and "SF (long form)": Schwartz & Hearst, "A simple algorithm for identifying abbreviation
definitions in biomedical text", Pac Symp Biocomput 2003, 451-462. In lists, as legends end with them, "SF, long form;
SF, long form", also with a colon, dash or equals sign: our own rules, with the letter match of that paper.
"""

import re
from collections.abc import Iterator, Sequence

from services.nlp.sentences import Span
from services.nlp.signs import LONGEST as LONGEST_LONG
from services.nlp.signs import Signs, signs_of
from shared.findings import Abbreviation

# Schwartz & Hearst: a short form has 2 to 10 characters in at most two words; the long form has at most
# min(|SF| + 5, 2 |SF|) words.
SHORTEST, LONGEST, SHORT_WORDS = 2, 10, 2
# Ours: longer stretches are prose, and more definitions are no legend. They bound time and the size of the event.
MOST_DEFINITIONS = 500
LONGEST_LONE_ITEM = 60

_ASIDE = re.compile(r"[,;]\s")
_LAST_WORD = re.compile(r"(\S{2,10})\s?$")
_WORDS = re.compile(r"[^\s-]+")
_HEADER = re.compile(r"(?:list of )?(?:abbreviations?|labels?|key)(?: used)?(?: are)?\s?:\s?", re.IGNORECASE)
_HEADED = frozenset("aAkKlL\u212a")  # with which a header may begin; the last is the sign of kelvin
_SHORT = r"[^\W_][\w/+*'′&.-]{0,11}"
_LONG = rf"[^\W_][^,;:=()]{{1,{LONGEST_LONG}}}"
_ITEM = re.compile(rf"\s?(?:and )?({_SHORT})(?:\s?[,:=]|\s[–—-])\s?({_LONG}?)(?:,[^;]*|\s?\.?\s?)")
_DELIMITER = re.compile(r"[,:=–—-]")  # without one there is no item
# Genotypes, panels and footnote marks stand in brackets too, and so do these words.
_NO_SHORT_FORM = re.compile(
    r"[+=,–—−*′@]|^(?:arrow|arrowhead|asterisk|star|bold|left|right|top|bottom|panel|lane|inset|merge|green|red|blue)s?$",
    re.IGNORECASE,
)
# No term begins with one of these; Schwartz & Hearst would take "of arthritis" for OA.
_NO_BEGINNING = re.compile(r"(?:an?|and|at|by|for|from|in|is|of|on|or|the|to|was|were|with)\b", re.IGNORECASE)
_EQUATION = re.compile(rf"(?<![\w/-])({_SHORT})\s?=\s?([^\W\d_][^,;:=()]{{1,{LONGEST_LONG}}}?)(?=[,;:()]|\.?\s?$|\.\s)")

Definition = tuple[str, Span]


def abbreviations(text: str, sentences: Sequence[Span], signs: Signs | None = None) -> list[Abbreviation]:
    """The definitions, in order of their long forms. One that is repeated is given once; at most 500 are. `signs` are
    those of the text by `signs_of`."""
    brackets = (signs or signs_of([text])[0]).brackets
    found: dict[tuple[str, str], Abbreviation] = {}
    at = 0
    for sentence in sentences:
        first = at
        while at < len(brackets) and brackets[at][0] < sentence[1]:
            at += 1
        definitions = [*_brackets(text, sentence, brackets[first:at])] if at > first else []
        if _may_be_list(text, *sentence):
            definitions += _lists(text, sentence)
        for short, (start, end) in definitions:
            long = text[start:end]
            found.setdefault((short, long), Abbreviation(short, long, start, end))
        if len(found) >= MOST_DEFINITIONS:
            break
    if not found:
        return []
    return sorted(list(found.values())[:MOST_DEFINITIONS], key=lambda each: each.start)


def _brackets(text: str, sentence: Span, brackets: Sequence[Span]) -> Iterator[Definition]:
    # A long form never reaches back beyond the bracket before it: so each character is looked at once.
    start = sentence[0]
    for left, right in brackets:
        if right >= sentence[1]:
            return
        if right - left > SHORTEST:  # more than one character within
            within = text[left + 1 : right]
            inner = _ASIDE.split(within, maxsplit=1)[0].strip() if "," in within or ";" in within else within.strip()
            if _is_short_form(inner):
                if long := _before(inner, text, start, left):
                    yield inner, long
            elif len(within) > SHORTEST:  # a long form is longer than its short one
                first = max(start, left - LONGEST - 1)
                word = _LAST_WORD.search(text, first, left) if _may_begin_with(within, text[first:left]) else None
                if word and _is_short_form(word[1]):
                    long = _long_form(word[1], text, (left + 1, right))
                    if long and long[0] == left + 1:
                        yield word[1], long
        start = right + 1


def _may_begin_with(within: str, before: str) -> bool:
    """Whether the first word within a bracket has the first letter of the last one before it."""
    words = before.split()
    first = words[-1][-LONGEST:][0] if words else ""
    return not first.isascii() or first.lower() in within.partition(" ")[0].lower()


def _before(short: str, text: str, start: int, end: int) -> Span | None:
    """The long form of a short one before the bracket in which it stands."""
    before = text[start:end]
    if before.isascii() and short[0].lower() not in before.lower():
        return None
    words = [word.start() for word in _WORDS.finditer(text, start, end)][-min(len(short) + 5, 2 * len(short)) :]
    return _long_form(short, text, (words[0], end)) if words else None


def _may_be_list(text: str, start: int, end: int) -> bool:
    if end - start <= LONGEST_LONE_ITEM:
        return _DELIMITER.search(text, start, end) is not None
    return text[start] in _HEADED or text.find(";", start, end) >= 0 or text.find("=", start, end) >= 0


def _lists(text: str, sentence: Span) -> Iterator[Definition]:
    start, end = sentence
    if text.find("=", start, end) >= 0:
        for equation in _EQUATION.finditer(text, start, end):
            long = _long_form(equation[1], text, equation.span(2))
            if long and long[0] == equation.start(2):
                yield equation[1], long
        return
    header = _HEADER.match(text, start, end)
    if not header and text.find(";", start, end) < 0 and end - start > LONGEST_LONE_ITEM:
        return
    items: list[Definition] = []
    item_start = header.end() if header else start
    for piece in text[item_start:end].split(";"):
        item = _ITEM.fullmatch(text, item_start, item_start + len(piece))
        if item and not _NO_SHORT_FORM.search(item[1]):
            items.append((item[1], item.span(2)))
        item_start += len(piece) + 1
    if header:
        yield from items
        return
    # Without a header, "red: actin; blue: nuclei" looks alike: the letters decide.
    matching = [item for item in items if len(item[0]) >= SHORTEST and _begins(item, text)]
    if len(items) > 1 and 2 * len(matching) >= len(items):
        yield from (item for item in items if len(item[0]) >= SHORTEST)
    elif len(items) == 1:
        yield from matching


def _begins(item: Definition, text: str) -> bool:
    long = _long_form(item[0], text, item[1])
    return long is not None and long[0] == item[1][0]


def _is_short_form(text: str) -> bool:
    if not SHORTEST <= len(text) <= LONGEST or not text[0].isalnum():
        return False
    words = text.split()
    return (
        (
            len(words) == 1
            or (len(words) <= SHORT_WORDS and all(len(word) == 1 or word.lower() != word for word in words))
        )
        and any(map(str.isalpha, text))
        and not _NO_SHORT_FORM.search(text)
    )


def _long_form(short: str, text: str, within: Span) -> Span | None:
    """The shortest stretch at the end of `within` that has the letters of `short` in order, the first of them at the
    start of a word (Schwartz & Hearst, figure 1), or None where there is none or their last tests refuse it."""
    start, end = within
    said = text[start:end].rstrip()
    end = start + len(said)
    lowered = said.lower() if said.isascii() else "".join(map(_lowered, said))
    at = len(said)
    for index in range(len(short) - 1, -1, -1):
        letter = short[index].lower()
        if not letter.isalnum():
            continue
        at = lowered.rfind(letter, 0, at)
        while index == 0 and at >= 0 and not _may_begin(text, start, start + at):
            at = lowered.rfind(letter, 0, at)
        if at < 0:
            return None
    at += start
    begin = at
    while begin > start and (text[begin - 1] == "-" or text[begin - 1].isalnum()):
        begin -= 1
    long = text[begin:end]
    words = long.replace("-", " ").split()
    letters = sum(map(str.isalnum, short))
    if len(long) <= len(short) or short in long.split() or len(words) > min(letters + 5, 2 * letters):
        return None
    return begin, end


def _lowered(sign: str) -> str:
    """In lower case, if that is one character."""
    lower = sign.lower()
    return lower if len(lower) == 1 else sign


def _may_begin(text: str, start: int, at: int) -> bool:
    return (at == start or not (text[at - 1].isalnum() or text[at - 1] in "'’")) and not _NO_BEGINNING.match(text, at)
