"""One wafer in memory: exact, inside, reproducible."""

import numpy as np
import pytest

from models.domain.errors import ConfigurationError
from pipelines.simulate import PATTERNS, UNKNOWN_PATTERNS, sample
from pipelines.simulate.patterns import DRAWINGS
from pipelines.simulate.products import PRODUCTS, product

EVERY = PATTERNS + UNKNOWN_PATTERNS


@pytest.mark.parametrize("pattern", EVERY)
def test_counts_are_exact_and_every_defect_lies_in_an_inspected_die(pattern: str) -> None:
    for seed, defects in ((0, 1), (1, 10), (2, 61), (3, 777), (4, 12_345), (5, 60_000)):
        wafer = sample(pattern, seed, defects=defects)
        assert len(wafer.points) == defects == len(wafer.in_pattern)
        assert wafer.points.x_um.dtype == np.float32
        x, y = wafer.points.x_um.astype(float), wafer.points.y_um.astype(float)
        assert wafer.layout.covers(x, y).all()
        assert np.hypot(x, y).max() < wafer.points.diameter_um / 2
        assert wafer.points.inspected is not None
        assert len(wafer.points.inspected) == len(wafer.layout.columns)


def test_a_wafer_without_defects() -> None:
    assert len(sample("Normal", 0, defects=0).points) == 0


@pytest.mark.parametrize("pattern", EVERY)
def test_the_same_seed_gives_the_same_wafer_and_another_seed_another(pattern: str) -> None:
    first, again, other = (sample(pattern, seed, defects=(50, 5_000)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.points.x_um, again.points.x_um)
    np.testing.assert_array_equal(first.points.y_um, again.points.y_um)
    np.testing.assert_array_equal(first.in_pattern, again.in_pattern)
    assert first.product == again.product
    assert len(first.points) != len(other.points) or (first.points.x_um != other.points.x_um).any()


def test_defects_of_the_pattern_and_the_background_are_mixed_in_order() -> None:
    wafer = sample("Ring", 0, defects=2_000)
    halves = wafer.in_pattern[:1_000].mean(), wafer.in_pattern[1_000:].mean()
    assert halves[0] == pytest.approx(halves[1], abs=0.08)


def test_numbers_of_defects_are_log_uniform_within_the_range() -> None:
    counts = np.array([len(sample("Normal", seed, defects=(10, 10_000)).points) for seed in range(300)])
    assert counts.min() >= 10
    assert counts.max() <= 10_000
    bands = np.histogram(np.log10(counts), bins=3, range=(1, 4))[0] / 300
    assert bands == pytest.approx([1 / 3] * 3, abs=0.09)


def test_a_pattern_that_ten_defects_cannot_show_gets_more_if_the_range_allows() -> None:
    grid = DRAWINGS["Grid"]
    assert grid is not None
    assert min(len(sample("Grid", seed, defects=(10, 1_000)).points) for seed in range(40)) >= grid.least_defects
    assert len(sample("Grid", 0, defects=(10, 20)).points) == 20
    assert len(sample("Grid", 0, defects=10).points) == 10


@pytest.mark.parametrize("defects", [-1, (0, 10), (10, 9), (1, 10**8)])
def test_impossible_numbers_of_defects(defects: int | tuple[int, int]) -> None:
    with pytest.raises(ConfigurationError, match="bad number of defects"):
        sample("Normal", 0, defects=defects)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"BasketBall .* got Basketbal"):
        sample("Basketbal", 0)


def test_a_product_is_always_the_same_and_products_differ() -> None:
    assert product(3) is product(3)
    products = [product(number) for number in range(PRODUCTS)]
    assert len({p.code for p in products}) == PRODUCTS
    assert len({p.layout.pitch_um for p in products}) == PRODUCTS
    assert {p.layout.diameter_um for p in products} == {200_000.0, 300_000.0}
    wafer = sample("Donut", 0, defects=100, of_product=products[5])
    assert (wafer.product, wafer.layout.pitch_um) == (products[5].code, products[5].layout.pitch_um)
