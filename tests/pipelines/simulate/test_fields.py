"""Fields: chances of failure, of every kind, and where they say."""

import numpy as np
import pytest

from pipelines.simulate.fields import FAMILIES, SIDE, at, random_field


@pytest.mark.parametrize("family", FAMILIES)
def test_a_field_is_a_chance_that_varies(family: str) -> None:
    fields = [random_field(np.random.default_rng(seed), (family,)) for seed in range(20)]
    for field in fields:
        assert field.shape == (SIDE, SIDE)
        assert 0 <= field.min() < field.max() <= 1
    assert len({float(field.mean()) for field in fields}) == 20
    assert np.median([field.max() - field.min() for field in fields]) > 0.3


def test_equal_seeds_give_equal_fields() -> None:
    one, other = (random_field(np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_places_are_right_and_down() -> None:
    field = np.arange(SIDE * SIDE, dtype=float).reshape(SIDE, SIDE)
    assert at(field, np.array([-1.0]), np.array([-1.0])) == field[0, 0]
    assert at(field, np.array([0.999]), np.array([-0.999])) == field[0, -1]
    assert at(field, np.array([-0.999]), np.array([1.0])) == field[-1, 0]
