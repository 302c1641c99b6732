"""What every search engine promises. Engines are listed once, in `ENGINES`; where Meilisearch differs is said in a
section of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import Conflict, Invalid
from shared.search.fts5 import Fts5Search
from shared.search.port import EVERYBODY, FACET_LABELS, FigureEntry, Query, Search, TagEntry, words_of
from shared.sqlite import Database

pytestmark = pytest.mark.filterwarnings("error")


@asynccontextmanager
async def fts5(folder: Path) -> AsyncIterator[Search]:
    database = Database(folder / "store.sqlite")
    await database.open()
    engine = Fts5Search(database)
    await engine.prepare()
    try:
        yield engine
    finally:
        await database.close()


ENGINES = ["fts5", pytest.param("meilisearch", marks=pytest.mark.servers)]


@pytest.fixture(params=ENGINES)
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Search]:
    if request.param == "fts5":
        async with fts5(tmp_path) as engine:
            yield engine
        return
    place = request.getfixturevalue("meilisearch")
    from tests.support.servers import meilisearch  # tests of the embedded engine need no server

    async with meilisearch.index(place) as there:
        yield there


HIPPOCAMPUS = TagEntry(axis="anatomy", label="hippocampus", curie="UBERON:0002421")
GLIOMA = TagEntry(axis="disease", label="glioma", curie="MONDO:0021042")
FREE = TagEntry(axis="disease", label="odd shadow")


def entry(id: str, **fields: Any) -> FigureEntry:
    return FigureEntry(**{"id": id, "version": 1, "project": "default", "article": "a1", "status": "approved"} | fields)


async def ids(index: Search, words: str = "", **query: Any) -> list[str]:
    results = await index.search(Query(words, **query))
    assert results.total == len(results.hits), "these tests look at one page"
    return [hit.entry.id for hit in results.hits]


async def test_an_entry_comes_back_as_it_was_put(index: Search) -> None:
    put = entry(
        "f1", doi="10.5555/xyz", collection="Ward 3", title="Ärzte", label="Figure 2", legend='A "quoted" 😀\nlegend',
        language="en", tags=(HIPPOCAMPUS, FREE),
    )  # fmt: skip
    await index.put([put])
    (hit,) = (await index.search(Query("legend"))).hits
    assert hit.entry == put


@pytest.mark.parametrize(
    "words",
    [
        "retina", "RETINA", "retin", "naive", "NAÏVE", "nai\u0308ve mice", "covid-19", "COVID 19", "shh", "file_name",
        "Figure 2", "fig", "10.5555/xyz-1", "10.5555", "xyz", "10.5555/XYZ-1", "doi:10.5555/xyz-1",
        "https://doi.org/10.5555/xyz-1", "dx.doi.org/10.5555/xy", "hippocampus", "UBERON:0002421", "0002421",
        "retina hippocampus 10.5555", '"retina"', "retina, -- *", "β-catenin", "the eye",
    ],
)  # fmt: skip
async def test_a_figure_is_found_by_words_of_its_legend_title_tags_doi_and_label(index: Search, words: str) -> None:
    found = entry(
        "found", doi="10.5555/xyz-1", label="Figure 2", title="The eye of naïve mice", tags=(HIPPOCAMPUS,),
        legend="Retina in COVID-19 with β-catenin (SHH), see file_name",
    )  # fmt: skip
    await index.put([found, entry("other", doi="10.1000/abc", legend="liver", label="Plate")])
    assert await ids(index, words) == ["found"]


@pytest.mark.parametrize(
    "words", ["retina liver", "ret ina", "etina", "19-COVID mice", "retina OR liver", "retina NOT x"]
)
async def test_every_word_must_occur_and_only_the_last_is_a_prefix(index: Search, words: str) -> None:
    await index.put([entry("a", legend="Retina in COVID-19 of mice"), entry("b", legend="liver")])
    assert await ids(index, words) == []


async def test_without_words_every_figure_is_found_in_order_of_id(index: Search) -> None:
    await index.put([entry("c"), entry("a"), entry("b")])
    assert await ids(index) == ["a", "b", "c"]
    assert await ids(index, " ... ") == ["a", "b", "c"]


async def test_a_tag_says_more_than_a_word_of_the_legend(index: Search) -> None:
    mentioned = entry("a", legend="Glioma and other words of about the same length")
    tagged = entry("b", legend="Some other words, about as many as there", tags=(GLIOMA,))
    await index.put([mentioned, tagged])
    assert await ids(index, "glioma") == ["b", "a"]


async def test_pages_cover_all_hits_once(index: Search) -> None:
    await index.put([entry(f"f{n:02}", legend="retina") for n in range(25)])
    pages = [await index.search(Query("retina", offset=offset, limit=10)) for offset in (0, 10, 20, 30)]
    assert [page.total for page in pages] == [25] * 4
    assert [hit.entry.id for page in pages for hit in page.hits] == [f"f{n:02}" for n in range(25)]


@pytest.mark.parametrize("words", ["", "retina"])
async def test_pages_of_the_newest_go_on_from_the_last_one_whatever_matches_best(index: Search, words: str) -> None:
    best = "f12"
    await index.put([entry(f"f{n:02}", legend="retina " * (5 if f"f{n:02}" == best else 1)) for n in range(25)])
    seen, totals = list[str](), []
    for _ in range(3):
        page = await index.search(Query(words, newest=True, facets=False, until=seen[-1] if seen else "", limit=10))
        assert page.facets == {}
        totals.append(page.total)
        seen += [hit.entry.id for hit in page.hits]
    assert seen == [f"f{n:02}" for n in reversed(range(25))]
    assert totals == [25, 15, 5]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"axis": ["anatomy"]}, ["a"]),
        ({"axis": ["anatomy", "disease"]}, ["a", "b"]),
        ({"tag": ["UBERON:0002421"]}, ["a"]),
        ({"tag": ["glioma"]}, ["a", "b"]),
        ({"tag": ["odd shadow", "hippocampus"]}, ["a", "b"]),
        ({"tag": ["glio"]}, []),
        ({"doi": ["10.5555/AbC"]}, ["a"]),
        ({"doi": ["10.5555/ab"]}, []),
        ({"collection": ["Ward 3"]}, ["b"]),
        ({"status": ["new"]}, ["c"]),
        ({"project": ["default"]}, ["a", "b", "c"]),
        ({"project": ["other"]}, ["d"]),
        ({"figure": ["a", "c", "nowhere"]}, ["a", "c"]),
        ({"figure": ["a", "d"], "project": ["default"]}, ["a"]),
        ({"axis": ["disease"], "collection": ["Ward 3"]}, ["b"]),
        ({"axis": ["imaging"]}, []),
        ({"axis": []}, []),
        ({"article": ["a2"]}, ["b"]),
        ({"person": ["ada"]}, ["a", "b"]),
        ({"person": ["grace"], "article": ["a1"]}, ["a"]),
        ({"person": ["ad"]}, []),
        ({"tag": ["'; DROP TABLE search_figures; --"]}, []),
    ],
)
@pytest.mark.parametrize("words", ["", "legend"])
async def test_filters_are_exact(index: Search, words: str, filters: Any, expected: list[str]) -> None:
    await index.put(
        [
            entry("a", doi="10.5555/abc", legend="legend", tags=(HIPPOCAMPUS, GLIOMA), people=("ada", "grace")),
            entry("b", collection="Ward 3", article="a2", legend="legend", tags=(GLIOMA, FREE), people=("ada",)),
            entry("c", status="new", legend="legend"),
            entry("d", project="other", legend="legend"),
        ]
    )
    assert sorted(await ids(index, words, filters=filters)) == expected


@pytest.mark.parametrize("words", ["", "legend"])
async def test_ids_which_begin_with_their_time_can_be_bounded(index: Search, words: str) -> None:
    await index.put([entry(f"01{n:010x}", legend="legend") for n in range(4)])
    assert await ids(index, words, since=f"01{1:010x}", until=f"01{3:010x}") == [f"01{n:010x}" for n in (1, 2)]
    assert await ids(index, words, since=f"01{3:010x}") == [f"01{3:010x}"]
    assert await ids(index, words, until=f"01{1:010x}") == [f"01{0:010x}"]


async def test_named_figures_are_shown_to_each_as_they_see_them(index: Search) -> None:
    own = GLIOMA.model_copy(update={"by": "ada"})
    await index.put([entry("a", tags=(FREE,), provisional=(own,)), entry("b"), entry("c")])
    for who, tags in (("ada", [own]), ("eve", []), (None, []), (EVERYBODY, [own])):
        found = await index.search(Query(filters={"figure": ["a", "b"], "project": ["default"]}, provisional=who))
        assert {hit.entry.id: [*hit.entry.provisional] for hit in found.hits} == {"a": tags, "b": []}


async def test_an_unknown_filter_is_refused(index: Search) -> None:
    with pytest.raises(Invalid, match="colour"):
        await index.search(Query(filters={"colour": ["blue"]}))  # type: ignore[dict-item]


async def test_facets_count_figures_found_most_frequent_first(index: Search) -> None:
    twin = TagEntry(axis="disease", label="glioma", curie="MESH:D005910")
    await index.put(
        [
            entry("a", legend="retina", tags=(HIPPOCAMPUS, GLIOMA, twin)),
            entry("b", legend="retina", tags=(GLIOMA, FREE)),
            entry("c", legend="liver", tags=(FREE,)),
        ]
    )
    facets = (await index.search(Query("retina"))).facets
    assert facets == {"anatomy": {"hippocampus": 1}, "disease": {"glioma": 2, "odd shadow": 1}}
    assert list(facets["disease"]) == ["glioma", "odd shadow"]
    assert (await index.search(Query(limit=0))).facets["disease"] == {"glioma": 2, "odd shadow": 2}


async def test_an_axis_shows_its_most_frequent_labels_only(index: Search) -> None:
    tags = tuple(TagEntry(axis="anatomy", label=f"organ {n:02}") for n in range(FACET_LABELS + 5))
    await index.put([entry("a", tags=tags), entry("b", tags=(tags[-1],))])
    labels = (await index.search(Query())).facets["anatomy"]
    assert len(labels) == FACET_LABELS
    assert next(iter(labels.items())) == (tags[-1].label, 2)


async def test_provisional_tags_are_seen_only_by_who_asks_for_them(index: Search) -> None:
    await index.put([entry("a", legend="retina", status="provisional", provisional=(GLIOMA,))])
    for query in (
        {"words": "glioma"},
        {"words": "MONDO:0021042"},
        {"filters": {"axis": ["disease"]}},
        {"filters": {"tag": ["glioma"]}},
        {"filters": {"tag": ["MONDO:0021042"]}},
    ):
        hidden = await index.search(Query(**query))  # type: ignore[arg-type]
        assert (hidden.total, hidden.hits, hidden.facets) == (0, [], {})
        shown = await index.search(Query(**query, provisional=EVERYBODY))  # type: ignore[arg-type]
        assert [hit.entry.provisional for hit in shown.hits] == [(GLIOMA,)]
        assert shown.facets == {"disease": {"glioma": 1}}
    results = await index.search(Query("retina"))
    assert results.facets == {}
    assert "glioma" not in repr(results)


async def test_people_see_their_own_provisional_tags_and_nobody_elses(index: Search) -> None:
    adas, bobs = GLIOMA.model_copy(update={"by": "p-ada"}), HIPPOCAMPUS.model_copy(update={"by": "p-bob"})
    both = entry("a", legend="retina", status="provisional", tags=(FREE,), provisional=(adas, bobs))
    await index.put([both, entry("b", legend="retina", tags=(GLIOMA,))])
    seen = await index.search(Query("retina", provisional="p-ada"))
    assert [(hit.entry.id, hit.entry.tags, hit.entry.provisional) for hit in sorted(seen.hits, key=str)] == [
        ("a", (FREE,), (adas,)), ("b", (GLIOMA,), ()),
    ]  # fmt: skip
    assert seen.facets == {"disease": {"glioma": 2, "odd shadow": 1}}
    assert sorted(await ids(index, "glioma", provisional="p-ada")) == ["a", "b"]
    assert await ids(index, "glioma", provisional="p-bob") == ["b"]
    assert await ids(index, "hippocampus", provisional="p-bob") == ["a"]
    assert await ids(index, "hippocampus", provisional="p-ada") == []
    assert await ids(index, filters={"tag": ["UBERON:0002421"]}, provisional="p-cleo") == []
    assert (await index.search(Query("retina", provisional="p-cleo"))).total == 2
    assert (await index.search(Query("retina", provisional=EVERYBODY))).total == 2
    await index.put([both.model_copy(update={"version": 2, "provisional": (bobs,)})])
    assert await ids(index, "glioma", provisional="p-ada") == ["b"]
    assert await ids(index, "hippocampus", provisional="p-bob") == ["a"]
    await index.remove(["a"])
    assert await ids(index, provisional="p-bob") == ["b"]
    assert await ids(index, provisional=EVERYBODY) == ["b"]


async def test_the_snippet_is_plain_text_around_the_match(index: Search) -> None:
    filler = "lorem ipsum " * 200
    await index.put([entry("a", legend=f"{filler}the <b>retina</b> of a mouse {filler}")])
    (hit,) = (await index.search(Query("retina"))).hits
    assert "<b>retina</b> of a mouse" in hit.snippet
    assert len(hit.snippet) < 400
    (hit,) = (await index.search(Query())).hits
    assert hit.snippet.startswith("lorem ipsum")
    assert len(hit.snippet) < 400


@pytest.mark.parametrize("words", ["hippo", "UBERON:0002421"])
async def test_the_snippet_of_a_match_in_the_tags_has_no_code_that_nobody_asked_for(index: Search, words: str) -> None:
    await index.put([entry("a", legend="A section of the brain", tags=(GLIOMA, HIPPOCAMPUS), provisional=(FREE,))])
    (hit,) = (await index.search(Query(words))).hits
    assert "MONDO" not in hit.snippet
    if words == "hippo":
        assert hit.snippet in ("hippocampus", "A section of the brain")


async def test_a_later_entry_replaces_an_earlier_one(index: Search) -> None:
    await index.put([entry("a", version=2, legend="retina", tags=(HIPPOCAMPUS,), provisional=(FREE,))])
    await index.put([entry("a", version=3, legend="kidney", tags=(GLIOMA,))])
    assert await ids(index, "retina") == []
    assert await ids(index, "hippocampus") == []
    assert await ids(index, "odd shadow", provisional=EVERYBODY) == []
    assert await ids(index, "kidney") == ["a"]
    assert (await index.search(Query(provisional=EVERYBODY))).facets == {"disease": {"glioma": 1}}


async def test_putting_twice_equals_once(index: Search) -> None:
    one = entry("a", legend="retina", tags=(HIPPOCAMPUS,), provisional=(HIPPOCAMPUS, GLIOMA))
    await index.put([one, one])
    await index.put([one])
    results = await index.search(Query("retina", provisional=EVERYBODY))
    assert [hit.entry for hit in results.hits] == [one]
    assert results.facets == {"anatomy": {"hippocampus": 1}, "disease": {"glioma": 1}}


async def test_a_removed_figure_is_gone_and_removing_it_again_is_no_error(index: Search) -> None:
    await index.put([entry("a", legend="retina", tags=(FREE,)), entry("b", legend="retina", tags=(GLIOMA,))])
    await index.remove(["a", "never there"])
    await index.remove(["a"])
    assert await ids(index, "retina") == ["b"]
    assert (await index.search(Query())).facets == {"disease": {"glioma": 1}}


async def test_an_index_is_filled_beside_the_one_that_serves_then_takes_its_place(index: Search) -> None:
    await index.put([entry("a", legend="retina", tags=(HIPPOCAMPUS,)), entry("gone", legend="retina")])
    await index.begin()
    await index.fill([entry("b", legend="retina", tags=(GLIOMA,)), entry("c", legend="retina")])
    assert sorted(await ids(index, "retina")) == ["a", "gone"]
    await index.put([entry("d", legend="retina")])
    await index.remove(["c", "gone"])
    assert sorted(await ids(index, "retina")) == ["a", "d"]
    await index.switch()
    results = await index.search(Query("retina"))
    assert sorted(hit.entry.id for hit in results.hits) == ["b", "d"]
    assert results.facets == {"disease": {"glioma": 1}}
    await index.put([entry("e", legend="retina")])
    assert sorted(await ids(index, "retina")) == ["b", "d", "e"]


async def test_an_unfinished_index_is_begun_anew_and_one_can_be_filled_again_and_again(index: Search) -> None:
    await index.begin()
    await index.fill([entry("unfinished")])
    for turn in range(3):
        await index.begin()
        await index.fill([entry(f"f{turn}")])
        await index.switch()
        assert await ids(index) == [f"f{turn}"]


async def test_without_a_beginning_nothing_is_filled_or_switched_to(index: Search) -> None:
    await index.put([entry("a")])
    with pytest.raises(Conflict):
        await index.fill([entry("b")])
    with pytest.raises(Conflict):
        await index.switch()
    assert await ids(index) == ["a"]


async def test_preparing_again_keeps_what_is_there(index: Search) -> None:
    await index.put([entry("a")])
    await index.begin()
    await index.prepare()
    await index.fill([entry("b")])
    assert await ids(index) == ["a"]


async def test_a_phrase_never_reaches_into_tags_that_nobody_approved(index: Search) -> None:
    shadow = TagEntry(axis="disease", label="odd shadow")
    await index.put([entry("a", legend="a shadow that is odd", provisional=(shadow,))])
    assert await ids(index, "odd-shadow that") == []
    assert await ids(index, "odd-shadow that", provisional=EVERYBODY) == ["a"]


@pytest.mark.parametrize(
    "words",
    [
        '"', '""', "'", "*", "a*b", "^a", "a:b", "legend:", "legend:retina", "{a b}: c", "-a", "+", "(", "NEAR(a b, 2)",
        "AND", "NOT", "a AND", "OR b", "\x00", "ret\x00ina", "\ud800", "a\udfff", "😀", "𞤀", "%", "_", ";--", "\\",
        "a" * 5000, "a " * 5000, " ".join(f"w{n}" for n in range(500)), "{{words}}", "${x}", "…", "\u200d",
    ],
)  # fmt: skip
async def test_hostile_words_are_only_words(index: Search, words: str) -> None:
    await index.put([entry("a", legend="a retina")])
    assert (await index.search(Query(words))).total in (0, 1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=60), tag=st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
async def test_no_text_makes_a_search_fail(index: Search, words: str, tag: str) -> None:
    results = await index.search(Query(words, filters={"tag": [tag]}, provisional=EVERYBODY))
    assert results.total == 0


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(legends=st.lists(st.text("aäßœ-_./:1 \"'*<=▲", min_size=1, max_size=40), min_size=10, max_size=20))
async def test_a_legend_is_found_by_each_of_its_words(index: Search, legends: list[str]) -> None:
    await index.put([entry(f"f{number}", legend=legend) for number, legend in enumerate(legends)])
    for number, legend in enumerate(legends):
        for word in words_of(legend):
            found = await index.search(Query(word, limit=100))
            assert f"f{number}" in [hit.entry.id for hit in found.hits]


# What Meilisearch does otherwise. The embedded engine keeps the promise, Meilisearch the other half of the pair.


@pytest.fixture
def differs(request: pytest.FixtureRequest) -> bool:
    """Whether the engine is Meilisearch."""
    return request.node.callspec.params["index"] == "meilisearch"  # type: ignore[no-any-return]


async def test_of_a_last_word_with_inner_punctuation_meilisearch_lets_the_last_part_stand_anywhere(
    index: Search, differs: bool
) -> None:
    await index.put([entry("a", legend="19 mice with COVID")])
    assert await ids(index, "19-COV") == (["a"] if differs else [])


async def test_meilisearch_splits_a_last_word_into_two_that_stand_in_a_row(index: Search, differs: bool) -> None:
    await index.put([entry("a", legend="retina of a field mouse")])
    assert await ids(index, "fieldmouse") == (["a"] if differs else [])
    assert await ids(index, "fieldmouse retina") == []


async def test_meilisearch_asks_for_the_first_ten_words_only(index: Search, differs: bool) -> None:
    await index.put([entry("a", legend="a b c d e f g h i j")])
    assert await ids(index, "a b c d e f g h i j absent") == (["a"] if differs else [])


async def test_meilisearch_takes_labels_that_differ_in_case_alone_for_one(index: Search, differs: bool) -> None:
    shout = TagEntry(axis="disease", label="GLIOMA")
    await index.put([entry("a", tags=(GLIOMA,)), entry("b", tags=(shout,)), entry("c", tags=(GLIOMA,))])
    (label,) = (await index.search(Query())).facets["disease"].items() if differs else [("glioma", 3)]
    assert (label[0].lower(), label[1]) == ("glioma", 3)
    assert await ids(index, filters={"tag": ["Glioma"]}) == (["a", "b", "c"] if differs else [])
    if not differs:
        assert (await index.search(Query())).facets == {"disease": {"glioma": 2, "GLIOMA": 1}}


async def test_meilisearch_folds_ligatures_and_scripts_as_fts5_does_not(index: Search, differs: bool) -> None:
    await index.put([entry("a", legend="ﬁbrosis")])
    assert await ids(index, "fibrosis") == (["a"] if differs else [])


async def test_only_fts5_finds_words_across_the_end_of_a_sentence_in_a_row(index: Search, differs: bool) -> None:
    await index.put([entry("a", legend="The retina; mice")])
    assert await ids(index, "retina-mice the") == ([] if differs else ["a"])


def test_words_are_taken_once_bounded_and_dois_without_their_prefix() -> None:
    assert words_of('a  "b" a … doi:10.1/x HTTPS://DX.DOI.ORG/10.2/y doi:x') == ["a", "b", "10.1/x", "10.2/y", "doi:x"]
    assert len(words_of(" ".join(map(str, range(1000))))) == 64
