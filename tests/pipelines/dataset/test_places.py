"""Places are kept small, and lose nothing that is drawn."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.domain.patch import COUNT_TO_DENSITY, DENSITY_FULL
from models.domain.tiling import Level, Window
from pipelines.dataset.places import DefectPlaces
from pipelines.ingestion.rendering import render_points
from pipelines.ingestion.wafer_maps import PointMap


def wafer(defects: int, seed: int, spread_um: float = 1e5) -> PointMap:
    """Defects here and there, some of them beyond the frame."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, spread_um, (2, defects)).astype(np.float32)
    return PointMap(x, y, 3e5)


def density(places: DefectPlaces) -> np.ndarray:
    """uint8 (N, tile, tile), drawn from the places alone."""
    counts = np.zeros((len(places), places.tile, places.tile), np.int64)
    number = np.repeat(np.arange(len(places)), np.diff(places.first))
    np.add.at(counts, (number, places.row >> places.bits, places.column >> places.bits), places.weight)
    return COUNT_TO_DENSITY[np.minimum(counts, DENSITY_FULL)]


def rendered(points: PointMap, tile: int) -> np.ndarray:
    return render_points(points, Window(Level(0, tile, tile), 0, 0, tile, tile)).pixels[..., 0]


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=3), st.integers(1, 200), st.integers(0, 99))
def test_what_is_kept_draws_what_the_renderer_draws(sizes: list[int], tile: int, seed: int) -> None:
    wafers = [wafer(size, seed + place) for place, size in enumerate(sizes)]
    places = DefectPlaces.of(wafers, tile)
    assert np.array_equal(density(places), [rendered(points, tile) for points in wafers])


def test_no_wafer_takes_more_than_its_bound() -> None:
    full = PointMap(*np.mgrid[-1:1:2000j, -1:1:2000j].reshape(2, -1).astype(np.float32) * 149e3, 3e5)
    assert np.array_equal(density(DefectPlaces.of([full], 16)), [rendered(full, 16)]), "every pixel is at its end"
    crowded, even = wafer(400_000, 0, spread_um=9e3), wafer(200_000, 1, spread_um=7e4)
    places = DefectPlaces.of([crowded, even], 16)
    assert (np.diff(places.first) <= 6 * 16**2).all()
    assert np.array_equal(density(places), [rendered(crowded, 16), rendered(even, 16)])


def test_wafers_are_chosen_with_their_defects() -> None:
    wafers = [wafer(size, size) for size in (5, 0, 7, 1)]
    places = DefectPlaces.of(wafers, 32)
    chosen = places.only(np.array([2, 2, 1, 0]))
    assert np.diff(chosen.first).tolist() == [7, 7, 0, 5]
    assert np.array_equal(density(chosen), density(places)[[2, 2, 1, 0]])
    assert np.array_equal(density(places.only(np.array([True, False, False, True]))), density(places)[[0, 3]])
    assert len(places.only(np.zeros(4, np.bool_))) == 0
    apart = DefectPlaces.concatenated([DefectPlaces.of(wafers[:1], 32), DefectPlaces.of(wafers[1:], 32)])
    assert np.array_equal(apart.row, places.row)
    assert np.array_equal(apart.first, places.first)
