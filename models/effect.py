"""What a choice of thresholds does, seen on the calibration windows of the bundle. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.domain.errors import ConfigurationError
from models.manifest import Thresholds
from models.reference import Calibration


@dataclass(frozen=True, slots=True)
class Effect:
    """Known windows under some thresholds, as shares 0..1.

    Attributes:
        refused: of all windows, those refused a label.
        novel: of all windows, those refused as novel.
        error: of the windows that keep their label, those whose label is wrong; 0 if none keeps it.
        refused_by_class: of the windows truly of a class, those refused; classes without windows are left out.
        windows: how many there are.
    """

    refused: float
    novel: float
    error: float
    refused_by_class: Mapping[str, float]
    windows: int


def effect_of(thresholds: Thresholds, calibration: Calibration, names: Sequence[str]) -> Effect:
    """Preview thresholds before they are put into a bundle; the same comparisons as `models.decision.decide`.

    Args:
        thresholds: to try.
        calibration: judged known windows with exclusive labels.
        names: of the classes.

    Raises:
        ConfigurationError: the bundle keeps no calibration windows.
    """
    count = len(calibration.novelty)
    if count == 0:
        raise ConfigurationError("bundle has no calibration windows", remedy="train or calibrate it again")
    limits = np.array([thresholds.novelty_for(name) for name in names])
    novel = calibration.novelty > limits[calibration.predicted]
    refused = novel | (calibration.confidence < thresholds.confidence)
    wrong = (calibration.predicted != calibration.truth)[~refused]
    return Effect(
        refused=float(refused.mean()),
        novel=float(novel.mean()),
        error=float(wrong.mean()) if len(wrong) else 0.0,
        refused_by_class={
            name: float(refused[calibration.truth == index].mean())
            for index, name in enumerate(names)
            if (calibration.truth == index).any()
        },
        windows=count,
    )
