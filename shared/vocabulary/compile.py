"""Compile vocabularies into one artefact: what `artefact.Vocabularies` loads.

Names go into a trie by their key (`words.key`), so that a text is matched by asking for the names that begin at each of
its words. Which names match, and how, is decided here:

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
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import marisa_trie
import numpy as np
import numpy.typing as npt

from shared.errors import Invalid
from shared.events.recommendation import Axis
from shared.vocabulary.axes import AXES, axis_of
from shared.vocabulary.source import SCOPES, Name, Source, digest
from shared.vocabulary.words import key, spoken

LONGEST_KEY = 250
LONGEST_ACRONYM = 6
HIGH_FREQUENCY = 4.0
HIGH_FREQUENCY_ACRONYM = 5.0

NO_AXIS = len(AXES)

_TINY = re.compile(r"[\s_-]*(?:[^\s_-][\s_-]*){0,2}")
_MODALITY = re.compile(r"[A-Z]{2}")


@cache
def compiler() -> str:
    """The version of this compiler: a hash of the files and the packages on which it depends what it makes."""
    folder = Path(__file__).parent
    code = digest(*(folder / name for name in ("compile.py", "words.py", "source.py", "axes.json")))
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

    Raises Invalid where two sources have the same name or one has no names.
    """
    if len({source.name for source in sources}) < len(sources):
        raise Invalid("Two vocabularies have the same name.", remedy="Give each one its own.")
    for source in sources:
        if not source.names:
            raise Invalid(f"The vocabulary {source.name} has no names.")

    curies: list[str] = []
    axes: list[int] = []
    belongs: list[int] = []
    first_names: list[int] = []
    texts: list[str] = []
    of_concept: list[int] = []
    scopes: list[int] = []
    parents: list[tuple[int, int]] = []
    for number, source in enumerate(sources):
        concepts: dict[str, list[Name]] = {}
        for name in source.names:
            concepts.setdefault(name.id, []).append(name)
        index = {identifier: len(curies) + i for i, identifier in enumerate(concepts)}
        parents += sorted({(index[a], index[b]) for a, b in source.parents if a in index and b in index and a != b})
        for identifier, names in concepts.items():
            names.sort(key=_rank)
            axis: Axis | None = names[0].axis or axis_of(source.name, identifier)
            first_names.append(len(texts))
            axes.append(AXES.index(axis) if axis else NO_AXIS)
            belongs.append(number)
            for name in names:
                texts.append(name.name)
                scopes.append(SCOPES.index(name.scope))
                of_concept.append(len(curies))
            curies.append(identifier)
    first_names.append(len(texts))

    keys = [key(text) for text in texts]
    frequent = _Frequent()
    acronyms = [acronym(text) for text in texts]
    matching = [
        _matches(
            texts[i],
            keys[i],
            frequent,
            is_acronym=acronyms[i],
            preferred=SCOPES[scopes[i]] == "LABEL",
            axis=axes[of_concept[i]],
        )
        for i in range(len(texts))
    ]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "concept_source": np.array(belongs, np.uint8),
        "concept_axis": np.array(axes, np.uint8),
        "concept_first_name": np.array(first_names, np.uint32),
        "name_concept": np.array(of_concept, np.uint32),
        "name_scope": np.array(scopes, np.uint8),
        "name_acronym": np.array(acronyms, np.bool_),
        **_texts("curie", curies),
        **_texts("name", texts),
        **_index("identifier", ((curie, i) for i, curie in enumerate(curies))),
        **_index("key", ((keys[i], i) for i, good in enumerate(matching) if good)),
        **_index("word", ((word, i) for i, text in enumerate(texts) for word in spoken(text))),
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


def _matches(text: str, normal: str, frequent: _Frequent, *, is_acronym: bool, preferred: bool, axis: int) -> bool:
    if not normal or len(normal) > LONGEST_KEY or not any(sign.isalpha() for sign in text):
        return False
    if _TINY.fullmatch(text) and not (axis == AXES.index("imaging") and _MODALITY.fullmatch(text)):
        return False
    if (preferred and axis != AXES.index("pharmaceutical")) or normal.count(" ") > 1:
        return True
    zipf = max(frequent.zipf(text.casefold()), frequent.zipf(normal[:-1]))
    return zipf < (HIGH_FREQUENCY_ACRONYM if is_acronym else HIGH_FREQUENCY)


def _index(name: str, rows: Iterable[tuple[str, int]]) -> dict[str, npt.NDArray[np.generic]]:
    """A trie of strings, and for each of its keys, by the trie's number, the numbers that stand with it."""
    pairs = list(rows)
    trie = marisa_trie.Trie(sorted({text for text, _ in pairs}))
    numbers = dict(trie.items())
    return {
        f"{name}_trie": np.frombuffer(trie.tobytes(), np.uint8),
        **_grouped(name, [numbers[text] for text, _ in pairs], [value for _, value in pairs], len(numbers)),
    }


def _grouped(name: str, groups: Sequence[int], values: Sequence[int], count: int) -> dict[str, npt.NDArray[np.generic]]:
    """Values by group: those of group g stand in `NAME_values[NAME_start[g]:NAME_start[g + 1]]`, in their order."""
    of_value = np.array(groups, np.int64)
    counts = np.bincount(of_value, minlength=count)
    return {
        f"{name}_start": np.concatenate([[0], np.cumsum(counts)]).astype(np.uint32),
        f"{name}_values": np.array(values, np.uint32)[np.argsort(of_value, kind="stable")],
    }


def _texts(name: str, texts: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, encoded)])
    return {f"{name}_text_start": ends.astype(np.uint32), f"{name}_text": np.frombuffer(b"".join(encoded), np.uint8)}
