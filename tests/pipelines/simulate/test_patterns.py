"""What each pattern is, stated as numbers that another pattern would miss."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.simulate import INCOMPLETE, NORMAL, PATTERNS, UNKNOWN_PATTERNS, sample
from pipelines.simulate.patterns import DRAWINGS

SEEDS = range(12)
DRAWN = [name for name, drawing in DRAWINGS.items() if drawing is not None]


def of_pattern(name: str, seed: int, defects: int = 4_000) -> NDArray[np.float64]:
    """Places (2, N) of the pattern's own defects, in wafer radii."""
    wafer = sample(name, seed, defects=defects)
    places = np.stack((wafer.points.x_um, wafer.points.y_um)).astype(np.float64)
    return places[:, wafer.in_pattern] / (wafer.points.diameter_um / 2)


def occupied(places: NDArray[np.float64], bins: int = 40) -> float:
    """Share of the disc that holds the pattern: boxes with at least a fifth of the mean of the busiest tenth."""
    counts = np.histogram2d(*places, bins=bins, range=[[-1, 1]] * 2)[0].ravel()
    busiest = np.sort(counts)[-bins * bins // 10 :]
    return float((counts > max(1.0, 0.2 * busiest.mean())).sum() / (np.pi / 4 * bins * bins))


def test_thirteen_known_patterns_and_at_least_three_unknown_ones() -> None:
    assert PATTERNS == (
        "BasketBall", "ClusterBig", "ClusterSmall", "Donut", "Fingerprints", "GeoScratch", "Grid",
        "HalfMoon", "Incomplete", "Normal", "Ring", "Slice", "ZigZag",
    )  # fmt: skip
    assert len(UNKNOWN_PATTERNS) >= 3
    assert not set(PATTERNS) & set(UNKNOWN_PATTERNS)


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("defects", [10, 100, 3_000])
def test_pattern_share_has_a_floor_that_rises_as_counts_fall(name: str, defects: int) -> None:
    drawing = DRAWINGS[name]
    assert drawing is not None
    shares = [drawing.draw_share(np.random.default_rng(seed), defects) for seed in range(200)]
    floor = {10: 0.9, 100: 0.6, 3_000: drawing.least_share}[defects]
    assert floor <= min(shares)
    assert max(shares) <= 0.96


@pytest.mark.parametrize("name", DRAWN)
def test_a_pattern_keeps_its_place_when_only_the_number_of_defects_changes(name: str) -> None:
    few, many = of_pattern(name, 5, 3_000), of_pattern(name, 5, 20_000)
    boxes = [np.histogram2d(*p, bins=12, range=[[-1, 1]] * 2)[0].ravel() / p.shape[1] for p in (few, many)]
    elsewhere = np.histogram2d(*of_pattern(name, 6, 20_000), bins=12, range=[[-1, 1]] * 2)[0].ravel()
    same = np.abs(boxes[0] - boxes[1]).sum()
    assert same < 0.25
    assert same < np.abs(boxes[0] - elsewhere / elsewhere.sum()).sum()


@pytest.mark.parametrize("seed", SEEDS)
def test_ring_hugs_the_edge(seed: int) -> None:
    distance = np.hypot(*of_pattern("Ring", seed))
    assert np.median(distance) > 0.8
    assert (distance > 0.7).mean() > 0.93
    angle = np.arctan2(*of_pattern("Ring", seed)[::-1])
    assert np.histogram(angle, 12, (-np.pi, np.pi))[0].min() > 60  # closed all around


@pytest.mark.parametrize("seed", SEEDS)
def test_donut_is_hollow_and_off_the_edge(seed: int) -> None:
    distance = np.hypot(*of_pattern("Donut", seed))
    assert (distance < 0.15).mean() < 0.05
    assert 0.3 < np.median(distance) < 0.68
    assert (distance > 0.9).mean() < 0.06


@pytest.mark.parametrize("seed", SEEDS)
def test_half_moon_lies_on_one_side(seed: int) -> None:
    places = of_pattern("HalfMoon", seed)
    middle = places.mean(axis=1)
    assert np.hypot(*middle) > 0.25
    along = (middle / np.hypot(*middle)) @ places
    assert (along > 0).mean() > 0.85
    assert np.hypot(*places).max() > 0.9  # reaches the edge


@pytest.mark.parametrize("seed", SEEDS)
def test_slice_is_a_narrow_sector(seed: int) -> None:
    places = of_pattern("Slice", seed)
    far = places[:, np.hypot(*places) > 0.5]
    angle = np.arctan2(far[1], far[0])
    mean = np.angle(np.exp(1j * angle).mean())
    off = np.abs(np.angle(np.exp(1j * (angle - mean))))
    assert np.quantile(off, 0.98) < np.deg2rad(50)
    assert far.shape[1] > 0.5 * places.shape[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_clusters_are_compact_and_differ_in_size(seed: int) -> None:
    small, big = (of_pattern(name, seed) for name in ("ClusterSmall", "ClusterBig"))
    spread = [np.median(np.hypot(*(p - np.median(p, axis=1)[:, None]))) for p in (small, big)]
    assert spread[0] < 0.12
    assert 0.12 < spread[1] < 0.45


@pytest.mark.parametrize("name", ["BasketBall", "GeoScratch", "ZigZag", "Fingerprints"])
@pytest.mark.parametrize("seed", SEEDS)
def test_line_patterns_occupy_little_area(name: str, seed: int) -> None:
    assert occupied(of_pattern(name, seed)) < (0.4 if name == "BasketBall" else 0.25)


@pytest.mark.parametrize("seed", SEEDS)
def test_grid_lines_follow_the_streets_between_dies(seed: int) -> None:
    wafer = sample("Grid", seed, defects=4_000)
    places = np.stack((wafer.points.x_um, wafer.points.y_um)).astype(np.float64)[:, wafer.in_pattern]
    centre, pitch = np.array(wafer.layout.centre_um)[:, None], np.array(wafer.layout.pitch_um)[:, None]
    in_die = (places + centre) / pitch
    off_street = np.abs(in_die - np.round(in_die)) * pitch
    assert np.quantile(off_street.min(axis=0), 0.9) < 0.03 * wafer.points.diameter_um / 2


@pytest.mark.parametrize("seed", range(40))
def test_incomplete_leaves_out_a_large_part(seed: int) -> None:
    wafer = sample(INCOMPLETE, seed, defects=500)
    same_product = next(w for s in range(500) if (w := sample(NORMAL, s, defects=1)).product == wafer.product)
    share = len(wafer.layout.columns) / len(same_product.layout.columns)
    assert 0.2 < share < 0.89
    assert not wafer.in_pattern.any()


def test_normal_wafers_are_nearly_even() -> None:
    for seed in SEEDS:
        wafer = sample(NORMAL, seed, defects=20_000)
        reach = wafer.layout.reach_um
        distance = np.hypot(wafer.points.x_um, wafer.points.y_um) / reach
        inner, outer = (distance < 0.5).mean() / 0.25, ((distance > 0.7) & (distance < 0.9)).mean() / 0.32
        assert 0.7 < inner < 1.2
        assert 0.8 < outer < 1.5
        quarters = np.histogram2d(wafer.points.x_um, wafer.points.y_um, bins=2)[0] / 20_000
        assert quarters.min() > 0.21
