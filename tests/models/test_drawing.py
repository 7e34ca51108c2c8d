"""Scenes are drawn on the model's side as the renderer draws them, whatever is in them and however they travelled."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.domain.capture import Capture, CaptureKind
from models.domain.patch import Patch
from models.domain.scenes import Patches, Scenes, joined, together
from models.domain.tiling import Tiling, pyramid, windows
from models.drawing import drawn
from pipelines.ingestion import DieGrid, PointMap, render_points

DIAMETER_UM = 300_000.0
WAFER = Capture("0" * 64, CaptureKind.WAFER, "w", DIAMETER_UM, DIAMETER_UM)
HALF = np.float32(DIAMETER_UM / 2)


def pixels_of(patches: Patches) -> np.ndarray:
    return drawn(patches, torch.from_numpy).numpy()


def scenes_of(patches: list[Patch]) -> Scenes:
    return Scenes.of([patch.content for patch in patches])  # type: ignore[misc]


@st.composite
def wafers(draw: st.DrawFn) -> PointMap:
    """Some spread over the frame and beyond it, some on borders of pixels, some in one heap that fills the scale."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    spread = rng.uniform(-1.05 * HALF, 1.05 * HALF, (2, draw(st.integers(0, 600))))
    borders = rng.integers(-32, 33, (2, draw(st.integers(0, 60)))) * (DIAMETER_UM / 64)
    heap = np.repeat(rng.uniform(-HALF, HALF, (2, 1)), draw(st.sampled_from([0, 1, 1022, 1023, 1024, 1500])), axis=1)
    x, y = np.concatenate([spread, borders, heap], axis=1).astype(np.float32)
    grid = None
    if draw(st.booleans()):
        corners = rng.uniform(-HALF, HALF, (2, draw(st.integers(0, 40))))
        grid = DieGrid(*corners, (float(rng.uniform(500, 60_000)), float(rng.uniform(500, 60_000))))
    return PointMap(x, y, DIAMETER_UM, grid)


def cut(points: PointMap, tile: int, overlap: int, level: int) -> list[Patch]:
    raster = pyramid(WAFER, tile)[level]
    return [render_points(points, one) for one in windows(raster, Tiling(tile, min(overlap, tile - 1)))]


@settings(max_examples=60, deadline=None)
@given(wafers(), st.sampled_from([1, 7, 32, 64, 181]), st.integers(0, 6), st.integers(0, 3), st.data())
def test_drawn_on_a_device_as_by_the_renderer(
    points: PointMap, tile: int, overlap: int, level: int, data: st.DataObject
) -> None:
    patches = cut(points, tile, overlap, level)
    expected = np.stack([patch.pixels for patch in patches])
    scenes = scenes_of(patches)
    assert scenes.shape == expected.shape
    np.testing.assert_array_equal(pixels_of(pickle.loads(pickle.dumps(scenes, 5))), expected)
    begin = data.draw(st.integers(0, len(patches) - 1))
    end = data.draw(st.integers(begin + 1, len(patches)))
    np.testing.assert_array_equal(pixels_of(scenes[begin:end]), expected[begin:end])
    parts = [scenes[:begin], scenes[begin:end], scenes[end:]]
    np.testing.assert_array_equal(pixels_of(joined([part for part in parts if len(part)])), expected)


def test_what_takes_fewer_bytes_is_chosen() -> None:
    rng = np.random.default_rng(0)
    sparse, crowded = (
        PointMap(*rng.uniform(-1e5, 1e5, (2, defects)).astype(np.float32), DIAMETER_UM) for defects in (500, 100_000)
    )
    windows_of_both = [cut(points, 64, 0, 2) for points in (sparse, crowded)]
    for patches, form in zip(windows_of_both, (Scenes, np.ndarray), strict=True):
        found = together(patches)
        assert isinstance(found, form)
        np.testing.assert_array_equal(pixels_of(found), np.stack([patch.pixels for patch in patches]))
    few = together(windows_of_both[0])
    assert few.nbytes < sum(patch.pixels.nbytes for patch in windows_of_both[0]) / 5
    one, other = windows_of_both[0][:2]
    assert isinstance(together([one, Patch(other.window, other.pixels, 1.0)]), np.ndarray), "one of them is no scene"


def test_windows_too_large_for_their_pixels_to_be_numbered_stay_pixels() -> None:
    points = PointMap(np.zeros(1, np.float32), np.zeros(1, np.float32), DIAMETER_UM)
    assert isinstance(together(cut(points, 181, 0, 0)), Scenes)
    assert isinstance(together(cut(points, 182, 0, 0)), np.ndarray)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_draws_the_same() -> None:
    rng = np.random.default_rng(1)
    patches = cut(PointMap(*rng.uniform(-1e5, 1e5, (2, 20_000)).astype(np.float32), DIAMETER_UM), 64, 0, 3)
    there = drawn(scenes_of(patches), lambda array: torch.from_numpy(array).cuda())
    np.testing.assert_array_equal(there.cpu().numpy(), np.stack([patch.pixels for patch in patches]))
