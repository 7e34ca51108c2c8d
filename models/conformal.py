"""Split conformal calibration: a threshold that keeps a promise about how often the known is refused. No torch.

If calibration windows and future known windows are exchangeable, P(p-value <= budget) <= budget (Vovk, Gammerman,
Shafer, "Algorithmic Learning in a Random World", 2005). Lots are not exchangeable: windows of one lot resemble each
other, so the promise is only as good as the number of lots in the calibration; evaluation prints the realised rate.
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


def threshold(calibration: ArrayLike, budget: float) -> float:
    """The lowest threshold that refuses known windows at most as often as promised.

    `score > threshold` holds exactly where p <= budget.

    Args:
        calibration: (n,), scores of known windows, higher is stranger.
        budget: promised share, 0..1 exclusive.

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
    refused = math.floor(budget * (len(scores) + 1) + 1e-9) - 1
    if refused < 0:
        return math.inf
    return float(np.partition(scores, len(scores) - 1 - refused)[len(scores) - 1 - refused])


def thresholds_by_class(
    calibration: ArrayLike, predicted: ArrayLike, names: Sequence[str], budget: float, minimum: int | None = None
) -> dict[str, float]:
    """A threshold for each predicted class (Mondrian conformal), so that no class pays for the others.

    Args:
        calibration: (n,), scores of known windows.
        predicted: (n,), index of the likeliest class of each.
        names: of the classes.
        budget: promised share in each class.
        minimum: calibration windows a class needs for a threshold of its own; None = what a promise needs.

    Returns:
        Thresholds of the classes that have enough windows; the others fall back on the common one.
    """
    scores, classes = np.asarray(calibration), np.asarray(predicted)
    enough = math.ceil(1 / budget) if minimum is None else minimum
    return {
        name: threshold(scores[classes == index], budget)
        for index, name in enumerate(names)
        if int((classes == index).sum()) >= enough
    }
