"""Compile vocabularies into one artefact: what `artefact.Vocabularies` loads.

Names go into a tree of words by their key (`words.key`, `matcher`). Which names match, and how, is decided here:

- Names without a letter, and names of one or two characters never match; but two capitals do that name an imaging
  modality: those have two letters by convention (DICOM PS3.3 C.7.3.1.1.1: CT, MR, PT).
- Acronyms (`acronym`) match in their own case only.
- Synonyms, and all names of drugs, that are high-frequency English words never match. High frequency is Zipf 4 and more
  (van Heuven et al. 2014, doi:10.1080/17470218.2013.850521), measured by `wordfreq`. An acronym's own case is evidence
  worth a factor of ten: Zipf 5. Preferred names always match: "heart" is as frequent as "role".
- Names whose key is longer than 250 characters never match, which keeps matching linear in the text.

All names, matching or not, are found by lookup.
"""

import hashlib
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import marisa_trie
import numpy as np
import numpy.typing as npt

from shared.errors import Invalid, TooLarge
from shared.vocabulary import beginnings
from shared.vocabulary.axes import AXES
from shared.vocabulary.matcher import packed as matcher_of
from shared.vocabulary.source import MOST_NAMES, SCOPES, Name, Source, check, digest
from shared.vocabulary.variants import ABBREVIATED, AS_NAMED, CONVENTION, Language, conventions
from shared.vocabulary.words import key

LONGEST_KEY = 250
LONGEST_ACRONYM = 6
HIGH_FREQUENCY = 4.0
HIGH_FREQUENCY_ACRONYM = 5.0

# A variant that is a more frequent word than this has its own meaning (Zipf). Below it the scorer decides.
HIGH_FREQUENCY_VARIANT = 5.5
VARIED_SCOPES = ("LABEL", "EXACT", "SYNONYM")
LONGEST_COUNTED = 6  # words; names within names are counted up to this length

NO_AXIS = len(AXES)
MOST_SOURCES = 200  # their numbers have a byte
# What a thousand concepts are called says nothing, and would cost every text that says it. Of the defaults, "up
# regulation" has 325 meanings, nearly all by variants.
MOST_MEANINGS = 1_000

_CONNECTING = frozenset({"of", "and", "or", "to", "in", "by", "with", "from", "for", "at", "via", "as", "on"})

_MADE_BY = (
    *("compile.py", "matcher.py", "words.py", "source.py", "variants.py", "axes.py", "axes.json", "beginnings.py"),
    *("derivations.tsv", "abbreviations.tsv", "conventions.tsv"),
)

_TINY = re.compile(r"[\s_-]*(?:[^\s_-][\s_-]*){0,2}")
_MODALITY = re.compile(r"[A-Z]{2}")


@cache
def compiler() -> str:
    """The version of this compiler: a hash of the files and the packages on which it depends what it makes."""
    folder = Path(__file__).parent
    code = digest(*(folder / name for name in _MADE_BY))
    return "-".join((code[:12], version("marisa-trie"), version("wordfreq")))


def identity(parts: Iterable[tuple[str, str, str]]) -> str:
    """The name of the artefact that (name, version, digest) of sources compile to: a SHA-256 in hexadecimal."""
    made_of = [compiler(), *chain.from_iterable(parts)]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()


def acronym(name: str) -> bool:
    """Whether a name is one word of at most six letters and digits, at least half of them capitals or digits, and not
    a word with a number (five letters or more beside digits): MRI, mRNA, IL-6, p53; not Fas, COVID-19.
    """
    if len(name) > 2 * LONGEST_ACRONYM:  # no other signs stand between more than every two
        return False
    signs = [sign for sign in name if sign.isalnum()]
    letters = [sign for sign in signs if sign.isalpha()]
    strong = sum(not sign.islower() for sign in signs)
    return (
        len(signs) <= LONGEST_ACRONYM
        and not any(sign.isspace() for sign in name)
        and strong * 2 >= len(signs)
        and (len(letters) == len(signs) or len(letters) < 5)
    )


