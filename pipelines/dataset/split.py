"""Splitting by group with class balance: no lot, flight or frame on two sides.

Wafers of one lot share their die grid, their tool and their trouble. A random split lets a model recognise the lot
instead of the pattern: on WM-811K that is worth ten points of macro-F1 which no fab will ever see.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "valid", "test")
SHARES = (0.7, 0.15, 0.15)
"""Of each class: enough left to learn from, and rare classes still have some lots to be measured on."""


def assign_groups(
    targets: NDArray[np.uint8], groups: Sequence[str], shares: Sequence[float], seed: int = 0
) -> NDArray[np.int64]:
    """Give each group to one part so that every class meets its share as nearly as it can.

    Greedy stratification in the spirit of Sechidis et al. (ECML 2011), for whole groups: the groups that hold the
    largest part of any class choose first, each going where it lowers the squared error of class shares most; then
    single groups move while that helps.

    Args:
        targets: (N, K), 1 where a sample has the class; a sample may have none or several.
        groups: group of each sample.
        shares: fraction of every class each part should get; they sum to 1.
        seed: breaks ties, so that k-folds can be repeated with other lots.

    Returns:
        Part of each sample, (N,) indices into `shares`.
    """
    names, member = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    counts = np.zeros((len(names), targets.shape[1] + 1))
    # The last column counts samples as such, a light wish beside the classes: parts should not differ wildly in size.
    np.add.at(counts, member, np.hstack([targets, np.ones((len(targets), 1))]))
    weight = counts / np.maximum(counts.sum(0), 1)
    weight[:, -1] *= 0.5
    goal = np.outer(np.asarray(shares, dtype=float), weight.sum(0))
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(names)), -weight.max(1)))
    part = np.zeros(len(names), dtype=np.int64)
    have = np.zeros_like(goal)
    for group in order:
        # Rises of the squared error, written without the terms that do not depend on the choice.
        rise = ((weight[group] * (weight[group] + 2 * (have - goal))) / np.maximum(goal, 1e-12)).sum(1)
        part[group] = int(rise.argmin())
        have[part[group]] += weight[group]
    _improve(part, weight, have, goal, rng)
    return part[member]


def _improve(
    part: NDArray[np.int64],
    weight: NDArray[np.float64],
    have: NDArray[np.float64],
    goal: NDArray[np.float64],
    rng: np.random.Generator,
) -> None:
    """Move single groups while the error falls; changes `part` and `have` in place."""
    scale = np.maximum(goal, 1e-12)
    for _ in range(5):
        moved = False
        for group in rng.permutation(len(part)):
            here, own = part[group], weight[group]
            leave = (own * (own - 2 * (have[here] - goal[here])) / scale[here]).sum()
            arrive = (own * (own + 2 * (have - goal)) / scale).sum(1)
            arrive[here] = -leave
            there = int(arrive.argmin())
            if arrive[there] + leave < -1e-9:
                part[group] = there
                have[here] -= own
                have[there] += own
                moved = True
        if not moved:
            return


def split_by_group(
    targets: NDArray[np.uint8], groups: Sequence[str], shares: Sequence[float] = SHARES, seed: int = 0
) -> NDArray[np.str_]:
    """Train, valid or test for each sample, (N,); see `assign_groups`."""
    return np.asarray(SPLITS)[assign_groups(targets, groups, shares, seed)]


def folds_by_group(targets: NDArray[np.uint8], groups: Sequence[str], k: int, seed: int = 0) -> NDArray[np.int64]:
    """Fold 0..k-1 of each sample, (N,), for k-fold cross-validation by group."""
    return assign_groups(targets, groups, [1 / k] * k, seed)


def classes_in_few_groups(targets: NDArray[np.uint8], groups: Sequence[str], least: int = 3) -> list[int]:
    """Classes found in fewer than `least` groups: some part of a three-way split must lack them."""
    names = np.asarray(groups, dtype=object).astype(str)
    return [k for k in range(targets.shape[1]) if len(np.unique(names[targets[:, k] > 0])) < least]
