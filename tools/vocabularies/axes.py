"""Which concepts each axis takes from each source: the rules of docs/vocabularies.md, in code."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

from tools.vocabularies.concepts import Concept, Name, words
from tools.vocabularies.mappings import Pair, axis_by_pairs
from tools.vocabularies.ontologies import descendants

UBERON_ROOTS = frozenset({"UBERON:0001062"})  # anatomical entity; not the life cycle
CL_ROOTS = frozenset({"CL:0000000"})  # cell
MONDO_ROOTS = frozenset({"MONDO:0700096", "MONDO:0021178"})  # human disease, injury; not characteristic (the
# modifier branch), susceptibility, diseases of other animals
SO_ROOTS = frozenset({"SO:0000110", "SO:0001060", "SO:0001260"})  # feature, variant, collection; not attribute
SO_EXPERIMENTAL = frozenset({"SO:0001410"})  # experimental feature: matches, reads, tags, assemblies
EFO_ASSAYS = frozenset({"EFO:0002772", "EFO:0002773"})  # assay by molecule, assay by instrument

Pairs = dict[str, list[Pair]]


UPPER_LEVEL = 1 / 3
"""A class with this share of its ontology below it (organ, disease, region) orders the others, it is no tag."""

_OTHER_SPECIES = re.compile(r"UBERON:(2|3|6)\d{6}$")
"""The blocks of identifiers that Uberon took from the anatomies of zebrafish, amphibians and insects."""


def cut(concepts: list[Concept], roots: frozenset[str], axis: str) -> list[Concept]:
    """The ontology below its axis root, without its upper level."""
    kept = descendants(concepts, roots)
    above: Counter[str] = Counter()
    parents = {concept.id: [parent for parent, _ in concept.parents] for concept in kept}
    for identifier in parents:
        above.update(_ancestors(identifier, parents))
    upper = {identifier for identifier, below in above.items() if below >= UPPER_LEVEL * len(kept)}
    return [concept.on(axis) for concept in without(kept, upper)]


def without(concepts: Iterable[Concept], dropped: Collection[str]) -> list[Concept]:
    return [
        replace(concept, parents=tuple(edge for edge in concept.parents if edge[0] not in dropped))
        for concept in concepts
        if concept.id not in dropped
    ]


_NOT_OF_MAMMALS = frozenset({"UBERON:0002542", "UBERON:0000022", "UBERON:0006612"})  # scale, feather, shell


def of_other_species(concepts: list[Concept]) -> set[str]:
    blocks = {concept.id for concept in concepts if _OTHER_SPECIES.match(concept.id)}
    return blocks | {concept.id for concept in descendants(concepts, _NOT_OF_MAMMALS)}


def _ancestors(identifier: str, parents: dict[str, list[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [identifier]
    while waiting:
        for parent in parents.get(waiting.pop(), ()):
            if parent not in found:
                found.add(parent)
                waiting.append(parent)
    return found


def unambiguous(concepts: list[Concept]) -> list[Concept]:
    """Without the synonyms of unknown scope that more than two concepts share (GO's "antibody" names four)."""
    shared = Counter(name.text.lower() for concept in concepts for name in set(concept.names))
    return [
        replace(
            concept,
            names=tuple(name for name in concept.names if name.scope != "SYNONYM" or shared[name.text.lower()] <= 2),
        )
        for concept in concepts
    ]


_WHOLE_ORGANISMS = frozenset({"animal", "plant", "organism", "culture"})
"""Words of BTO's names that are no part of a body, as a tissue ontology of all organisms has them."""


def placed_headings(headings: list[Concept], pairs: Pairs, live: frozenset[str]) -> list[Concept]:
    """MeSH headings on Anatomy or Disease, by their own pairs."""
    return [
        heading.on(axis)
        for heading in headings
        if (axis := axis_by_pairs(heading.label, pairs.get(_key(heading), ()), live))
        and not (axis == "anatomy" and words(heading.label) & _WHOLE_ORGANISMS)
    ]


def placed_by_headings(concepts: Iterable[Concept], pairs: Pairs, headings: dict[str, str | None],
                       live: frozenset[str]) -> list[Concept]:  # fmt: skip
    """NCIT and EFO concepts on Anatomy or Disease: by their own pairs with ontologies, else by a MeSH heading that
    has the axis, when that pair is curated or its names have the same words. EFO's pairs with HP do not count:
    they are all predicted, and half of them are HP's modifiers ("left", "recurrent", "family history")."""
    placed = []
    for concept in concepts:
        own = pairs.get(_key(concept), [])
        axis = axis_by_pairs(concept.label, (pair for pair in own if pair.prefix != "hp"), live)
        for pair in own:
            same = pair.curated or words(pair.partner_label) == words(concept.label)
            if axis is None and pair.prefix == "mesh" and same:
                axis = headings.get("MESH:" + pair.partner.split(":")[1])
        if axis:
            placed.append(concept.on(axis))
    return placed


def ncit_concepts(pairs: Pairs) -> list[Concept]:
    """The NCIT concepts that biomappings names, which is all that the sources have of NCIT."""
    labels: dict[str, str] = {}
    for key, found in sorted(pairs.items()):
        if key.startswith("ncit:"):
            labels[key] = found[0].label
    return [Concept("NCIT:" + key.split(":")[1], label) for key, label in labels.items()]


def assays(efo: list[Concept]) -> list[Concept]:
    """EFO's assays, for Imaging (which holds the laboratory techniques). Many are named by a bare acronym that
    means something else in a legend (ICE, PMA, MDA, PAIR, SMA): names of up to five capitals are left out."""
    kept = []
    for assay in descendants(efo, EFO_ASSAYS):
        names = [name for name in (Name(assay.label, "LABEL"), *assay.names) if not _bare_acronym(name.text)]
        if names and assay.id not in EFO_ASSAYS:
            kept.append(replace(assay, label=names[0].text, names=tuple(names[1:]), axis="imaging"))
    return kept


def _bare_acronym(name: str) -> bool:
    return re.fullmatch(r"[A-Z]{2,5}|[A-Z]?[a-z]?[A-Z]{2,4}", name) is not None


def new_names_only(concepts: Iterable[Concept], taken: dict[str, set[frozenset[str]]]) -> list[Concept]:
    """Leaves out a concept whose label is, word for word, a preferred name already on its axis, so that one word
    of a legend is not recommended three times. Those that stay are added to `taken`."""
    kept = []
    for concept in concepts:
        label = words(concept.label)
        if concept.axis and label not in taken[concept.axis]:
            taken[concept.axis].add(label)
            kept.append(concept)
    return kept


def not_named_like_organs(drugs: Iterable[Concept], anatomy: Iterable[Concept]) -> list[Concept]:
    """Without the substances made of an organ and called by its name ("thyroid")."""
    names = {words(name.text) for concept in anatomy for name in concept.rows()}
    return [drug for drug in drugs if words(drug.label) not in names]


def labels_by_axis(concepts: Iterable[Concept]) -> dict[str, set[frozenset[str]]]:
    taken: dict[str, set[frozenset[str]]] = defaultdict(set)
    for concept in concepts:
        if concept.axis:
            taken[concept.axis].add(words(concept.label))
    return taken


def _key(concept: Concept) -> str:
    """The identifier as biomappings writes it."""
    prefix, local = concept.id.split(":")
    return f"{prefix.lower()}:{local}"
