"""Where a class's probability can be cut."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipelines.evaluation.operating import FALSE_ALARMS, curves, operating


def test_areas_agree_with_scikit_learn_and_cuts_keep_what_they_promise() -> None:
    rng = np.random.default_rng(0)
    truth = (rng.random((2000, 2)) < [0.1, 0.5]).astype(np.uint8)
    probabilities = np.clip(0.4 * truth + rng.normal(0.3, 0.15, truth.shape), 0, 1).astype(np.float32)
    for k, curve in enumerate(curves(truth, probabilities, ("rare", "common"))):
        found = operating(curve)
        assert found.auroc == pytest.approx(roc_auc_score(truth[:, k], probabilities[:, k]))
        assert found.average_precision == pytest.approx(average_precision_score(truth[:, k], probabilities[:, k]))
        for point in (found.nearest, found.at_limit):
            called = probabilities[:, k] >= point.threshold
            assert called[truth[:, k] > 0].mean() == pytest.approx(point.recall)
            assert called[truth[:, k] == 0].mean() == pytest.approx(point.false_alarms)
        assert found.at_limit.false_alarms <= FALSE_ALARMS
        corner = np.hypot(curve.false_alarms, 1 - curve.recall)
        assert corner.min() == pytest.approx(np.hypot(found.nearest.false_alarms, 1 - found.nearest.recall))


def test_a_class_nobody_tested_has_no_curve() -> None:
    truth = np.array([[1, 0], [0, 0]], np.uint8)
    assert [curve.name for curve in curves(truth, truth.astype(np.float32), ("there", "absent"))] == ["there"]
