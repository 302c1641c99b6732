"""The language of a legend is told when it is sure, and not otherwise."""

import pytest

from services.nlp.language import detect


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Sections of the retina of a mouse. The ganglion cells were stained with an antibody."),
        ("de", "Schnitte durch die Netzhaut einer Maus. Die Ganglienzellen wurden mit einem Antikörper gefärbt."),
        ("fr", "Coupes de la rétine d'une souris. Les cellules ganglionnaires sont marquées par un anticorps."),
        ("es", "Cortes de la retina de un ratón. Las células ganglionares se tiñeron con un anticuerpo."),
        ("it", "Sezioni della retina di un topo. Le cellule gangliari sono state colorate con un anticorpo."),
        ("nl", "Doorsneden van het netvlies van een muis. De ganglioncellen zijn gekleurd met een antilichaam."),
    ],
)
def test_a_legend_of_two_sentences_is_enough(language: str, text: str) -> None:
    assert detect(text) == language


def test_an_english_legend_full_of_genes_stays_english_or_unknown() -> None:
    assert detect("Expression of Pax6, Sox9, Dmrt1, Tbx15, Bmp4 and Gdf5 in Fgf9-/- and Wnt4-/- gonads at E12.5.") in (
        "en",
        None,
    )


@pytest.mark.parametrize(
    "text", ["", "Retina.", "Pax6 Sox9 Dmrt1", "0.05 ± 0.01, 0.07 ± 0.02, 0.09 ± 0.03, 0.11 ± 0.04"]
)
def test_too_little_to_tell_is_unknown(text: str) -> None:
    assert detect(text) is None
