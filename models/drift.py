"""Drift: is what comes in now still what the model was calibrated on? Pure functions with stated false-alarm rates.

Two questions, each answered by a size and by a p-value: how far the distribution of a figure has moved (population
stability index), and whether embeddings of one class still lie where they did (maximum mean discrepancy). Both compare
within what the model predicts, for how often each class occurs is the line's doing and has charts of its own.

The p-values hold for independent captures. Wafers of one lot are alike, so callers take few of each lot.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from scipy.stats import chi2, pearson3, skew

BINS = 10
LEAST = 20
"""Captures of a class below which its embeddings are not compared."""
_PERMUTATIONS = 499


@dataclass(frozen=True, slots=True)
class Shift:
    """How far something has moved.

    Attributes:
        size: of the change, 0 = none; its scale is the measure's.
        p_value: chance of at least this without any change, 0..1.
    """

    size: float
    p_value: float


def reweighted(reference: NDArray[np.int64], recent: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Weights (R,) under which the reference has the classes as often as the recent captures do; they sum to 1.

    Args:
        reference: (R,) predicted class of each reference capture.
        recent: (M,) of the recent ones.
        classes: how many there are.
    """
    before = np.bincount(reference, minlength=classes)
    now = np.bincount(recent, minlength=classes) * (before > 0)  # a class nobody can compare does not count
    weights = (now / np.maximum(before, 1))[reference]
    total = weights.sum()
    return weights / total if total else np.full(len(reference), 1 / max(len(reference), 1))


def stability(reference: NDArray[np.floating], weights: NDArray[np.float64], recent: NDArray[np.floating]) -> Shift:
    """Population stability index between a weighted reference and recent values, in tenths of the reference.

    PSI = Σ (q - p) ln(q / p) over the bins. Without change PSI / (1/n + 1/m) follows χ² with one degree of freedom
    less than there are bins (Yurdakul and Naranjo, 2020), n being the effective size of the reference. By custom 0.1 is
    small and 0.25 is large.

    Args:
        reference: (R,) values.
        weights: (R,), sum to 1.
        recent: (M,) values.
    """
    order = np.argsort(reference)
    cumulated = np.cumsum(weights[order])
    places = np.searchsorted(cumulated, np.arange(1, BINS) / BINS)
    edges = np.unique(reference[order][np.minimum(places, len(reference) - 1)])
    before = np.bincount(np.searchsorted(edges, reference), weights, minlength=len(edges) + 1)
    now = np.bincount(np.searchsorted(edges, recent), minlength=len(edges) + 1) / len(recent)
    effective = 1 / float((weights**2).sum())
    # half a capture more in each bin: an empty one would make the index infinite
    p = (before * effective + 0.5) / (effective + 0.5 * len(before))
    q = (now * len(recent) + 0.5) / (len(recent) + 0.5 * len(now))
    size = float(((q - p) * np.log(q / p)).sum())
    return Shift(size, float(chi2.sf(size / (1 / effective + 1 / len(recent)), len(before) - 1)))


def discrepancy(reference: NDArray[np.floating], recent: NDArray[np.floating], rng: np.random.Generator) -> Shift:
    """Maximum mean discrepancy between two sets of embeddings, with a permutation test (Gretton et al., JMLR 2012).

    The kernel is Gaussian, its width the median distance. The size is the unbiased MMD², which may be a little below 0.
    The p-value is that of the Pearson type III distribution with the mean, spread and skewness of the permutations
    (Minas and Montana, Bioinformatics 2014): counting could not tell a chance smaller than one in their number.

    Args:
        reference: (R, D).
        recent: (M, D).
        rng: of the permutations.
    """
    pooled = np.concatenate([reference, recent]).astype(np.float64)
    squared = cdist(pooled, pooled, "sqeuclidean")
    off = squared[np.triu_indices(len(pooled), 1)]
    kernel = np.exp(-squared / max(float(np.median(off)), 1e-12))
    np.fill_diagonal(kernel, 0)
    own = np.zeros(len(pooled))
    own[: len(reference)] = 1
    draws = np.stack([own, *(rng.permutation(own) for _ in range(_PERMUTATIONS))], axis=1)
    n, m = len(reference), len(recent)
    inside = np.einsum("ik,ik->k", draws, kernel @ draws)
    degree = kernel.sum(0) @ draws
    across, total = degree - inside, kernel.sum()
    outside = total - inside - 2 * across
    values = inside / (n * (n - 1)) + outside / (m * (m - 1)) - 2 * across / (n * m)
    chance = values[1:]
    spread = float(chance.std())
    if spread == 0:  # all embeddings are alike
        return Shift(float(values[0]), 1.0)
    standing = float((values[0] - chance.mean()) / spread)
    return Shift(float(values[0]), float(pearson3.sf(standing, float(skew(chance)))))


def moved_classes(
    reference: NDArray[np.floating],
    reference_class: NDArray[np.int64],
    recent: NDArray[np.floating],
    recent_class: NDArray[np.int64],
    *,
    most: int = 300,
    seed: int = 0,
) -> dict[int, Shift]:
    """The discrepancy of each class that both sides show often enough, p-values corrected for their number (Holm).

    Args:
        reference: (R, D) embeddings of held-out captures the model was calibrated on.
        reference_class: (R,) what was predicted of them.
        recent: (M, D).
        recent_class: (M,).
        most: captures of a class and side that are compared; the test costs their square.
        seed: of draws and permutations: the same records give the same answer.
    """
    rng = np.random.default_rng(seed)
    found: dict[int, Shift] = {}
    for k in np.intersect1d(reference_class, recent_class).tolist():
        before, now = np.flatnonzero(reference_class == k), np.flatnonzero(recent_class == k)
        if min(len(before), len(now)) < LEAST:
            continue
        before, now = (rng.permutation(rows)[:most] for rows in (before, now))
        found[k] = discrepancy(reference[before], recent[now], rng)
    ranked = sorted(found, key=lambda k: found[k].p_value)
    corrected, largest = {}, 0.0
    for place, k in enumerate(ranked):
        largest = max(largest, min(1.0, found[k].p_value * (len(ranked) - place)))
        corrected[k] = Shift(found[k].size, largest)
    return corrected
