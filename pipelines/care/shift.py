"""How far two splits are apart: what a model meets in the test split that training did not show it. Pure functions."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from pipelines.care.likeness import Floats
from pipelines.evaluation import metrics

_OF_EACH = 20
"""Vectors of each lot that are looked at: a lot of thousands would otherwise be all that is seen."""


def label_shift(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Total variation distance of two class distributions, 0 (equal) to 1 (no class in common)."""
    totals = sum(one.values()), sum(other.values())
    if not all(totals):
        return float("nan")
    names = {*one, *other}
    return sum(abs(one.get(name, 0) / totals[0] - other.get(name, 0) / totals[1]) for name in names) / 2


def telling_apart(
    one: Floats, other: Floats, groups: tuple[NDArray[np.str_], NDArray[np.str_]], *, seed: int = 0
) -> float:
    """Area under the ROC curve of a linear rule that tells one split from the other: 0.5 = alike, 1 = worlds apart.

    The classifier two-sample test (Lopez-Paz & Oquab, ICLR 2017). It learns from half of the lots of each split and is
    measured on the other half, so that knowing a lot again does not count as shift.

    Args:
        one: (N, D) vectors of one split.
        other: (M, D) vectors of the other.
        groups: lot of each vector, (N,) and (M,).
        seed: of the choice of vectors and lots.

    Returns:
        The area; NaN if a split has fewer than two lots.
    """
    rng = np.random.default_rng(seed)
    halves = []
    for vectors, lots in zip((one, other), groups, strict=True):
        names = np.unique(lots)
        if len(names) < 2:
            return float("nan")
        learned = rng.permutation(names)[: len(names) // 2]
        chosen = _few_of_each(lots, rng)
        first = np.isin(lots[chosen], learned)
        halves.append((vectors[chosen][first], vectors[chosen][~first]))
    (one_learn, one_ask), (other_learn, other_ask) = halves
    if not all(len(part) for half in halves for part in half):
        return float("nan")
    truth = np.repeat([0, 1], [len(one_learn), len(other_learn)])
    rule = LogisticRegression(class_weight="balanced", max_iter=200).fit(
        np.concatenate([one_learn, other_learn]), truth
    )
    return metrics.auroc(rule.decision_function(one_ask), rule.decision_function(other_ask))


def _few_of_each(lots: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of at most some vectors of each lot."""
    order = rng.permutation(len(lots))
    _, member = np.unique(lots[order], return_inverse=True)
    by_lot = np.argsort(member, kind="stable")
    rank = np.arange(len(lots)) - np.searchsorted(member[by_lot], member[by_lot])
    return np.asarray(order[by_lot[rank < _OF_EACH]])
