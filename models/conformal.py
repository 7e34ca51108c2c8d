"""Split conformal calibration: a threshold that keeps a promise about how often the known is refused. No torch.

If calibration windows and future known windows are exchangeable, P(p-value <= budget) <= budget (Vovk, Gammerman,
Shafer, "Algorithmic Learning in a Random World", 2005). Lots are not exchangeable: windows of one lot resemble each
other, so the promise is only as good as the number of lots in the calibration, and a few large ones must not decide it
alone (`lot_weights`); evaluation prints the realised rate.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.domain.errors import ConfigurationError

_TAIL = 0.1
"""Share of the known windows that shape the tail."""


def p_values(scores: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """How usual each score is among known ones: p = (1 + #{calibration >= score}) / (n + 1).

    Args:
        scores: (N,), higher is stranger.
        calibration: (n,), scores of known windows that were not used to fit the score.

    Returns:
        (N,), within [1 / (n + 1), 1]; small is strange.
    """
    ordered = np.sort(np.asarray(calibration))
    at_least = len(ordered) - np.searchsorted(ordered, np.asarray(scores), side="left")
    return (1 + at_least) / (len(ordered) + 1)


def tail_p_values(scores: ArrayLike, calibration: ArrayLike) -> NDArray[np.float64]:
    """P-values that go on falling beyond the strangest known window, so that the very strange is told from the strange.

    Counting stops at 1 / (n + 1); above the 90 % quantile u the excess over u is taken for exponential (peaks over
    threshold: Pickands, Ann. Statist. 3, 1975, with shape 0). For combining scores; promises rest on `threshold`.

    Args:
        scores: (N,), higher is stranger.
        calibration: (n,), scores of known windows that were not used to fit the score.

    Returns:
        (N,), within (0, 1]; falls strictly above u.
    """
    values, known = np.asarray(scores, dtype=np.float64), np.asarray(calibration, dtype=np.float64)
    start = np.quantile(known, 1 - _TAIL)
    excess = (known[known > start] - start).mean() if (known > start).any() else 0.0
    if excess <= 0:
        return p_values(values, known)
    tail = np.maximum(_TAIL * np.exp(-np.maximum(values - start, 0) / excess), np.finfo(np.float64).tiny)
    return np.where(values > start, tail, p_values(values, known))


def lot_weights(groups: Sequence[str] | NDArray[np.str_], classes: NDArray[np.int64]) -> NDArray[np.float64]:
    """What each calibration window counts: a lot of n windows of a class as much as the root of n.

    Between windows (one lot of thousands decides what is usual) and lots (one odd wafer counts as much as they do).

    Args:
        groups: (n,), lot of each window.
        classes: (n,), its class.

    Returns:
        (n,), mean 1 in each class.
    """
    weights = np.ones(len(classes))
    for index in np.unique(classes):
        rows = classes == index
        _, lot, size = np.unique(np.asarray(groups)[rows], return_inverse=True, return_counts=True)
        root = size[lot] ** -0.5
        weights[rows] = root / root.mean()
    return weights


def threshold(calibration: ArrayLike, budget: float, weights: ArrayLike | None = None) -> float:
    """The lowest threshold that refuses known windows at most as often as promised.

    Without weights, `score > threshold` holds exactly where p <= budget.

    Args:
        calibration: (n,), scores of known windows, higher is stranger.
        budget: promised share, 0..1 exclusive.
        weights: (n,), what each window counts, mean 1; None = all alike. A new window counts 1 (weighted conformal:
            Tibshirani, Barber, Candès, Ramdas, NeurIPS 2019).

    Returns:
        A score, or infinity where n is too small for any promise (n < 1 / budget - 1).

    Raises:
        ConfigurationError: budget outside (0, 1) or a score that is not a number.
    """
    scores = np.asarray(calibration, dtype=np.float64)
    if not 0 < budget < 1 or np.isnan(scores).any():
        raise ConfigurationError(
            "cannot calibrate the novelty threshold",
            expected="0 < budget < 1 and scores that are numbers",
            got=f"budget {budget}, {int(np.isnan(scores).sum())} of {len(scores)} scores are not",
        )
    if not len(scores):
        return math.inf
    order = np.argsort(-scores, kind="stable")
    counts = np.ones(len(scores)) if weights is None else np.asarray(weights, dtype=np.float64)[order]
    # refused are those before the last one that a new window and all stranger ones still fit into the budget with
    within = int(np.searchsorted(np.cumsum(counts), budget * (counts.sum() + 1) - 1 + 1e-9, side="right"))
    fits = budget * (counts.sum() + 1) + 1e-9 >= 1
    return float(scores[order[within]]) if fits else math.inf


def thresholds_by_class(
    calibration: ArrayLike,
    predicted: ArrayLike,
    names: Sequence[str],
    budget: float,
    weights: ArrayLike | None = None,
) -> dict[str, float]:
    """A threshold for each predicted class (Mondrian conformal), so that no class pays for the others.

    Args:
        calibration: (n,), scores of known windows.
        predicted: (n,), index of the likeliest class of each.
        names: of the classes.
        budget: promised share in each class.
        weights: (n,), as for `threshold`.

    Returns:
        Thresholds of the classes that have windows at all; the others fall back on the common one. A class with too few
        for the promise gets the common one too, but none of its own windows are refused: n windows promise 1 / (n + 1).
    """
    scores, classes = np.asarray(calibration), np.asarray(predicted)
    counts = np.ones(len(scores)) if weights is None else np.asarray(weights)
    enough, common = math.ceil(1 / budget), threshold(scores, budget, counts)
    thresholds = {}
    for index, name in enumerate(names):
        own = classes == index
        if own.sum() >= enough:
            thresholds[name] = threshold(scores[own], budget, counts[own])
        elif own.any():
            thresholds[name] = max(common, float(scores[own].max()))
    return thresholds
