"""The matcher: which keys of a vocabulary stand in texts, overlaps included. Time is linear in the texts.

Keys are paths in a tree whose edges are words. The tree is two arrays: `edges`, ascending, each a node's number and the
number of the word that leads on from it, and the key that ends at each node. The first nodes are the words, then comes
one for all words that no key has, then those to which the edges lead, in their order. So all words of many texts are
looked up at once, then all pairs of those that go on, and so on. Few pairs go on: a bit for the hash of each edge tells
most of the others apart before they are looked for.
"""

from collections.abc import Sequence
from typing import Final

import marisa_trie
import numpy as np
import numpy.typing as npt
from numpy.lib.npyio import NpzFile

from shared.vocabulary.cutting import Cut, cut
from shared.vocabulary.words import fold

Array = npt.NDArray[np.int64]
Hit = tuple[int, int, int]

_BITS: Final = 24  # of the hash
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # Fibonacci hashing (Knuth, TAOCP 3, 6.4)
_MOST_KNOWN: Final = 300_000  # words whose numbers are remembered, 30 MB
_LONGEST_KNOWN: Final = 60  # characters of such a word
_SIGNS: Final = range(0x400)  # those whose numbers are in a table: ASCII, Latin, Greek
_LEFT_OUT: Final = -1  # what folds to nothing


def packed(keys: Sequence[str]) -> tuple[dict[str, npt.NDArray[np.generic]], npt.NDArray[np.int64]]:
    """The arrays of a matcher of `keys` (see `words.key`), and the number of each of them; equal keys have one."""
    distinct = {normal: number for number, normal in enumerate(dict.fromkeys(keys))}
    said = [normal.split(" ")[:-1] for normal in distinct]
    trie = marisa_trie.Trie(sorted({word for of_key in said for word in of_key}))
    numbers = dict(trie.items())
    lengths = np.fromiter(map(len, said), np.int64, len(said))
    words = np.fromiter((numbers[word] for of_key in said for word in of_key), np.int64, int(lengths.sum()))
    begins = np.cumsum(lengths) - lengths
    nodes, longer = words[begins], np.arange(len(said))
    ends = nodes.copy()  # the last node of each key
    edges: list[npt.NDArray[np.uint64]] = []
    count = len(numbers) + 1
    for depth in range(1, int(lengths.max(initial=0))):
        longer = longer[lengths[longer] > depth]
        codes = nodes[longer].astype(np.uint64) << np.uint64(32) | words[begins[longer] + depth].astype(np.uint64)
        new, which = np.unique(codes, return_inverse=True)
        nodes[longer] = ends[longer] = which + count
        edges.append(new)
        count += len(new)
    every = np.concatenate(edges) if edges else np.empty(0, np.uint64)
    of_node = np.zeros(count, np.uint32)
    of_node[ends] = np.arange(1, len(said) + 1)
    bits = np.zeros(1 << _BITS, np.bool_)
    bits[_hash(every)] = True
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "matched_trie": np.frombuffer(trie.tobytes(), np.uint8),
        "matched_edges": every,
        "matched_bits": np.packbits(bits, bitorder="little"),
        "matched_keys": of_node,
    }
    return arrays, np.fromiter((distinct[normal] for normal in keys), np.int64, len(keys))


