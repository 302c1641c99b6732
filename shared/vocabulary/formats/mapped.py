"""Which file of mappings a file or zip is, and what it says: SSSOM tables, or an OBO file for its xrefs."""

from pathlib import Path
from typing import Final, Literal

from shared.archive import Bundle
from shared.errors import Invalid
from shared.vocabulary.formats import obo, sssom
from shared.vocabulary.formats.content import Reader
from shared.vocabulary.formats.reading import DAMAGED, bundle_of
from shared.vocabulary.pairs import Pairs, of_vocabulary

MappingFormat = Literal["sssom", "obo", "vocabulary"]

_REMEDY: Final = "Give SSSOM (.sssom.tsv or .tsv, or a zip of them, as the package biomappings is), or an .obo file."


def read(path: Path, *, name: str, reader: Reader, pairs: Pairs) -> MappingFormat:
    """Adds the mappings of a file. Raises NotFound; Invalid where it is none, damaged, or holds no mappings that can be
    used; TooLarge."""
    try:
        with bundle_of(path, name) as bundle:
            format = _read(bundle, reader, pairs)
    except DAMAGED as error:
        raise Invalid(f"{name} cannot be unpacked: {error}.", remedy="Fetch the file again.") from error
    if not pairs.pairs:
        raise Invalid(f"{name} holds no mappings that can be used; {pairs.left_out:,} were left out.", remedy=_REMEDY)
    return format


def _read(bundle: Bundle, reader: Reader, pairs: Pairs) -> MappingFormat:
    names = {name: name.lower().removesuffix(".gz").removesuffix(".xz") for name in bundle.names()}
    tables = [name for name, plain in names.items() if plain.endswith(".sssom.tsv")]
    tables = tables or [name for name, plain in names.items() if plain.endswith(".tsv")]
    if tables:
        for name in tables:
            with bundle.open(name) as file:
                sssom.read(file, name, reader, pairs)
        return "sssom"
    ontologies = [name for name, plain in names.items() if plain.endswith(".obo")]
    if len(ontologies) != 1:
        raise Invalid(f"{bundle.name} holds no file of mappings.", remedy=_REMEDY)
    with bundle.open(ontologies[0]) as file:
        content = obo.read(file, ontologies[0], reader)
    pairs.version = content.version
    of_vocabulary(content.mappings, content.iri_prefix, pairs)
    return "obo"
