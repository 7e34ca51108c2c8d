"""Die layouts: what is covered, and where in its die a place lies."""

import numpy as np
import pytest

from models.domain.errors import ConfigurationError
from pipelines.simulate.dies import whole_wafer


def test_a_place_and_its_die_address_are_the_same_place() -> None:
    layout = whole_wafer(300_000, (8_000.0, 11_000.0), shift=(0.5, 0.25))
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-100_000, 100_000, (2, 1000))
    place = layout.locate(x, y)
    assert (place.x_rel_um >= 0).all()
    assert (place.x_rel_um < 8_000).all()
    assert (place.y_rel_um < 11_000).all()
    np.testing.assert_allclose(place.column * 8_000.0 + place.x_rel_um - layout.centre_um[0], x, atol=1e-6)
    np.testing.assert_allclose(place.row * 11_000.0 + place.y_rel_um - layout.centre_um[1], y, atol=1e-6)


def test_partial_dies_fill_the_disc_and_whole_ones_stay_inside() -> None:
    angle = np.linspace(0, 2 * np.pi, 500)
    rim_x, rim_y = 146_900 * np.cos(angle), 146_900 * np.sin(angle)
    partial = whole_wafer(300_000, (20_000.0, 15_000.0), partial_dies=True)
    whole = whole_wafer(300_000, (20_000.0, 15_000.0), partial_dies=False)
    assert partial.covers(rim_x, rim_y).all()
    assert not whole.covers(rim_x, rim_y).all()
    x, y = whole.corners_um()
    for dx in (0, 20_000):
        for dy in (0, 15_000):
            assert np.hypot(x + dx, y + dy).max() <= 147_000


def test_what_is_left_out_is_not_covered() -> None:
    layout = whole_wafer(200_000, (10_000.0, 10_000.0))
    x, y = (corner + 5_000 for corner in layout.corners_um())
    central = np.hypot(x, y) < 80_000
    keep = (x < 0) | ~central
    fewer = layout.only(keep)
    np.testing.assert_array_equal(fewer.covers(x[central], y[central]), x[central] < 0)
    assert not layout.covers(np.array([99_000.0, 0.0]), np.array([0.0, -1e9])).any()


def test_no_die_is_no_layout() -> None:
    layout = whole_wafer(200_000, (10_000.0, 10_000.0))
    with pytest.raises(ConfigurationError, match="at least one inspected die"):
        layout.only(np.zeros(len(layout.columns), dtype=bool))
