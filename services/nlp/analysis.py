"""Everything that `nlp` finds in texts, in one call. Pure; never raises on any text; time grows with their length."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from services.nlp.abbreviations import abbreviations
from services.nlp.assertions import cues, scopes
from services.nlp.language import detect
from services.nlp.panels import panels
from services.nlp.sentences import sentences
from services.nlp.tokens import Tokens, tokens_of
from shared.batches import in_parts
from shared.events.legend import Analysis, LegendKind, Offsets

# Texts are cut into tokens together until they have so many code points: what that needs then fits a cache.
_TOGETHER: Final = 50_000


class Text(NamedTuple):
    """What is analysed. `language` is the sender's BCP 47 tag and stands; without one it is detected, or None."""

    text: str
    kind: LegendKind = "legend"
    language: str | None = None


def analyse(text: str, *, kind: LegendKind = "legend", language: str | None = None) -> Analysis:
    """The analysis of one text; see `analyses`."""
    return analyses([Text(text, kind, language)])[0]


def analyses(texts: Sequence[Text]) -> list[Analysis]:
    """The analysis of each text, several at half the time of each alone.

    Offsets are 0-based, half open, in Unicode code points of the text as given. Only legends have panels; negation and
    uncertainty are sought in English and in texts of unknown language.
    """
    return [
        _analysis(text, tokens)
        for together in in_parts(texts, _TOGETHER, lambda text: len(text.text))
        for text, tokens in zip(together, tokens_of([text.text for text in together], cues()), strict=True)
    ]


def _analysis(given: Text, tokens: Tokens) -> Analysis:
    text, kind, language = given
    language = language or detect(text)
    sentence_spans = sentences(text)
    panel_list = panels(text, sentence_spans) if kind == "legend" else []
    scope_list = []
    if language is None or language.partition("-")[0].lower() == "en":
        borders = sorted({panel.start for panel in panel_list} | {panel.end for panel in panel_list})
        scope_list = scopes(text, tokens, sentence_spans, borders)
    return Analysis(
        text=text,
        kind=kind,
        language=language,
        sentences=Offsets.pack(sentence_spans),
        tokens=tokens.packed(),
        panels=panel_list,
        abbreviations=abbreviations(text, sentence_spans),
        scopes=scope_list,
    )
