"""The tile pyramid: nothing dropped, nothing outside but the padding of what is smaller than a tile."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.capture import Capture, CaptureKind
from models.domain.errors import ConfigurationError, InputError
from models.domain.tiling import WAFER_FINEST_PX, Level, Tiling, Window, plan, pyramid, starts, windows


def image(height: float, width: float) -> Capture:
    return Capture("0" * 64, CaptureKind.IMAGE, "i", float(height), float(width))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Level, Tiling]:
    tile = draw(st.integers(1, 20))
    tiling = Tiling(tile, draw(st.integers(0, tile - 1)))
    return Level(0, draw(st.integers(1, 60)), draw(st.integers(1, 60))), tiling


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_pixel_is_covered_and_no_window_hangs_out(case: tuple[Level, Tiling]) -> None:
    level, tiling = case
    seen = np.zeros((level.height, level.width), int)
    for window in windows(level, tiling):
        assert (window.height, window.width) == (tiling.tile, tiling.tile)
        assert window.top == 0 or window.bottom <= level.height
        assert window.left == 0 or window.right <= level.width
        assert min(window.top, window.left) >= 0
        seen[window.top : window.bottom, window.left : window.right] += 1
    assert seen.min() >= 1


@settings(max_examples=200, deadline=None)
@given(length=st.integers(1, 500), tile=st.integers(1, 64), data=st.data())
def test_starts_rise_end_inside_and_overlap_enough(length: int, tile: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(0, tile - 1))
    places = starts(length, tile, overlap)
    assert places[0] == 0
    assert places[-1] == max(0, length - tile)
    steps = np.diff(places)
    assert all(0 < step <= tile - overlap for step in steps)
    assert all(step == tile - overlap for step in steps[:-1])
    # No window more than needed: without the last one, the end would not be covered.
    assert len(places) == 1 or places[-2] + tile < length


@given(st.integers(1, 30), st.integers(1, 30))
def test_without_overlap_and_dividing_each_pixel_is_seen_once(rows: int, columns: int) -> None:
    level, tiling = Level(0, rows * 4, columns * 4), Tiling(4)
    assert len(list(windows(level, tiling))) == rows * columns


@pytest.mark.parametrize(("height", "width"), [(1, 700), (700, 1), (1, 1)])
def test_thin_images_are_covered(height: int, width: int) -> None:
    placed = list(plan(image(height, width), Tiling(64, 8, (-1,))))
    assert sum(min(window.bottom, height) - window.top for window in placed) >= height
    assert {window.level for window in placed} == {pyramid(image(height, width), 64)[-1]}
    assert max(window.right for window in placed) >= width


@settings(max_examples=100, deadline=None)
@given(height=st.integers(1, 5000), width=st.integers(1, 5000), tile=st.integers(1, 512))
def test_levels_of_an_image_halve_until_it_fits_one_tile(height: int, width: int, tile: int) -> None:
    levels = pyramid(image(height, width), tile)
    assert (levels[-1].height, levels[-1].width) == (height, width)
    assert max(levels[0].height, levels[0].width) <= tile
    assert [level.index for level in levels] == list(range(len(levels)))
    for coarse, fine in pairwise(levels):
        assert (coarse.height, coarse.width) == (-(-fine.height // 2), -(-fine.width // 2))
        assert max(fine.height, fine.width) > tile


@pytest.mark.parametrize("tile", [1, 48, 64, 96, 30_000])
def test_levels_of_a_wafer_double_up_to_the_resolution_of_tools(tile: int) -> None:
    levels = pyramid(Capture("0" * 64, CaptureKind.WAFER, "w", 3e5, 3e5), tile)
    assert levels[0] == Level(0, tile, tile)
    assert all(level.height == level.width == tile << level.index for level in levels)
    assert levels[-1].height >= WAFER_FINEST_PX
    assert len(levels) == 1 or levels[-2].height < WAFER_FINEST_PX


def test_levels_count_from_either_end_and_must_exist() -> None:
    capture = image(256, 256)
    assert [w.level.index for w in plan(capture, Tiling(128, 0, (-2, 0)))] == [0, 0]
    for index in (2, -3):
        with pytest.raises(ConfigurationError, match="no such level"):
            list(plan(capture, Tiling(128, 0, (index,))))


@pytest.mark.parametrize(("tile", "overlap", "levels"), [(0, 0, (0,)), (4, 4, (0,)), (4, -1, (0,)), (4, 0, ())])
def test_impossible_tilings_are_refused(tile: int, overlap: int, levels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="bad tiling"):
        Tiling(tile, overlap, levels)


def test_centres_are_fractions_of_the_capture() -> None:
    assert Window(Level(1, 128, 128), 64, 0, 64, 64).centre == (0.75, 0.25)


@pytest.mark.parametrize("height", [0.0, -1.0, float("nan"), float("inf")])
def test_captures_have_an_extent(height: float) -> None:
    with pytest.raises(InputError, match="extent"):
        image(height, 10)