def _hash(edges: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    hashed: npt.NDArray[np.uint64] = edges * _SPREAD >> np.uint64(64 - _BITS)
    return hashed


class Matcher:
    """Safe to share between threads."""

    def __init__(self, arrays: NpzFile) -> None:
        self._trie = marisa_trie.Trie()
        self._trie.frombytes(arrays["matched_trie"].tobytes())
        self._edges: npt.NDArray[np.uint64] = arrays["matched_edges"]
        self._bits: npt.NDArray[np.uint8] = arrays["matched_bits"]
        self._first = len(self._trie) + 1  # of the nodes to which edges lead
        self._key: npt.NDArray[np.uint32] = arrays["matched_keys"]  # of each node; 0 for none
        self._goes_on = np.zeros(len(self._key), np.bool_)
        self._goes_on[self._edges >> np.uint64(32)] = True
        self._numbers = _Numbers(self._trie)
        self._of_sign = np.array([self._numbers[chr(code)] for code in _SIGNS], np.int64)

    def hits(self, texts: Sequence[str]) -> list[list[Hit]]:
        """Of each text, (start, end, key) of every key in it, by start, then end: 0-based, half open, code points."""
        if not texts:
            return []
        found = cut(texts)
        words, starts, ends = self._words(found), found.starts, found.ends
        kept = words != _LEFT_OUT
        if not kept.all():
            words, starts, ends = words[kept], starts[kept], ends[kept]
        first, last, keys = self._matched(words)
        begin, end = starts[first], ends[last]
        order = np.argsort(begin << 32 | end)
        begin, end, keys = begin[order], end[order], keys[order]
        borders = np.searchsorted(begin, [*found.begins, len(found.characters)])
        of_text = np.repeat(found.begins, np.diff(borders))
        hits = list(zip((begin - of_text).tolist(), (end - of_text).tolist(), keys.tolist(), strict=True))
        limits = borders.tolist()
        return [hits[limits[number] : limits[number + 1]] for number in range(len(texts))]

    def _words(self, found: Cut) -> Array:
        """The number of each word."""
        numbers = np.empty(len(found.starts), np.int64)
        spelled, known = found.spelled, self._numbers
        numbers[spelled] = np.fromiter(map(known.__getitem__, found.words), np.int64, len(found.words))
        signs = found.characters[found.starts[~spelled]].astype(np.int64)
        of_sign = self._of_sign[np.minimum(signs, len(self._of_sign) - 1)]
        rare = np.flatnonzero(signs >= len(self._of_sign))
        of_sign[rare] = [known[chr(code)] for code in signs[rare].tolist()]
        numbers[~spelled] = of_sign
        return numbers

    def _matched(self, words: Array) -> tuple[Array, Array, Array]:
        """(number of the first word, of the last, key) of all keys."""
        node = words
        at = np.flatnonzero(self._key[node])
        firsts, lasts, keys = [at], [at], [self._key[node[at]]]
        at = np.flatnonzero(self._goes_on[words])
        node = words[at]
        last = at
        while len(at):
            last = last + 1  # there is a next one: what stands after the last text goes nowhere
            codes = node.astype(np.uint64) << np.uint64(32) | words[last].astype(np.uint64)
            hashed = _hash(codes)
            likely = np.flatnonzero(self._bits[hashed >> np.uint64(3)] >> (hashed & np.uint64(7)).astype(np.uint8) & 1)
            codes = codes[likely]
            edge = np.searchsorted(self._edges, codes)
            edge[edge == len(self._edges)] = 0
            there = np.flatnonzero(self._edges[edge] == codes)
            chosen = likely[there]
            at, last, node = at[chosen], last[chosen], edge[there] + self._first
            key = self._key[node]
            named = np.flatnonzero(key)
            firsts.append(at[named])
            lasts.append(last[named])
            keys.append(key[named])
            on = np.flatnonzero(self._goes_on[node])
            at, last, node = at[on], last[on], node[on]
        return np.concatenate(firsts), np.concatenate(lasts), np.concatenate(keys).astype(np.int64) - 1


class _Numbers(dict[str, int]):
    """The numbers of words as they stand in texts, remembered: texts repeat their words. Bounded."""

    def __init__(self, trie: marisa_trie.Trie) -> None:
        super().__init__()
        self._trie = trie

    def __missing__(self, word: str) -> int:
        if len(self) >= _MOST_KNOWN:
            self.clear()
        folded = fold(word)
        number: int = self._trie.get(folded, len(self._trie)) if folded else _LEFT_OUT
        if len(word) <= _LONGEST_KNOWN:
            self[word] = number
        return number
