"""decide: what is stated for which belief."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.bundle import Thresholds
from models.decision import decide, not_inspected
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window
from models.domain.verdict import Labels, Prediction, Reason

WINDOW = Window(Level(0, 64, 64), 0, 0, 64, 64)
LABELS = Labels(("Donut", "Ring", "none"), normal="none")
PATTERNS = Labels(("Donut", "Ring", "Scratch"), normal="none", exclusive=False)


def belief(*probabilities: float, novelty: float = 0.0) -> Prediction:
    return Prediction(np.array(probabilities, np.float32), np.zeros(2, np.float32), novelty)


def test_a_sure_belief_is_stated() -> None:
    verdict = decide(WINDOW, belief(0.1, 0.7, 0.2), LABELS, Thresholds(0.5, 1.0))
    assert (verdict.label, verdict.reason, verdict.likeliest) == ("Ring", Reason.CONFIDENT, "Ring")
    assert verdict.confidence == pytest.approx(0.7)
    assert (verdict.runner_up, verdict.runner_up_confidence) == ("none", pytest.approx(0.2))


def test_an_unsure_belief_is_unknown() -> None:
    verdict = decide(WINDOW, belief(0.3, 0.4, 0.3), LABELS, Thresholds(0.5, 1.0))
    assert (verdict.label, verdict.reason, verdict.likeliest) == (None, Reason.UNSURE, "Ring")
    assert verdict.is_unknown


def test_a_stranger_is_unknown_however_confident() -> None:
    verdict = decide(WINDOW, belief(0.0, 1.0, 0.0, novelty=1.1), LABELS, Thresholds(0.5, 1.0))
    assert (verdict.label, verdict.reason, verdict.likeliest) == (None, Reason.NOVEL, "Ring")
    assert verdict.confidence == 1.0


def test_thresholds_themselves_are_still_known() -> None:
    verdict = decide(WINDOW, belief(0.5, 0.25, 0.25, novelty=1.0), LABELS, Thresholds(0.5, 1.0))
    assert verdict.label == "Donut"


def test_a_class_may_have_its_own_novelty_threshold() -> None:
    thresholds = Thresholds(0.0, 1.0, {"Ring": 5.0})
    assert decide(WINDOW, belief(0.0, 1.0, 0.0, novelty=3.0), LABELS, thresholds).label == "Ring"
    assert decide(WINDOW, belief(1.0, 0.0, 0.0, novelty=3.0), LABELS, thresholds).reason is Reason.NOVEL


def test_one_class_has_no_runner_up() -> None:
    verdict = decide(WINDOW, belief(1.0), Labels(("sea lion",)), Thresholds(0.5, 1.0))
    assert (verdict.label, verdict.runner_up) == ("sea lion", None)


def test_several_patterns_on_one_window() -> None:
    verdict = decide(WINDOW, belief(0.7, 0.1, 0.9), PATTERNS, Thresholds(0.6, 1.0))
    assert (verdict.label, verdict.also) == ("Scratch", ("Donut",))


def test_no_pattern_is_normal() -> None:
    verdict = decide(WINDOW, belief(0.1, 0.2, 0.05), PATTERNS, Thresholds(0.6, 1.0))
    assert (verdict.label, verdict.reason, verdict.also) == ("none", Reason.CONFIDENT, ())
    assert verdict.confidence == pytest.approx(0.8)


def test_the_least_sure_pattern_decides_whether_we_are_sure() -> None:
    verdict = decide(WINDOW, belief(0.99, 0.45, 0.01), PATTERNS, Thresholds(0.6, 1.0))
    assert (verdict.label, verdict.reason, verdict.likeliest) == (None, Reason.UNSURE, "Donut")


def test_no_pattern_and_no_word_for_it_is_unknown() -> None:
    verdict = decide(WINDOW, belief(0.1, 0.1), Labels(("a", "b"), exclusive=False), Thresholds(0.0, 1.0))
    assert (verdict.label, verdict.reason, verdict.likeliest) == (None, Reason.UNSURE, "a")


def test_nobody_looked_is_neither_known_nor_strange() -> None:
    verdict = not_inspected(WINDOW)
    assert (verdict.label, verdict.is_unknown, verdict.reason) == (None, False, Reason.NOT_INSPECTED)


@pytest.mark.parametrize(
    "wrong", [belief(0.5, 0.5), belief(0.5, float("nan"), 0.5), belief(0.2, 0.3, 0.5, novelty=float("nan"))]
)
def test_a_belief_that_does_not_fit_is_refused(wrong: Prediction) -> None:
    with pytest.raises(ConfigurationError, match="does not fit"):
        decide(WINDOW, wrong, LABELS, Thresholds(0.5, 1.0))


@given(
    st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3),
    st.floats(-10, 10, width=32),
    st.floats(0, 1),
    st.floats(-10, 10),
    st.booleans(),
)
def test_a_label_is_stated_exactly_when_nothing_speaks_against_it(
    probabilities: list[float], novelty: float, confidence: float, threshold: float, exclusive: bool
) -> None:
    labels = LABELS if exclusive else PATTERNS
    verdict = decide(WINDOW, belief(*probabilities, novelty=novelty), labels, Thresholds(confidence, threshold))
    assert (verdict.label is not None) == (verdict.reason is Reason.CONFIDENT)
    if novelty > threshold:
        assert verdict.reason is Reason.NOVEL
    if verdict.label is not None:
        assert verdict.confidence >= min(confidence, 1.0) - 1e-6
        assert novelty <= threshold
