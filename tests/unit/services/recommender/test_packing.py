from hypothesis import given
from hypothesis import strategies as st

from services.recommender.packing import SEPARATOR, packed

TEXTS = st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=60), max_size=8)


@given(TEXTS, st.integers(8, 200))
def test_every_character_goes_out_once_in_packs_within_the_limit_and_comes_home(texts: list[str], limit: int) -> None:
    home = [dict[int, str]() for _ in texts]
    for pack in packed(texts, limit):
        assert len(pack.text.encode()) <= limit
        for piece in pack.pieces:
            for at in range(piece.at, piece.at + piece.length):
                place = pack.home(at, at + 1)
                assert place is not None
                home[place.text][place.start] = pack.text[at]
    assert ["".join(signs[at] for at in sorted(signs)) for signs in home] == texts
    assert [sorted(signs) for signs in home] == [list(range(len(text))) for text in texts]


def test_a_hit_across_a_boundary_is_none() -> None:
    (pack,) = packed(["a heart", "valve b"], 1000)
    heart, valve = pack.text.index("heart"), pack.text.index("valve")
    assert pack.home(heart, valve + 5) is None
    assert pack.home(heart + 5, heart + 6) is None
    assert pack.home(valve, valve + 5) == (1, 0, 5)
    assert pack.home(-1, 3) is None
    assert pack.home(valve, len(pack.text) + 1) is None


def test_texts_share_a_pack_until_it_is_full_and_long_ones_are_cut_between_words() -> None:
    texts = ["a" * 40, "b" * 40, "word " * 30]
    packs = packed(texts, 100)
    assert packs[0].text == texts[0] + SEPARATOR + texts[1]
    assert all(pack.text.strip().split(" ") == ["word"] * len(pack.text.split()) for pack in packs[1:])
