"""Conformal thresholds: the promise is kept, and the threshold says the same as the p-values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.conformal import lot_weights, p_values, tail_p_values, threshold, thresholds_by_class
from models.domain.errors import ConfigurationError

SCORES = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=60)
"""Few values, so that ties occur."""


def test_p_values_by_hand() -> None:
    np.testing.assert_allclose(p_values([0, 2, 2.5, 9], [1, 2, 2, 3]), [5 / 5, 4 / 5, 2 / 5, 1 / 5])


@given(SCORES, SCORES, st.floats(0.01, 0.99))
def test_above_the_threshold_means_p_within_the_budget(
    calibration: list[float], scores: list[float], budget: float
) -> None:
    refused = np.array(scores) > threshold(calibration, budget)
    np.testing.assert_array_equal(refused, p_values(scores, calibration) <= budget + 1e-9)


@pytest.mark.parametrize("budget", [0.02, 0.05, 0.2])
def test_the_promise_is_kept_on_average(budget: float) -> None:
    generator = np.random.default_rng(0)
    rates = [
        float((generator.normal(size=500) > threshold(generator.normal(size=300), budget)).mean()) for _ in range(300)
    ]
    assert np.mean(rates) <= budget + 3 * np.std(rates) / 300**0.5
    assert np.mean(rates) >= budget - 1 / 301 - 3 * np.std(rates) / 300**0.5


def test_too_few_windows_promise_nothing() -> None:
    assert threshold(np.zeros(48), 0.02) == math.inf
    assert threshold(np.zeros(49), 0.02) == 0.0
    assert threshold([], 0.5) == math.inf


@pytest.mark.parametrize(("scores", "budget"), [([1.0, math.nan], 0.5), ([1.0], 0.0), ([1.0], 1.0)])
def test_nonsense_is_refused(scores: list[float], budget: float) -> None:
    with pytest.raises(ConfigurationError, match="cannot calibrate"):
        threshold(scores, budget)


def test_each_class_keeps_its_own_promise() -> None:
    generator = np.random.default_rng(0)
    predicted = np.repeat([0, 1, 2], [2000, 2000, 19])  # 20 would be enough for 5 %
    scores = generator.normal(size=4019) + 5 * (predicted == 1)
    own = thresholds_by_class(scores, predicted, ["easy", "odd", "rare"], 0.05)
    assert set(own) == {"easy", "odd", "rare"}
    for index, name in enumerate(("easy", "odd")):
        assert (scores[predicted == index] > own[name]).mean() == pytest.approx(0.05, abs=0.001)
    common = threshold(scores, 0.05)
    assert (scores[predicted == 1] > common).mean() > 0.09
    assert own["rare"] == max(common, scores[predicted == 2].max())


def test_a_strange_class_too_small_for_a_promise_is_not_refused_as_a_whole() -> None:
    generator = np.random.default_rng(0)
    predicted = np.repeat([0, 1, 2], [2000, 8, 0])
    scores = generator.normal(size=2008) + 5 * (predicted == 1)
    assert (scores[predicted == 1] > threshold(scores, 0.02)).all()
    own = thresholds_by_class(scores, predicted, ["usual", "strange", "never seen"], 0.02)
    assert not (scores[predicted == 1] > own["strange"]).any()
    assert "never seen" not in own


def test_tail_p_values_go_on_falling_beyond_the_strangest_known() -> None:
    calibration = np.random.default_rng(0).exponential(size=200)
    scores = np.linspace(0, 4 * calibration.max(), 400)
    tail = tail_p_values(scores, calibration)
    assert (np.diff(tail) <= 1e-12).all()
    beyond = scores > calibration.max()
    assert (np.diff(tail[beyond]) < 0).all()
    assert len(np.unique(p_values(scores[beyond], calibration))) == 1
    # the calibration is exponential itself: the continued p-values must be about right
    np.testing.assert_allclose(tail_p_values([5.0], calibration), np.exp(-5.0), rtol=1.5)


def test_tail_p_values_without_a_tail_are_counted() -> None:
    np.testing.assert_array_equal(tail_p_values([0, 1, 2], [1, 1, 1]), p_values([0, 1, 2], [1, 1, 1]))


@pytest.mark.parametrize("budget", [0.01, 0.02, 0.05])
def test_the_promise_is_kept_on_other_lots_within_a_point_and_in_every_class(budget: float) -> None:
    """Lots differ by a third of what wafers differ by; half of them set the thresholds, the other half is refused."""
    rng = np.random.default_rng(1)
    lots, wafers = 400, 30
    shift = np.repeat(rng.normal(scale=0.3, size=lots), wafers)
    predicted = rng.choice(3, lots * wafers, p=[0.7, 0.2, 0.1])
    scores = rng.normal(size=lots * wafers) * (1 + predicted) + shift
    known = np.arange(lots * wafers) < lots * wafers // 2
    own = thresholds_by_class(scores[known], predicted[known], ["a", "b", "c"], budget)
    limits = np.array([own[name] for name in "abc"])[predicted]
    refused = scores > limits
    assert refused[~known].mean() == pytest.approx(budget, abs=0.01)
    for index in range(3):
        assert refused[~known & (predicted == index)].mean() == pytest.approx(budget, abs=0.01)


def test_equal_weights_change_nothing() -> None:
    scores = np.random.default_rng(0).normal(size=400)
    assert threshold(scores, 0.02, np.ones(400)) == threshold(scores, 0.02)


def test_one_lot_of_thousands_does_not_decide_alone() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat([str(lot) for lot in range(41)], [25] * 40 + [4000])
    scores = generator.normal(size=5000) + np.where(groups == "40", -3.0, 0.0)
    weights = lot_weights(groups, np.zeros(5000, np.int64))
    assert weights.mean() == pytest.approx(1)
    assert weights[groups == "40"].sum() < 0.3 * weights.sum()
    others = scores[groups != "40"]
    assert (others > threshold(scores, 0.02)).mean() > 0.08
    assert (others > threshold(scores, 0.02, weights)).mean() < 0.03


def test_a_lot_counts_within_its_class() -> None:
    classes = np.array([0, 0, 0, 0, 1])
    weights = lot_weights(["a", "a", "a", "b", "a"], classes)
    assert weights[4] == 1
    assert weights[3] / weights[0] == pytest.approx(3**0.5)
