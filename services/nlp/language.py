"""The language of a text as a BCP 47 tag, by py3langid, and only when it is sure."""

from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

# Languages of medical journals and European clinics. Every further language is one more that gene names can be taken
# for; of a language that is not here, the tag comes from the sender.
LANGUAGES = ("cs", "da", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "sv", "tr", "zh")
# py3langid is trained on sentences; a list of gene names is no sentence, and shorter texts are often one.
SHORTEST = 40
# Beginnings suffice: all of 436 English legends were recognised by their first 200 code points (docs/legends.md).
SAMPLE = 200
CONFIDENCE = 0.9


@cache
def _identifier() -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(LANGUAGES)
    return identifier


def detect(text: str) -> str | None:
    """The tag of the language, or None for a text shorter than 40 code points or of a probability below 0.9."""
    if len(text) < SHORTEST:
        return None
    language, confidence = _identifier().classify(text[:SAMPLE])
    return str(language) if confidence >= CONFIDENCE else None
