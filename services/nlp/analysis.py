"""Everything that `nlp` finds in a text, in one call. Pure; never raises on any text; time grows with its length."""

from services.nlp.abbreviations import abbreviations
from services.nlp.assertions import scopes
from services.nlp.language import detect
from services.nlp.panels import panels
from services.nlp.sentences import sentences
from services.nlp.tokens import tokens
from shared.events.legend import Analysis, LegendKind, Offsets


def analyse(text: str, *, kind: LegendKind = "legend", language: str | None = None) -> Analysis:
    """The analysis of `text`. Offsets are 0-based, half open, in Unicode code points of `text` as given.

    `language` is the sender's BCP 47 tag and stands; without one it is detected, or None. Only legends have panels;
    negation and uncertainty are sought in English and in texts of unknown language.
    """
    language = language or detect(text)
    sentence_spans = sentences(text)
    token_spans = tokens(text)
    panel_list = panels(text, sentence_spans) if kind == "legend" else []
    scope_list = []
    if language is None or language.partition("-")[0].lower() == "en":
        borders = sorted({panel.start for panel in panel_list} | {panel.end for panel in panel_list})
        scope_list = scopes(text, token_spans, sentence_spans, borders)
    return Analysis(
        text=text,
        kind=kind,
        language=language,
        sentences=Offsets.pack(sentence_spans),
        tokens=Offsets.pack(token_spans),
        panels=panel_list,
        abbreviations=abbreviations(text, sentence_spans),
        scopes=scope_list,
    )
