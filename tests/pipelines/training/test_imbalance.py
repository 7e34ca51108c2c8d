"""How often each class and lot is drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.training_recipe import TrainingRecipe
from pipelines.training.imbalance import class_shares, draw, draw_weights, frequencies

COUNTS = np.array([900, 100, 0])


@pytest.mark.parametrize(
    ("sampler", "progress", "expected"),
    [
        ("natural", 0.0, [0.9, 0.1, 0]),
        ("square-root", 0.0, [0.75, 0.25, 0]),
        ("class-balanced", 0.0, [0.5, 0.5, 0]),
        ("progressive", 0.0, [0.9, 0.1, 0]),
        ("progressive", 1.0, [0.5, 0.5, 0]),
        ("progressive", 0.5, [0.7, 0.3, 0]),
    ],
)
def test_shares_follow_the_sampler(sampler: str, progress: float, expected: list[float]) -> None:
    recipe = TrainingRecipe.model_validate({"sampler": sampler})
    assert class_shares(COUNTS, recipe, progress) == pytest.approx(expected)


def test_an_epoch_shows_the_shares_asked_for() -> None:
    strata = np.eye(3, dtype=np.uint8)[[0] * 900 + [1] * 100]
    weights = draw_weights(strata, ["lot"] * 1000, np.array([0.75, 0.25, 0]), lot_power=1)
    drawn = draw(weights, 400, np.random.default_rng(0))
    assert frequencies(strata, drawn) == pytest.approx([0.75, 0.25, 0], abs=0.005)


def test_a_large_lot_does_not_own_its_class() -> None:
    strata = np.ones((110, 1), np.uint8)
    groups = ["big"] * 100 + ["small"] * 10
    for power, share in ((1.0, 100 / 110), (0.5, 10 / (10 + np.sqrt(10))), (0.0, 0.5)):
        weights = draw_weights(strata, groups, np.array([1.0]), lot_power=power)
        assert weights[:100].sum() == pytest.approx(share)


def test_a_patch_of_several_classes_is_drawn_for_the_rarest() -> None:
    strata = np.array([[1, 0]] * 98 + [[1, 1]] * 2, np.uint8)
    weights = draw_weights(strata, list(range(100)), np.array([0.5, 0.5]), lot_power=1)
    assert weights[98] / weights[0] == pytest.approx((0.5 / 2) / (0.5 / 100))


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 60), size=st.integers(1, 200), seed=st.integers(0, 1000))
def test_every_patch_is_drawn_as_often_as_its_weight_asks_within_one(n: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.random(n) + 1e-3
    weights /= weights.sum()
    times = np.bincount(draw(weights, size, rng), minlength=n)
    assert times.sum() == size
    assert (np.abs(times - size * weights) < 1 + 1e-6).all()


def test_equal_weights_give_a_permutation_that_follows_the_seed() -> None:
    weights = np.full(50, 1 / 50)
    first = draw(weights, 50, np.random.default_rng(1))
    assert sorted(first) == list(range(50))
    assert (first == draw(weights, 50, np.random.default_rng(1))).all()
    assert (first != draw(weights, 50, np.random.default_rng(2))).any()
