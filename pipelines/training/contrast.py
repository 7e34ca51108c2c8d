"""What the score of traits is fitted on, and what it is worth on classes it was not fitted on.

The score knows no classes and no network, so leaving a class out takes a logistic regression, not a training. It can be
measured for every class in every training, and a release can be held to it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from models.open_set import Contrast, DrawnStrangers, Seen
from models.open_set.fitting import fit_drawn_strangers
from models.traits import describe
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.split import assign_groups
from pipelines.evaluation.evaluate import defects_of
from pipelines.evaluation.strangers import Told, told
from pipelines.training import imbalance

NORMAL_SHARE = 0.8
"""Of the known patches that drawn strangers are held against, the share of normal ones; other classes are alike.

More of them tells strangers better from the normal and worse from known defects; of WM-811K's labelled wafers 75 to
85 % are normal.
"""
CROSSINGS = 5
"""Parts the training lots are divided into where each is scored without itself."""
LOT_POWER = 0.5
"""Among them the lots of a class are drawn by (their patches)^this."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingTraits:
    """Traits of all training patches (N, F), and of drawn strangers (M, F)."""

    train: Tensor
    strange: Tensor


def traits_of(pixels: NDArray[np.uint8]) -> Tensor:
    """Traits of patches uint8 (N, S, S, 2); float32 (N, F) on the CPU."""
    return describe(torch.from_numpy(np.ascontiguousarray(pixels)))


def contrast_of(train: PatchSet, traits: TrainingTraits, seed: int, among: NDArray[np.bool_] | None = None) -> Contrast:
    """Traits of strangers beside those of as many known patches, about as often as they occur.

    Most wafers are normal, so most of what must not be called novel is. Where defects had the larger part, what is
    merely no defect of a known kind would look stranger than a scratch.

    Args:
        train: known patches.
        traits: theirs, and those of strangers.
        seed: of the draw.
        among: (N,), the known patches to draw from; None = all.
    """
    rows = np.arange(len(train)) if among is None else np.flatnonzero(among)
    strata = train.strata[rows]
    there = np.asarray(strata.any(0))
    shares = there / there.sum()
    normal = train.labels.normal
    column = train.labels.names.index(normal) if normal in train.labels.names else -1
    if there[column] and there.sum() > 1:
        shares = np.where(there, (1 - NORMAL_SHARE) / (there.sum() - 1), 0)
        shares[column] = NORMAL_SHARE
    weights = imbalance.draw_weights(strata, train.groups[rows], shares, LOT_POWER)
    drawn = rows[imbalance.draw(weights, len(traits.strange), np.random.default_rng(seed))]
    return Contrast(traits.train[torch.from_numpy(drawn)], traits.strange)


def cross_fitted(train: PatchSet, traits: TrainingTraits, seed: int) -> NDArray[np.float32] | None:
    """Novelty of every training patch by a score that was fitted without its lot.

    Held-out lots are few: which of them are odd decides what a threshold set by them alone promises. The score is a
    logistic regression, so the training lots can be held out too, a part of them at a time (cross-conformal prediction:
    Vovk, Ann. Math. Artif. Intell. 74, 2015).

    Args:
        train: known patches the score is fitted on.
        traits: theirs, and those of strangers.
        seed: of the division and the draws.

    Returns:
        (N,), or None where there are too few lots to hold some out.
    """
    part = assign_groups(train.strata, list(train.groups), (1 / CROSSINGS,) * CROSSINGS, seed)
    if len(np.unique(part)) < CROSSINGS:
        return None
    novelty = np.zeros(len(train), np.float32)
    for one in range(CROSSINGS):
        out = part == one
        score = fit_drawn_strangers(contrast_of(train, traits, seed, ~out))
        novelty[out] = _novelty(score, traits.train[torch.from_numpy(out)])
    return novelty


def leave_each_out(train: PatchSet, test: PatchSet, traits: TrainingTraits, seed: int) -> dict[str, Told]:
    """Fit the score without each class in turn and ask how well it tells all patches of that class from the rest.

    Args:
        train: known patches to fit on.
        test: known patches of other lots.
        traits: of the training patches and of drawn strangers, which are the same for every class.
        seed: of the draws.
    """
    test = test.only(test.known)
    other = traits_of(test.pixels)
    found = {}
    # many small matrix products: threads cost more than they bring
    with threadpool_limits(1):
        for index, name in enumerate(train.labels.names):
            mine, theirs = (patches.index == index for patches in (train, test))
            if name == train.labels.normal or not (mine.any() and theirs.any()):
                continue
            score = fit_drawn_strangers(contrast_of(train, traits, seed, ~mine))
            novelty = _novelty(score, other)
            left_out = np.concatenate([_novelty(score, traits.train[torch.from_numpy(mine)]), novelty[theirs]])
            found[name] = told(novelty[~theirs], novelty[~theirs & defects_of(test)], left_out)
    return found


def _novelty(score: DrawnStrangers, traits: Tensor) -> NDArray[np.float64]:
    nothing = torch.empty(len(traits), 0)
    return score.score(Seen(nothing, nothing, traits)).double().numpy()
