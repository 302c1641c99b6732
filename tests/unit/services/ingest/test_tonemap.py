import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from services.ingest.tonemap import photograph, stretch, window

RAMP = np.linspace(0, 1, 1000).reshape(20, 50)


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "f4", "f8"])
def test_a_ramp_is_spread_over_all_greys_whatever_its_type_and_place(dtype: str) -> None:
    levels = stretch((RAMP * 3000 + 500).astype(dtype), wide=True)
    assert np.abs(levels.astype(float) - RAMP * 255).max() < 2


@pytest.mark.parametrize("place", [1e-30, 1.0, 1e9, 1e300])
def test_numbers_far_from_zero_are_told_apart(place: float) -> None:
    assert np.unique(stretch(place * (1 + RAMP), wide=True)).size > 200


def test_what_is_not_finite_is_black_and_does_not_count() -> None:
    values = RAMP.copy()
    values[:5], values[5, :10], values[6, :10] = np.nan, np.inf, -np.inf
    levels = stretch(values)
    assert levels[:5].max() == levels[5, :10].max() == levels[6, :10].max() == 0
    assert levels[5, 10] < 5
    assert levels[-1, -1] == 255


def test_only_wide_pictures_of_many_magnitudes_are_softened() -> None:
    spectrum = 10.0 ** (RAMP * 9)
    assert np.median(stretch(spectrum)) == 0
    assert np.median(stretch(spectrum, wide=True)) > 15
    assert np.array_equal(stretch(RAMP), stretch(RAMP, wide=True))


def test_a_mask_with_a_little_in_it_shows_that() -> None:
    mask = np.zeros((100, 200), np.uint16)
    mask[3, 4] = 7
    assert stretch(mask)[3, 4] == 255


def test_colours_that_fill_their_range_are_a_photograph_and_those_of_a_camera_are_none() -> None:
    full = (np.dstack([RAMP] * 3) * 65535).astype(np.uint16)
    tone = photograph(full)
    assert tone is not None
    assert np.array_equal(tone.shown(full), full >> 8)
    assert photograph(full >> 4) is None


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_a_window_puts_its_centre_into_the_middle(function: str) -> None:
    levels = window(np.array([[-1e6, 40.0, 1e6]]), 40, 400, function)
    assert levels[0, 0] == 0
    assert levels[0, 1] == pytest.approx(128, abs=1)
    assert levels[0, 2] == 255


@given(
    arrays(
        st.sampled_from(["u2", "i2", "u4", "i4", "f4", "f8"]), array_shapes(min_dims=2, max_dims=2, max_side=8)
    ),
    st.booleans(),
)  # fmt: skip
def test_any_pixels_become_greys_in_the_same_order(pixels: np.ndarray, wide: bool) -> None:  # type: ignore[type-arg]
    with np.errstate(all="ignore"):
        levels = stretch(pixels, wide=wide)
    assert levels.shape == pixels.shape
    finite = np.isfinite(pixels)
    order = np.argsort(pixels[finite], kind="stable")
    assert (np.diff(levels[finite][order].astype(int)) >= 0).all()
