"""The preview of thresholds says what `decide` will do."""

from dataclasses import replace

import numpy as np
import pytest

from models.bundle import BundleManifest, Thresholds
from models.decision import decide
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window
from models.domain.verdict import Labels, Prediction, Reason
from models.effect import effect_of, thresholds_for
from models.reference import Calibration, Yardstick, no_calibration

NAMES = ("Donut", "Ring", "none")


def test_the_preview_agrees_with_decide() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet([1, 1, 1], 300).astype(np.float32)
    truth = generator.integers(0, 2, 300)
    calibration = Calibration(
        truth=truth,
        predicted=probabilities.argmax(1),
        confidence=probabilities.max(1),
        novelty=generator.normal(size=300).astype(np.float32),
    )
    thresholds = Thresholds(0.5, 1.0, {"Ring": 0.2})
    window = Window(Level(0, 64, 64), 0, 0, 64, 64)
    verdicts = [
        decide(window, Prediction(row, np.zeros(1, np.float32), float(novelty)), Labels(NAMES, "none"), thresholds)
        for row, novelty in zip(probabilities, calibration.novelty, strict=True)
    ]
    effect = effect_of(thresholds, calibration, NAMES)
    assert effect.windows == 300
    assert effect.refused == pytest.approx(np.mean([v.is_unknown for v in verdicts]))
    assert effect.novel == pytest.approx(np.mean([v.reason is Reason.NOVEL for v in verdicts]))
    kept = [(v.label, NAMES[t]) for v, t in zip(verdicts, truth, strict=True) if v.label]
    assert effect.error == pytest.approx(np.mean([stated != true for stated, true in kept]))
    assert set(effect.refused_by_class) == {"Donut", "Ring"}
    donuts = [v.is_unknown for v, t in zip(verdicts, truth, strict=True) if t == 0]
    assert effect.refused_by_class["Donut"] == pytest.approx(np.mean(donuts))


def test_refusing_everything_makes_no_errors() -> None:
    calibration = Calibration(np.array([0]), np.array([1]), np.array([0.9], np.float32), np.array([0.0], np.float32))
    effect = effect_of(Thresholds(1.0, 0.0), calibration, NAMES)
    assert (effect.refused, effect.novel, effect.error) == (1.0, 0.0, 0.0)


def test_no_windows_no_preview() -> None:
    with pytest.raises(ConfigurationError, match="no calibration windows"):
        effect_of(Thresholds(0.5, 1.0), no_calibration(), NAMES)


def test_no_error_is_claimed_where_a_window_may_have_several_labels() -> None:
    calibration = Calibration(np.array([-1, -1]), np.array([0, 1]), np.ones(2, np.float32), np.ones(2, np.float32))
    assert effect_of(Thresholds(0.5, 2.0), calibration, NAMES).error is None


def test_a_budget_keeps_confidence_and_sets_novelty(manifest: BundleManifest) -> None:
    novelty = np.arange(1000, dtype=np.float32)
    calibration = Calibration(np.zeros(1000, int), np.arange(1000) % 3, np.ones(1000, np.float32), novelty)
    common = thresholds_for(0.02, manifest, Yardstick.of(calibration))
    assert common.confidence == manifest.thresholds.confidence
    assert effect_of(common, calibration, NAMES).novel == pytest.approx(0.019)  # floor(0.02 · 1001) - 1 of them
    assert common.novelty_by_class == {}
    each = manifest.recipe.model_copy(
        update={"open_set": manifest.recipe.open_set.model_copy(update={"per_class": True})}
    )
    own = thresholds_for(0.02, replace(manifest, recipe=each), Yardstick.of(calibration))
    assert set(own.novelty_by_class) == set(NAMES)
    with pytest.raises(ConfigurationError, match="no calibration"):
        thresholds_for(0.02, manifest, Yardstick.of(no_calibration()))
