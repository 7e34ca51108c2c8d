"""Each class as a question of its own: how well its probability tells it from the rest, and where to cut; pure.

ROC and precision-recall curves of every class; the point nearest to the perfect corner, and the one at a stated rate of
false alarms, which is how a fab chooses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from pipelines.evaluation.metrics import Floats

FALSE_ALARMS = 0.01
"""Share of the other patches that may be called the class: one good wafer in a hundred is the usual limit."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a class's ROC curve.

    Attributes:
        threshold: state the class from this probability on.
        recall: share of its patches found there.
        false_alarms: share of all other patches called it there.
    """

    threshold: float
    recall: float
    false_alarms: float


@dataclass(frozen=True, slots=True)
class Operating:
    """How one class can be cut from the rest.

    Attributes:
        name: of the class.
        auroc: area under its ROC curve.
        average_precision: area under its precision-recall curve; by chance it is the share of the class.
        nearest: the point nearest to (no false alarm, all found).
        at_limit: the point of highest recall within `FALSE_ALARMS`.
    """

    name: str
    auroc: float
    average_precision: float
    nearest: Point
    at_limit: Point


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One class's curves: false alarms, recall and threshold (n,); recall and precision (m,)."""

    name: str
    false_alarms: Floats
    recall: Floats
    thresholds: Floats
    found: Floats
    precision: Floats


def curves(truth: NDArray[np.uint8], probabilities: NDArray[np.float32], names: Sequence[str]) -> tuple[Curve, ...]:
    """Curves of every class that was tested and is not everything.

    Args:
        truth: (N, K), 1 where the patch has the class.
        probabilities: (N, K).
        names: of the K classes.
    """
    drawn = []
    for k, name in enumerate(names):
        if 0 < truth[:, k].sum() < len(truth):
            false_alarms, recall, thresholds = roc_curve(truth[:, k], probabilities[:, k])
            precision, found, _ = precision_recall_curve(truth[:, k], probabilities[:, k])
            drawn.append(Curve(name, false_alarms, recall, thresholds, found, precision))
    return tuple(drawn)


def operating(curve: Curve) -> Operating:
    """The figures of one class's curves."""
    nearest = int(np.hypot(curve.false_alarms, 1 - curve.recall).argmin())
    within = np.flatnonzero(curve.false_alarms <= FALSE_ALARMS)
    return Operating(
        curve.name,
        auroc=float(np.trapezoid(curve.recall, curve.false_alarms)),
        average_precision=float(-np.sum(np.diff(curve.found) * curve.precision[:-1])),
        nearest=_point(curve, nearest),
        at_limit=_point(curve, int(within[curve.recall[within].argmax()])),
    )


def _point(curve: Curve, place: int) -> Point:
    # The curve begins at a threshold nothing reaches, which scikit-learn calls infinite.
    threshold = min(float(curve.thresholds[place]), 1.0)
    return Point(threshold, float(curve.recall[place]), float(curve.false_alarms[place]))
