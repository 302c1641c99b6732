"""Where what was learned applies: in its project, or on the site where an administrator says so."""

from services.recommender import learned
from services.recommender.following import Following, following
from services.recommender.learned import Thresholds
from services.recommender.model import Evidence, LearnedName, Meant
from tests.support.vocabularies import vocabularies

OURS = vocabularies(UBERON=[("UBERON:1", "retina", "LABEL", "anatomy"), ("UBERON:2", "eye", "LABEL", "anatomy")])


def name(project: str, said: str, curie: str, *, accepted: int = 0, rejected: int = 0, **fields: str) -> LearnedName:
    meant = Meant(axis="anatomy", curie=curie)
    verdicts = [*["accepted"] * accepted, *["rejected"] * rejected]
    evidence = {
        f"{project}{n}": Evidence.model_validate(
            {"said": said, "article": f"a{n % 2}", "person": f"p{n % 2}", "verdict": verdict}
        )
        for n, verdict in enumerate(verdicts)
    }
    return LearnedName(
        id=learned.name_id(project, said, meant),
        project=project,
        name=said,
        said=said,
        meant=meant,
        evidence=evidence,
        figures=len(evidence),
        accepted=accepted,
        rejected=rejected,
        **fields,  # type: ignore[arg-type]
    )


def names(found: Following, project: str) -> list[str]:
    return [one.name for one in found.of(project).names]


def test_what_a_project_taught_applies_there_until_it_is_widened() -> None:
    own, wide = name("a", "net", "UBERON:1", accepted=3), name("b", "bulb", "UBERON:2", accepted=4, widened_by="root")
    found = following([own, wide], OURS, Thresholds())
    assert {project: names(found, project) for project in ("a", "b", "c")} == {
        "a": ["bulb", "net"],
        "b": ["bulb"],
        "c": ["bulb"],
    }
    whys = {one.name: one.because for one in found.of("a").names}
    assert whys["net"].startswith("A name of this project: accepted in 3")
    assert whys["bulb"].startswith("A name of this site: accepted in 4")
    assert found.of("a").version != found.of("c").version
    assert following([wide, own, wide], OURS, Thresholds()) == found


def test_a_setting_makes_all_projects_learn_together() -> None:
    found = following([name("a", "net", "UBERON:1", accepted=3)], OURS, Thresholds(everywhere=True))
    assert (names(found, "a"), names(found, "b")) == (["net"], ["net"])


def test_a_meaning_that_a_project_accepts_is_not_suppressed_there_by_another() -> None:
    wide = name("a", "retina", "UBERON:1", rejected=3, widened_by="root")
    kept = name("b", "retina", "UBERON:1", accepted=3)
    found = following([wide, kept], OURS, Thresholds())
    assert found.of("c").suppressed == found.of("a").suppressed == {("retina", "UBERON:1")}
    assert (found.of("b").suppressed, found.of("b").version) == (frozenset(), "")


def test_two_projects_that_taught_the_same_make_one_name() -> None:
    both = [name(project, "net", "UBERON:1", accepted=3, widened_by="root") for project in ("a", "b")]
    assert names(following(both, OURS, Thresholds()), "c") == ["net"]
