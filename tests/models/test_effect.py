"""The preview of thresholds says what `decide` will do."""

import numpy as np
import pytest

from models.bundle import Thresholds
from models.decision import decide
from models.domain.errors import ConfigurationError
from models.domain.tiling import Level, Window
from models.domain.verdict import Labels, Prediction, Reason
from models.effect import effect_of
from models.reference import Calibration, no_calibration

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
