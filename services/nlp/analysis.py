"""Everything that `nlp` finds in texts, in one call. Pure; never raises on any text; time grows with their length."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from services.nlp.abbreviations import abbreviations
from services.nlp.assertions import cues, scopes
from services.nlp.language import detect
from services.nlp.panels import panels
from services.nlp.sentences import Span, sentences_of
from services.nlp.signs import signs_of
from services.nlp.tokens import Tokens, tokens_of
from shared.batches import in_parts
from shared.events.legend import Analysis, LegendKind, Offsets
from shared.findings import Findings, Panel

# Texts are cut into tokens together until they have so many code points: what that needs then fits a cache.
_TOGETHER: Final = 100_000


class Text(NamedTuple):
    """What is analysed. `language` is the sender's BCP 47 tag and stands; without one it is detected, or None."""

    text: str
    kind: LegendKind = "legend"
    language: str | None = None


class _Read(NamedTuple):
    """A text with all that is found in it."""

    given: Text
    language: str | None
    sentences: Sequence[Span]
    tokens: Tokens
    findings: Findings

    def event(self) -> Analysis:
        text, panels, abbreviations, scopes = self.findings
        return Analysis.model_validate(
            {
                "text": text,
                "kind": self.given.kind,
                "language": self.language,
                "sentences": Offsets.pack(self.sentences),
                "tokens": self.tokens.packed(),
                "panels": [one._asdict() for one in panels],
                "abbreviations": [one._asdict() for one in abbreviations],
                "scopes": [one._asdict() for one in scopes],
            }
        )


def analyse(text: str, *, kind: LegendKind = "legend", language: str | None = None) -> Analysis:
    """The analysis of one text; see `analyses`."""
    return analyses([Text(text, kind, language)])[0]


def analyses(texts: Sequence[Text]) -> list[Analysis]:
    """The analysis of each text, several at half the time of each alone.

    Offsets are 0-based, half open, in Unicode code points of the text as given. Only legends have panels; negation and
    uncertainty are sought in English and in texts of unknown language.
    """
    return [read.event() for read in _read(texts)]


def findings(texts: Sequence[Text]) -> list[Findings]:
    """What `analyses` finds, for those who send it nowhere: not checked and packed, a fifth of the time is spared."""
    return [read.findings for read in _read(texts)]


def _read(texts: Sequence[Text]) -> Iterator[_Read]:
    # One step for all texts of a part, then the next: what a step needs then stays in the processor's caches.
    for together in in_parts(texts, _TOGETHER, lambda given: len(given.text)):
        only = [given.text for given in together]
        languages = [given.language or detect(given.text) for given in together]
        tokens, signs, spans = tokens_of(only, cues()), signs_of(only), sentences_of(only)
        stretches = [
            panels(given.text, spans[at], signs[at]) if given.kind == "legend" else []
            for at, given in enumerate(together)
        ]
        defined = list(map(abbreviations, only, spans, signs))
        negated = [
            scopes(only[at], tokens[at], spans[at], _borders(stretches[at])) if _is_english(language) else []
            for at, language in enumerate(languages)
        ]
        yield from map(_Read, together, languages, spans, tokens, map(Findings, only, stretches, defined, negated))


def _is_english(language: str | None) -> bool:
    """Or may be."""
    return language is None or language.partition("-")[0].lower() == "en"


def _borders(stretches: Iterable[Panel]) -> list[int]:
    return sorted({border for _, start, end in stretches for border in (start, end)})
