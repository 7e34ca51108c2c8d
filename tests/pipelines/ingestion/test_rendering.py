"""Rendering: nothing lost, nothing invented, the same picture at every level."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.capture import Capture, CaptureKind
from models.domain.patch import COUNT_TO_DENSITY, DENSITY_FULL, Scene
from models.domain.tiling import Level, Tiling, Window, plan, pyramid, windows
from pipelines.ingestion.point_index import located
from pipelines.ingestion.rendering import render_die_maps, render_dies, render_points
from pipelines.ingestion.wafer_maps import DieGrid, DieMap, PointMap

WAFER = Capture("0" * 64, CaptureKind.WAFER, "w", 300_000.0, 300_000.0)


def scattered(n: int, seed: int = 0) -> PointMap:
    rng = np.random.default_rng(seed)
    radius, angle = 150_000 * np.sqrt(rng.random(n)), 2 * math.pi * rng.random(n)
    return PointMap((radius * np.cos(angle)).astype(np.float32), (radius * np.sin(angle)).astype(np.float32), 300_000.0)


def whole(size: int = 64) -> Window:
    return Window(Level(0, size, size), 0, 0, size, size)


def counts(place: np.ndarray, window: Window) -> np.ndarray:
    return np.bincount(place, minlength=window.height * window.width).reshape(window.height, window.width)


def of_level(points: PointMap, level: Level) -> np.ndarray:
    window = Window(level, 0, 0, level.height, level.width)
    return counts(located(*points.positions, window), window)


def round_dies(rows: int, columns: int) -> np.ndarray:
    y = (np.arange(rows) + 0.5) / rows * 2 - 1
    x = (np.arange(columns) + 0.5) / columns * 2 - 1
    return (np.hypot(y[:, None], x[None]) <= 1).astype(np.uint8)


def test_density_follows_the_formula() -> None:
    n = np.arange(2000)
    table = COUNT_TO_DENSITY[np.minimum(n, DENSITY_FULL)]
    exact = np.minimum(255 * np.log1p(n) / math.log1p(1023), 255)
    assert np.abs(table - exact).max() <= 0.5 + 1e-4
    assert table[0] == 0
    assert table[1] == 26
    assert table[1023] == table[1999] == 255


def test_a_defect_lies_where_the_file_says() -> None:
    points = PointMap(np.float32([100_000]), np.float32([140_000]), 300_000.0)  # to the right, far from the notch
    pixels = render_points(points, whole()).pixels[..., 0]
    row, column = np.argwhere(pixels)[0]
    assert (row, column) == (int((150 - 140) / 300 * 64), int((150 + 100) / 300 * 64))
    assert np.count_nonzero(pixels) == 1


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 3000),
    tile=st.sampled_from([1, 7, 32, 64]),
    overlap=st.integers(0, 6),
    level=st.integers(0, 5),
    seed=st.integers(0, 2**16),
)
def test_windows_show_the_level_and_no_defect_is_lost(n: int, tile: int, overlap: int, level: int, seed: int) -> None:
    points = scattered(n, seed)
    raster = pyramid(WAFER, tile)[level]
    drawn = of_level(points, raster)
    assert drawn.sum() == n
    for window in windows(raster, Tiling(tile, min(overlap, tile - 1))):
        place = np.s_[window.top : window.bottom, window.left : window.right]
        np.testing.assert_array_equal(counts(points.index.located(window), window), drawn[place])


def test_a_coarser_level_adds_up_the_finer_one() -> None:
    points = scattered(5000)
    levels = pyramid(WAFER, 64)
    coarse, fine = (of_level(points, level) for level in levels[1:3])
    np.testing.assert_array_equal(coarse, fine.reshape(128, 2, 128, 2).sum(axis=(1, 3)))


def test_defects_outside_of_the_frame_are_kept_at_its_rim() -> None:
    points = PointMap(np.float32([-200_000, 200_000, 150_000]), np.float32([0, 0, -150_000]), 300_000.0)
    pixels = render_points(points, whole()).pixels[..., 0]
    assert pixels[32, 0] == pixels[32, 63] == pixels[63, 63] == 26


def test_a_window_that_overhangs_is_padded_as_not_inspected() -> None:
    points = scattered(500)
    level = Level(0, 40, 40)
    patch = render_points(points, Window(level, 0, 0, 64, 64))
    assert not patch.pixels[40:].any()
    assert not patch.pixels[:, 40:].any()
    assert len(located(*points.positions, patch.window)) == 500


def test_the_whole_disc_is_inspected_unless_the_file_says_less() -> None:
    patch = render_points(scattered(0), whole())
    assert patch.inspected == pytest.approx(math.pi / 4, abs=0.003)
    assert patch.pixels[0, 0, 1] == 0
    assert patch.pixels[32, 32, 1] == 255
    assert not patch.pixels[..., 0].any()


def test_no_tool_looked_is_not_the_same_as_clean() -> None:
    nothing = DieGrid(np.zeros(0), np.zeros(0), (10_000.0, 10_000.0))
    patch = render_points(PointMap(np.zeros(0, np.float32), np.zeros(0, np.float32), 300_000.0, nothing), whole())
    assert patch.inspected == 0
    assert not patch.pixels.any()


def test_inspected_dies_cover_their_area_exactly() -> None:
    # One die of 30 mm x 20 mm with its lower-left corner in the centre: pixels are 4.6875 mm wide.
    grid = DieGrid(np.array([0.0]), np.array([0.0]), (30_000.0, 20_000.0))
    points = PointMap(np.zeros(0, np.float32), np.zeros(0, np.float32), 300_000.0, grid)
    patch = render_points(points, whole())
    assert patch.inspected == pytest.approx(30 * 20 / 300**2, rel=1e-6)
    rows, columns = np.nonzero(patch.pixels[..., 1])
    assert rows.max() == 31  # the centre is the top of row 32, and y grows upwards
    assert rows.min() == 32 - math.ceil(20 / 4.6875)
    assert (columns.min(), columns.max()) == (32, 32 + math.ceil(30 / 4.6875) - 1)
    quarter = render_points(points, Window(Level(1, 128, 128), 0, 64, 64, 64))
    assert quarter.inspected == pytest.approx(4 * patch.inspected, rel=1e-5)


def test_what_was_inspected_is_kept_for_wafers_that_were_looked_at_alike() -> None:
    def dies(x_um: float, pitch_um: float = 20_000.0) -> PointMap:
        grid = DieGrid(np.array([x_um, 40_000.0]), np.array([0.0, 10_000.0]), (20_000.0, pitch_um))
        return PointMap(np.zeros(0, np.float32), np.zeros(0, np.float32), 300_000.0, grid)

    first, again, moved, taller = (
        render_points(points, whole()) for points in (dies(0.0), dies(0.0), dies(500.0), dies(0.0, 21_000.0))
    )
    assert isinstance(first.content, Scene)
    assert isinstance(again.content, Scene)
    assert first.content.share is again.content.share
    for other in (moved, taller):
        assert (first.pixels != other.pixels).any()
    assert taller.inspected == pytest.approx(1.05 * first.inspected)


def test_die_windows_show_the_same_wafer_as_the_whole() -> None:
    states = round_dies(26, 30) * np.random.default_rng(1).integers(1, 3, (26, 30)).astype(np.uint8)
    dies = DieMap(states)
    share = [
        np.mean([render_dies(dies, w).inspected for w in plan(WAFER, Tiling(levels=(level,)))]) for level in (0, 1, 2)
    ]
    assert share == pytest.approx([share[0]] * 3, abs=1e-3)
    assert share[0] == pytest.approx(math.pi / 4, abs=0.003)


def test_failed_area_is_conserved() -> None:
    states = np.ones((20, 20), np.uint8)
    states[5:7, 10:14] = 2
    density = render_dies(DieMap(states), whole()).pixels[..., 0].astype(float)
    failed = np.expm1(density / 255 * math.log1p(DENSITY_FULL)) / DENSITY_FULL
    assert failed.mean() == pytest.approx(8 / 400, rel=0.02)


@pytest.mark.parametrize("shape", [(25, 27), (27, 25), (52, 52), (71, 60), (200, 180)])
def test_the_grid_shape_cannot_be_seen(shape: tuple[int, int]) -> None:
    mask = render_dies(DieMap(round_dies(*shape)), whole()).pixels[..., 1]
    reference = render_dies(DieMap(round_dies(40, 40)), whole()).pixels[..., 1]
    np.testing.assert_array_equal(mask, reference)


def test_dies_missing_inside_are_not_inspected() -> None:
    states = round_dies(40, 40)
    states[18:22, 18:22] = 0
    mask = render_dies(DieMap(states), whole()).pixels[..., 1]
    assert not mask[29:35, 29:35].any()
    assert mask[32, 10] == 255


def test_empty_margins_are_cut_off() -> None:
    states = round_dies(30, 28)
    wide = np.pad(states, ((3, 9), (7, 1)))
    np.testing.assert_array_equal(
        render_dies(DieMap(wide), whole()).pixels, render_dies(DieMap(states), whole()).pixels
    )


def test_a_map_without_any_tested_die_is_dark() -> None:
    patch = render_dies(DieMap(np.zeros((9, 9), np.uint8)), whole(8))
    assert not patch.pixels.any()
    assert patch.inspected == 0


def test_the_batch_is_the_same_as_one_by_one() -> None:
    rng = np.random.default_rng(3)
    maps = [
        round_dies(h, w) * rng.integers(1, 3, (h, w)).astype(np.uint8)
        for h, w in [(20, 20), (31, 25), (20, 20), (9, 64), (1, 1), (120, 90)]
    ]
    batch = render_die_maps(maps, 48)
    for pixels, states in zip(batch, maps, strict=True):
        np.testing.assert_array_equal(pixels, render_dies(DieMap(states), whole(48)).pixels)
    assert render_die_maps([], 48).shape == (0, 48, 48, 2)
