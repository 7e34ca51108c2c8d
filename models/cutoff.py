"""Where adaptive views may stop: the cut-off is chosen on validation data and travels in the bundle."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Outputs
from models.views import SYMMETRIES, Belief, Looking, Merge, gather, margin, merge_views

CANDIDATES = 64
"""Cut-offs tried, at quantiles of the margins that occur."""


@dataclass(frozen=True, slots=True)
class CutoffChoice:
    """What a cut-off costs and brings on the data it was chosen on.

    Attributes:
        cutoff: margin from which on no further view is taken.
        views: taken on average.
        accuracy: with adaptive views.
        accuracy_one: with the first view alone.
        accuracy_all: with all views.
    """

    cutoff: float
    views: float
    accuracy: float
    accuracy_one: float
    accuracy_all: float

    @property
    def kept(self) -> float:
        """Share of the gain of all views that is kept; 1 where there is none to keep."""
        gain = self.accuracy_all - self.accuracy_one
        return (self.accuracy - self.accuracy_one) / gain if gain > 0 else 1.0


def choose_cutoff(
    logits: Tensor, truth: Tensor, merge: Merge = "posteriors", *, keep: float = 0.95, weights: Tensor | None = None
) -> CutoffChoice:
    """The lowest cut-off that keeps a share of what all views gain over the first.

    Args:
        logits: (V, N, K) of all views, in the order they will be taken.
        truth: int64 (N,), class of each sample. Labels are exclusive.
        merge: how beliefs are merged.
        keep: share of the gain to keep.
        weights: (N,), how much each sample counts in the accuracy; None = all alike.

    Returns:
        The cut-off and what it costs and brings; 0 (one view) where more views do not help.
    """
    first, everything = merge_views(logits[:1], merge), merge_views(logits, merge)
    accuracy_one, accuracy_all = _accuracy(first, truth, weights), _accuracy(everything, truth, weights)
    candidates = torch.quantile(margin(first).float().cpu(), torch.linspace(0, 1, CANDIDATES))
    for cutoff in (0.0, *candidates.tolist()[1:], 1.0):
        belief = replay(logits, merge, cutoff)
        choice = CutoffChoice(
            cutoff=cutoff,
            views=float(belief.views.float().mean()),
            accuracy=_accuracy(belief.probabilities, truth, weights),
            accuracy_one=accuracy_one,
            accuracy_all=accuracy_all,
        )
        if choice.kept >= keep:
            break
    return choice


def replay(logits: Tensor, merge: Merge, cutoff: float | None) -> Belief:
    """Adaptive looking on stored logits (V, N, K) instead of pictures; the embeddings are empty."""

    def look(rows: Tensor | None, view: int) -> Outputs:
        seen = logits[view] if rows is None else logits[view][rows]
        return Outputs(seen, seen[:, :0])

    return gather(look, Looking(views=SYMMETRIES[: len(logits)], merge=merge, cutoff=cutoff))


def _accuracy(probabilities: Tensor, truth: Tensor, weights: Tensor | None) -> float:
    right = (probabilities.argmax(-1) == truth).double()
    if weights is None:
        return float(right.mean())
    return float((right * weights).sum() / weights.sum())
