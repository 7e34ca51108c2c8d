"""Rare classes: how often each class and each lot is drawn.

In WM-811K the normal wafer is 150 times as frequent as the rarest pattern, and one lot can hold half of a class. The
sampler decides what an epoch shows; `frequencies` then tells a loss what it has really seen. There is no free lunch:
balancing finds more of the rare and calls more of the normal defective, so the recipe chooses by what an error costs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.training_recipe import TrainingRecipe


def class_shares(counts: NDArray[np.int64], recipe: TrainingRecipe, progress: float) -> NDArray[np.float64]:
    """Share of the draws each class gets.

    Natural, square-root and class-balanced are p ~ n^q with q = 1, 1/2 and 0; progressive moves from natural to
    balanced over the epochs (Kang et al., ICLR 2020, "Decoupling representation and classifier").

    Args:
        counts: (K,), patches of each class.
        recipe: names the sampler.
        progress: share of the training done, 0..1.

    Returns:
        (K,), sums to 1; 0 where a class has no patches.
    """
    natural = _to_shares(counts.astype(np.float64))
    even = _to_shares((counts > 0).astype(np.float64))
    match recipe.sampler:
        case "natural":
            return natural
        case "square-root":
            return _to_shares(np.sqrt(counts))
        case "class-balanced":
            return even
        case "progressive":
            return _to_shares((1 - progress) * natural + progress * even)


def _to_shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares


def draw_weights(
    strata: NDArray[np.uint8], groups: Sequence[str] | NDArray[np.str_], shares: NDArray[np.float64], lot_power: float
) -> NDArray[np.float64]:
    """Probability of each patch to be drawn.

    A class's share is divided among its lots by (patches in the lot)^lot_power, and evenly within a lot. A patch with
    several classes is drawn for the one that needs it most (repeat-factor sampling, Gupta et al., CVPR 2019).

    Args:
        strata: (N, K), 1 where the patch has the class; every row has at least one.
        groups: (N,), lot of each patch.
        shares: (K,), of the classes.
        lot_power: 1 = lots count by their patches, 0 = all lots of a class alike.

    Returns:
        (N,), sums to 1.
    """
    _, lot = np.unique(np.asarray(groups), return_inverse=True)
    weights = np.zeros(len(strata))
    for k in np.flatnonzero(shares > 0):
        members = np.flatnonzero(strata[:, k])
        per_lot = np.bincount(lot[members], minlength=int(lot.max()) + 1).astype(float)
        own = per_lot[lot[members]] ** (lot_power - 1)  # the lot's share, divided by its patches
        weights[members] = np.maximum(weights[members], shares[k] * own / own.sum())
    return _to_shares(weights)


def draw(weights: NDArray[np.float64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Indices of an epoch, shuffled: each patch occurs as often as its weight asks, to within one.

    Systematic resampling over a shuffled order: no patch is left out or repeated by bad luck, and equal weights with
    `size` equal to their number give a plain permutation.

    Args:
        weights: (N,), sums to 1.
        size: number of indices.
        rng: the only source of chance.
    """
    order = rng.permutation(len(weights))
    ends = np.cumsum(weights[order])
    ticks = (np.arange(size) + rng.random()) / size * ends[-1]
    # A tick may reach the last end by rounding.
    chosen = np.minimum(np.searchsorted(ends, ticks, side="right"), len(weights) - 1)
    drawn: NDArray[np.int64] = order[chosen].astype(np.int64)
    return drawn[rng.permutation(size)]


def frequencies(strata: NDArray[np.uint8], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Effective class frequencies of an epoch, (K,): the share of the drawn patches that have each class."""
    return np.asarray(strata[drawn].mean(0, dtype=np.float64))
