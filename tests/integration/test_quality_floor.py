"""What is found on the development corpus does not get worse unnoticed. `docs/quality.md` has what is honest to quote:
the scorer that ships was fitted to these legends."""

import os
from pathlib import Path

import pytest

from services.recommender.local import LocalAnnotator
from services.recommender.profiles import CORPUS, TAGGING, Profile
from shared.vocabulary.artefact import Vocabularies
from tools.quality.corpus import Corpus, corpus, vocabularies
from tools.quality.measures import by_ontology, concepts, counted, macro, mentions

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def known() -> tuple[Corpus, Vocabularies]:
    data = os.environ.get("MITAGGER_DEVELOPMENT_DATA")
    if data is None or not Path(data, "corpora", "craft").is_dir():
        pytest.skip("MITAGGER_DEVELOPMENT_DATA does not name the development data (corpora/craft).")
    return corpus(), vocabularies()


@pytest.mark.parametrize(("profile", "floors"), [(CORPUS, (0.83, 0.83)), (TAGGING, (0.625, 0.64))])
def test_macro_f1_of_mentions_and_sets(
    known: tuple[Corpus, Vocabularies], profile: Profile, floors: tuple[float, float]
) -> None:
    data, loaded = known
    legends = data.development + data.kept_out
    found = data.found(legends, LocalAnnotator(loaded, profile).annotate([legend.analysis for legend in legends]))
    reached = [macro(by_ontology(counted(legends, found, count).values())) for count in (mentions, concepts)]
    assert all(score >= floor for score, floor in zip(reached, floors, strict=True))