def compile_sources(sources: Sequence[Source]) -> bytes:
    """The artefact of these vocabularies, in bytes. The same sources give the same bytes.

    Raises Invalid where two sources have the same name, and what `source.check` raises; TooLarge where there are too
    many, or where one name is that of more than 1,000 concepts.
    """
    if len({source.name for source in sources}) < len(sources):
        raise Invalid("Two vocabularies have the same name.", remedy="Give each one its own.")
    if len(sources) > MOST_SOURCES or sum(len(source.names) for source in sources) > 2 * MOST_NAMES:
        raise TooLarge(
            f"At most {MOST_SOURCES} vocabularies with {2 * MOST_NAMES:,} names are used together.",
            remedy="Leave out those that are not tagged with.",
        )
    for source in sources:
        check(source)

    curies: list[str] = []
    axes: list[int] = []
    belongs: list[int] = []
    first_names: list[int] = []
    texts: list[str] = []
    of_concept: list[int] = []
    scopes: list[int] = []
    parents: list[tuple[int, int]] = []
    numbers: dict[str, list[int]] = {}
    for number, source in enumerate(sources):
        concepts: dict[str, list[Name]] = {}
        for name in source.names:
            concepts.setdefault(name.id, []).append(name)
        axis_of = source.placing()
        index = {identifier: len(curies) + i for i, identifier in enumerate(concepts)}
        parents += sorted({(index[a], index[b]) for a, b in source.parents if a in index and b in index and a != b})
        for identifier, names in concepts.items():
            names.sort(key=_rank)
            axis = axis_of(identifier, names[0].axis)
            first_names.append(len(texts))
            axes.append(AXES.index(axis) if axis else NO_AXIS)
            belongs.append(number)
            for name in names:
                texts.append(name.name)
                scopes.append(SCOPES.index(name.scope))
                of_concept.append(len(curies))
            numbers.setdefault(identifier, []).append(len(curies))
            curies.append(identifier)
    first_names.append(len(texts))

    keys = [key(text) for text in texts]
    frequent = _Frequent()
    entries = _Entries(texts, keys, frequent)
    language = Language(frequent.zipf)
    for i, text in enumerate(texts):
        concept, preferred = of_concept[i], SCOPES[scopes[i]] == "LABEL"
        entries.add_name(i, preferred=preferred, axis=axes[concept])
        if SCOPES[scopes[i]] in VARIED_SCOPES and not acronym(text):
            for variant in language.variants(text, curies[concept].partition(":")[0]):
                entries.add_variant(i, variant.text, variant.rule)
    for curie, said in conventions():
        for concept in numbers.get(curie, ()):
            entries.add_variant(first_names[concept], said, CONVENTION)
    used = _used(keys, first_names, belongs)
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "concept_source": np.array(belongs, np.uint8),
        "concept_axis": np.array(axes, np.uint8),
        "concept_first_name": np.array(first_names, np.uint32),
        "name_concept": np.array(of_concept, np.uint32),
        "name_scope": np.array(scopes, np.uint8),
        "concept_used": used,
        **entries.packed(),
        **_texts("curie", curies),
        **_texts("name", texts),
        **_index("identifier", ((curie, i) for i, curie in enumerate(curies))),
        **beginnings.packed(texts, scopes, used[of_concept], np.array(axes, np.uint8)[of_concept]),
        **_grouped("parent", [child for child, _ in parents], [parent for _, parent in parents], len(curies)),
    }
    about = {
        "compiler": compiler(),
        "identity": identity((source.name, source.version, source.digest) for source in sources),
        "sources": [
            {"name": source.name, "version": source.version, "iri_prefix": dict(sorted(source.iri_prefix.items()))}
            for source in sources
        ],
    }
    arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, **arrays)  # type: ignore[arg-type]
    return packed.getvalue()


def _rank(name: Name) -> int:
    return SCOPES.index(name.scope)


class _Frequent:
    """Zipf frequencies of English words, read once (0.1 s, 30 MB) and only while compiling."""

    def __init__(self) -> None:
        import wordfreq  # noqa: PLC0415 - 20 MB and 0.2 s that only compiling needs

        self._frequencies: Mapping[str, float] = wordfreq.get_frequency_dict("en", "best")

    def zipf(self, word: str) -> float:
        """log10 of occurrences in a billion words; 0 for unknown ones."""
        found = self._frequencies.get(word)
        return 9 + math.log10(found) if found else 0.0

    def most(self, text: str, normal: str) -> float:
        """The frequency of a name of one word, as written or folded; 0 for longer ones."""
        if normal.count(" ") > 1:
            return 0.0
        return max(self.zipf(text.casefold()), self.zipf(normal[:-1]))


