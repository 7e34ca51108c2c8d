"""Figures of merit; pure functions of arrays.

Classes nobody tested with have no recall: they are NaN and left out of every mean, never counted as 0 or 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PerClass:
    """One row per class, each (K,); NaN where a figure does not exist.

    Attributes:
        precision: of the patches stated to be the class, the share that is.
        recall: of the patches of the class, the share stated to be it.
        f1: harmonic mean of both; 0 if the class was tested and never stated.
        support: patches of the class.
    """

    precision: Floats
    recall: Floats
    f1: Floats
    support: NDArray[np.int64]


def confusion(truth: NDArray[np.int64], stated: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """(classes, classes + 1): rows are true classes, columns stated ones; the last column is "unknown" (stated -1)."""
    column = np.where(stated < 0, classes, stated)
    flat = np.bincount(truth * (classes + 1) + column, minlength=classes * (classes + 1))
    return flat.reshape(classes, classes + 1).astype(np.int64)


def per_class(matrix: NDArray[np.int64]) -> PerClass:
    """Figures of each class from a confusion matrix; a refused patch is a missed one."""
    counts = matrix.astype(float)
    classes = len(counts)
    return _figures(np.diagonal(counts[:, :classes]), counts.sum(1), counts[:, :classes].sum(0))


def per_class_of_flags(truth: NDArray[np.uint8], stated: NDArray[np.uint8]) -> PerClass:
    """Figures of each class where several may lie on one patch; both arrays (N, K) of 0 and 1."""
    hits = (truth & stated).sum(0).astype(float)
    return _figures(hits, truth.sum(0).astype(float), stated.sum(0).astype(float))


def _figures(hits: Floats, actual: Floats, stated: Floats) -> PerClass:
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hits / actual
        precision = hits / stated
        f1 = np.where(actual > 0, 2 * hits / (actual + stated), np.nan)
    return PerClass(precision, recall, f1, actual.astype(np.int64))


def macro_f1(matrix: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that were tested; NaN if none was."""
    return mean_of(per_class(matrix).f1)


def mean_of(values: Floats) -> float:
    """Mean of the figures that exist; NaN if none does."""
    found = values[~np.isnan(values)]
    return float(found.mean()) if found.size else float("nan")


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and where it lies in 95 of 100 redraws of the lots."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Bootstrap intervals: of macro-F1, and low and high (2, K) of every class's precision, recall and F1."""

    macro_f1: Interval
    precision: Floats
    recall: Floats
    f1: Floats


def bootstrap_over_groups(
    truth: NDArray[np.uint8], stated: NDArray[np.uint8], groups: NDArray[np.str_], *, draws: int = 1000, seed: int = 0
) -> Intervals:
    """95 % intervals from redrawing whole lots (cluster bootstrap; Field & Welsh, JRSS B 69(3) 2007).

    Wafers of a lot resemble each other: redrawing single wafers would give intervals several times too narrow.

    Args:
        truth: (N, K), 1 where the patch has the class.
        stated: (N, K), 1 where the class was stated.
        groups: (N,), lot of each patch.
        draws: redraws.
        seed: of the redraws.
    """
    names, member = np.unique(groups, return_inverse=True)
    sums = np.zeros((3, len(names), truth.shape[1]))
    for total, flags in zip(sums, (truth & stated, truth, stated), strict=True):
        np.add.at(total, member, flags)
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws).astype(float)
    figures = _figures(*(weights @ total for total in sums))
    scores = np.array([mean_of(row) for row in figures.f1])
    low, high = np.nanquantile(scores, [0.025, 0.975])
    value = mean_of(_figures(*(total.sum(0) for total in sums)).f1)
    edges = (_edges(getattr(figures, name)) for name in ("precision", "recall", "f1"))
    return Intervals(Interval(value, float(low), float(high)), *edges)


def _edges(drawn: Floats) -> Floats:
    """Where 95 of 100 redraws (draws, K) of a figure lie, (2, K); NaN where it exists in none."""
    edges = np.full((2, drawn.shape[1]), np.nan)
    there = ~np.isnan(drawn).all(0)
    edges[:, there] = np.nanquantile(drawn[:, there], [0.025, 0.975], axis=0)
    return edges


def auroc(known: Floats, strange: Floats) -> float:
    """Chance that a strange patch has a higher novelty than a known one, ties counting half; NaN if a side is empty.

    The Mann-Whitney statistic, computed from ranks.
    """
    if not len(known) or not len(strange):
        return float("nan")
    _, member, counts = np.unique(np.concatenate([known, strange]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[member]
    rise = ranks[len(known) :].sum() - len(strange) * (len(strange) + 1) / 2
    return float(rise / (len(known) * len(strange)))


def aupr(known: Floats, strange: Floats) -> float:
    """Average precision of finding the strange by novelty; NaN if a side is empty.

    Unlike AUROC it depends on how many of each there are: compare it only where those numbers are the same. Patches of
    equal novelty are found together (Davis & Goadrich, ICML 2006).
    """
    if not len(known) or not len(strange):
        return float("nan")
    edges = np.unique(np.concatenate([known, strange]))[::-1]
    hits, alarms = (
        len(side) - np.searchsorted(np.sort(side), edges, side="left").astype(float) for side in (strange, known)
    )
    recall, precision = hits / len(strange), hits / (hits + alarms)
    return float((np.diff(recall, prepend=0) * precision).sum())


def fpr_at_95(known: Floats, strange: Floats) -> float:
    """Share of strange patches accepted at the threshold that accepts 95 % of the known ones (FPR95).

    "Positive" is the known side, as in OpenOOD; lower is better.
    """
    if not len(known) or not len(strange):
        return float("nan")
    return float((strange <= np.quantile(known, 0.95)).mean())


def oscr(novelty_known: Floats, right: NDArray[np.bool_], novelty_strange: Floats) -> float:
    """Area under correct-classification rate over false-positive rate (Dhamija et al., NeurIPS 2018).

    Unlike AUROC it also asks whether the accepted known patches got the right label.
    """
    if not len(novelty_known) or not len(novelty_strange):
        return float("nan")
    edges = np.unique(np.concatenate([novelty_known, novelty_strange]))
    order = np.sort(novelty_known[right])
    correct = np.searchsorted(order, edges, side="right") / len(novelty_known)
    false = np.searchsorted(np.sort(novelty_strange), edges, side="right") / len(novelty_strange)
    return float(np.trapezoid(np.append(0, correct), np.append(0, false)))


def calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins (Guo et al., ICML 2017)."""
    if not len(confidence):
        return float("nan")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    total = np.bincount(place, minlength=bins)
    gap = np.abs(np.bincount(place, right, bins) - np.bincount(place, confidence, bins))
    return float(gap[total > 0].sum() / len(confidence))
