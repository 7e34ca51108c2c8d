"""What a choice of thresholds does, seen on the calibration windows of the bundle. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import conformal
from models.domain.errors import ConfigurationError
from models.manifest import BundleManifest, Thresholds
from models.reference import Calibration, Yardstick

BUDGETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Budgets people choose among; what each does is shown beside it."""


@dataclass(frozen=True, slots=True)
class Effect:
    """Known windows under some thresholds, as shares 0..1.

    Attributes:
        refused: of all windows, those refused a label.
        novel: of all windows, those refused as novel.
        error: of the windows that keep their label, those whose label is wrong; 0 if none keeps it, None where a window
            may have several labels, of which the bundle remembers none.
        refused_by_class: of the windows truly of a class, those refused; classes without windows are left out.
        windows: how many there are.
    """

    refused: float
    novel: float
    error: float | None
    refused_by_class: Mapping[str, float]
    windows: int


def effect_of(thresholds: Thresholds, calibration: Calibration, names: Sequence[str]) -> Effect:
    """Preview thresholds before they are put into a bundle; the same comparisons as `models.decision.decide`.

    Args:
        thresholds: to try.
        calibration: judged known windows.
        names: of the classes.

    Raises:
        ConfigurationError: the bundle keeps no calibration windows.
    """
    _require(calibration)
    limits = np.array([thresholds.novelty_for(name) for name in names])
    novel = calibration.novelty > limits[calibration.predicted]
    refused = novel | (calibration.confidence < thresholds.confidence)
    wrong = (calibration.predicted != calibration.truth)[~refused]
    return Effect(
        refused=float(refused.mean()),
        novel=float(novel.mean()),
        error=None if (calibration.truth < 0).any() else float(wrong.mean()) if len(wrong) else 0.0,
        refused_by_class={
            name: float(refused[calibration.truth == index].mean())
            for index, name in enumerate(names)
            if (calibration.truth == index).any()
        },
        windows=len(calibration.novelty),
    )


def thresholds_for(budget: float, manifest: BundleManifest, yardstick: Yardstick) -> Thresholds:
    """The bundle's thresholds with the novelty part set anew, so that at most `budget` of the known is called novel.

    Args:
        budget: promised share, 0..1 exclusive.
        manifest: of the bundle; keeps its confidence threshold, and thresholds by class if its recipe wants them.
        yardstick: of the bundle.

    Raises:
        ConfigurationError: the budget is no share, or the bundle keeps no calibration windows.
    """
    _require(yardstick)
    by_class = {}
    if manifest.recipe.open_set.per_class:
        names = manifest.labels.names
        by_class = conformal.thresholds_by_class(yardstick.novelty, yardstick.classes, names, budget, yardstick.weights)
    novelty = conformal.threshold(yardstick.novelty, budget, yardstick.weights)
    return Thresholds(manifest.thresholds.confidence, novelty, by_class)


def _require(known: Calibration | Yardstick) -> None:
    if not len(known.novelty):
        raise ConfigurationError("bundle has no calibration windows", remedy="train or calibrate it again")