class _Entries:
    """What matches: for each key the names that it stands for, by which rule, and how frequent the word is."""

    def __init__(self, names: Sequence[str], keys: Sequence[str], frequent: _Frequent) -> None:
        self._names = names
        self._name_keys = keys
        self._frequent = frequent
        self._keys: list[str] = []
        self._name: list[int] = []
        self._rule: list[int] = []
        self._zipf: list[float] = []
        self._said: list[int] = []  # of what matches in its own case only, the number of its text plus one
        self._texts: list[str] = []
        self._seen: set[str] = set()  # of the name at hand
        self._meanings: Counter[str] = Counter()

    def add_name(self, number: int, *, preferred: bool, axis: int) -> None:
        text, normal = self._names[number], self._name_keys[number]
        self._seen = {normal}
        if not normal or len(normal) > LONGEST_KEY or not any(sign.isalpha() for sign in text):
            return
        if _TINY.fullmatch(text) and not (axis == AXES.index("imaging") and _MODALITY.fullmatch(text)):
            return
        is_acronym = acronym(text)
        zipf = self._frequent.most(text, normal)
        always = (preferred and axis != AXES.index("pharmaceutical")) or normal.count(" ") > 1
        if not always and zipf >= (HIGH_FREQUENCY_ACRONYM if is_acronym else HIGH_FREQUENCY):
            return
        if self._meanings[normal] >= MOST_MEANINGS:
            raise TooLarge(
                f"More than {MOST_MEANINGS:,} concepts are called {text[:80]!r}.",
                remedy="Leave out that name, or the vocabulary: it says nothing.",
            )
        self._add(normal, number, AS_NAMED, zipf, text if is_acronym else None)

    def add_variant(self, number: int, text: str, rule: int) -> None:
        normal = key(text)
        if not normal or normal in self._seen or len(normal) > LONGEST_KEY:
            return
        self._seen.add(normal)
        said = normal.split(" ")
        if said[0] in _CONNECTING or said[-2] in _CONNECTING:
            return
        zipf = self._frequent.most(text, normal)
        if self._meanings[normal] >= MOST_MEANINGS:
            return
        if rule not in (ABBREVIATED, CONVENTION) and (_TINY.fullmatch(text) or zipf > HIGH_FREQUENCY_VARIANT):
            return
        cased = rule == ABBREVIATED and (acronym(text) or _TINY.fullmatch(text))
        self._add(normal, number, rule, zipf, text if cased else None)

    def _add(self, normal: str, number: int, rule: int, zipf: float, said: str | None) -> None:
        self._meanings[normal] += 1
        self._keys.append(normal)
        self._name.append(number)
        self._rule.append(rule)
        self._zipf.append(zipf)
        if said is not None:
            self._texts.append(said)
        self._said.append(0 if said is None else len(self._texts))

    def packed(self) -> dict[str, npt.NDArray[np.generic]]:
        matcher, numbers = matcher_of(self._keys)
        return {
            **matcher,
            "entry_name": np.array(self._name, np.uint32),
            "entry_rule": np.array(self._rule, np.uint8),
            "entry_zipf": np.array(self._zipf, np.float16),
            "entry_said": np.array(self._said, np.uint32),
            **_texts("said", self._texts),
            **_grouped("key", numbers, range(len(numbers)), len(set(self._keys))),
        }


def _used(keys: Sequence[str], first_names: Sequence[int], belongs: Sequence[int]) -> npt.NDArray[np.generic]:
    """For each concept, in how many preferred names of its vocabulary its own stands as a part: how general it is."""
    labels = [(belongs[concept], keys[first_names[concept]]) for concept in range(len(belongs))]
    counts = dict.fromkeys(labels, 0)
    for vocabulary, normal in counts:
        said = normal.split(" ")[:-1]
        if len(said) <= 2 * LONGEST_COUNTED:
            for length in range(1, min(LONGEST_COUNTED, len(said) - 1) + 1):
                for at in range(len(said) - length + 1):
                    part = (vocabulary, " ".join((*said[at : at + length], "")))
                    if part in counts:
                        counts[part] += 1
    return np.array([min(counts[label], 65_535) for label in labels], np.uint16)


def _index(name: str, rows: Iterable[tuple[str, int]]) -> dict[str, npt.NDArray[np.generic]]:
    """A trie of strings, and for each of its keys, by the trie's number, the numbers that stand with it."""
    pairs = list(rows)
    trie = marisa_trie.Trie(sorted({text for text, _ in pairs}))
    numbers = dict(trie.items())
    return {
        f"{name}_trie": np.frombuffer(trie.tobytes(), np.uint8),
        **_grouped(name, [numbers[text] for text, _ in pairs], [value for _, value in pairs], len(numbers)),
    }


def _grouped(
    name: str, groups: Sequence[int] | npt.NDArray[np.int64], values: Sequence[int], count: int
) -> dict[str, npt.NDArray[np.generic]]:
    """Values by group: those of group g stand in `NAME_values[NAME_start[g]:NAME_start[g + 1]]`, in their order."""
    of_value = np.asarray(groups, np.int64)
    counts = np.bincount(of_value, minlength=count)
    return {
        f"{name}_start": np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32),
        f"{name}_values": np.array(values, np.uint32)[np.argsort(of_value, kind="stable")],
    }


def _texts(name: str, texts: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)])
    return {f"{name}_text_start": ends.astype(np.uint32), f"{name}_text": np.frombuffer(b"".join(encoded), np.uint8)}
