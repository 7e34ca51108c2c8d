"""Drift is found where there is some, and no oftener than promised where there is none."""

import numpy as np
import pytest

from models.drift import LEAST, discrepancy, moved_classes, reweighted, stability

RNG = np.random.default_rng(7)
EVEN = np.full(800, 1 / 800)


def test_without_drift_stability_alarms_as_often_as_it_says() -> None:
    p_values = [stability(RNG.beta(8, 2, 800), EVEN, RNG.beta(8, 2, 300)).p_value for _ in range(600)]
    for level in (0.05, 0.2):
        realised = np.mean(np.array(p_values) < level)
        assert realised == pytest.approx(level, abs=4 * np.sqrt(level / 600)), level


def test_without_drift_embeddings_alarm_as_often_as_they_say() -> None:
    p_values = [discrepancy(RNG.normal(size=(60, 8)), RNG.normal(size=(40, 8)), RNG).p_value for _ in range(300)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 / 300))


def test_a_shift_is_large_and_unlikely() -> None:
    shift = stability(RNG.beta(8, 2, 800), EVEN, RNG.beta(5, 3, 300))
    assert shift.size > 0.25
    assert shift.p_value < 1e-6
    moved = discrepancy(RNG.normal(size=(80, 8)), RNG.normal(0.6, 1, (80, 8)), RNG)
    assert moved.size > 0.01
    assert moved.p_value < 1e-4


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_scale_does_not_matter(scale: float) -> None:
    before, now = RNG.gamma(2, 1, 800), RNG.gamma(2, 1.5, 300)
    assert stability(before * scale, EVEN, now * scale).size == pytest.approx(stability(before, EVEN, now).size)


def test_values_that_all_agree_are_no_drift() -> None:
    same = stability(np.ones(100), np.full(100, 0.01), np.ones(40))
    assert same.size < 0.02
    assert same.p_value > 0.5


def test_another_mix_of_classes_is_no_drift() -> None:
    """Each class has its own confidences; more of one class moves the whole, not what is seen within a class."""
    reference_class = np.repeat([0, 1], [700, 100])
    reference = np.where(reference_class == 0, RNG.beta(20, 1, 800), RNG.beta(4, 3, 800))
    recent_class = np.repeat([0, 1], [100, 300])
    recent = np.where(recent_class == 0, RNG.beta(20, 1, 400), RNG.beta(4, 3, 400))
    weights = reweighted(reference_class, recent_class, 2)
    assert weights.sum() == pytest.approx(1)
    assert weights[reference_class == 1].sum() == pytest.approx(0.75)
    assert stability(reference, EVEN, recent).p_value < 1e-6
    assert stability(reference, weights, recent).p_value > 1e-3


def test_a_class_nobody_can_compare_does_not_count() -> None:
    weights = reweighted(np.zeros(10, np.int64), np.repeat([0, 1], [2, 50]), 2)
    assert weights == pytest.approx(np.full(10, 0.1))
    assert reweighted(np.zeros(4, np.int64), np.ones(5, np.int64), 2) == pytest.approx(np.full(4, 0.25))


def test_the_class_that_moved_is_named() -> None:
    classes = np.repeat([0, 1, 2], [100, 100, LEAST - 1])
    before, now = RNG.normal(size=(len(classes), 6)), RNG.normal(size=(len(classes), 6))
    now[classes == 1] += 1
    found = moved_classes(before, classes, now, classes)
    assert set(found) == {0, 1}, "too few of class 2 to say anything"
    assert found[1].p_value <= 0.01 < found[0].p_value
    assert moved_classes(before, classes, now, classes) == found, "the same records give the same answer"
