"""Shapes: turning and mirroring leave the description alone, another pattern changes it."""

import numpy as np
import pytest

from models.clusters import ALIKE
from models.domain.tiling import Level, Window
from models.shape import HARMONICS, RINGS, shape_of
from pipelines.ingestion import PointMap
from pipelines.ingestion.rendering import render_points
from pipelines.simulate import UNKNOWN_PATTERNS, sample

WHOLE = Window(Level(0, 64, 64), 0, 0, 64, 64)


def bar(row: int, thickness: int = 6) -> np.ndarray:
    """A wafer with a thick line across; uint8 (64, 64, 2)."""
    pixels = np.zeros((64, 64, 2), np.uint8)
    pixels[row : row + thickness, 12:52, 0] = 180
    return pixels


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_symmetries_do_not_change_it(turns: int, mirrored: bool) -> None:
    seen = np.rot90(bar(10)[:, ::-1] if mirrored else bar(10), turns)
    np.testing.assert_allclose(shape_of(seen), shape_of(bar(10)), atol=0.02)


def test_where_and_what_change_it() -> None:
    edge, middle = shape_of(bar(8)), shape_of(bar(29))
    blob = np.zeros((64, 64, 2), np.uint8)
    blob[28:36, 28:36, 0] = 180
    assert np.linalg.norm(edge - middle) > 0.5
    assert np.linalg.norm(shape_of(blob) - middle) > 0.5


def test_it_has_length_one_or_is_nothing() -> None:
    assert shape_of(bar(20)).shape == (RINGS * HARMONICS,)
    assert np.linalg.norm(shape_of(bar(20))) == pytest.approx(1, abs=1e-6)
    assert not shape_of(np.full((64, 64, 1), 90, np.uint8)).any(), "an even picture has no shape"


@pytest.mark.parametrize("pattern", sorted(UNKNOWN_PATTERNS))
def test_a_wafer_at_any_angle_is_the_same(pattern: str) -> None:
    points = sample(pattern, 5, defects=4000).points
    c, s = np.cos(0.7), np.sin(0.7)
    turned = PointMap(c * -points.x_um - s * points.y_um, s * -points.x_um + c * points.y_um, points.diameter_um)
    here, there = (shape_of(render_points(one, WHOLE).pixels) for one in (points, turned))
    assert np.linalg.norm(here - there) < ALIKE
