"""Where adaptive views may stop: the cut-off is chosen on validation data and travels in the bundle."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Outputs
from models.views import SYMMETRIES, Belief, Looking, Merge, gather, margin, merge_views

CANDIDATES = 64
"""Cut-offs tried, at quantiles of the margins that occur."""

EAGER = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Cut-offs tried where even the largest margin is not enough; the last one takes all eight views of everything."""


@dataclass(frozen=True, slots=True)
class CutoffChoice:
    """What a cut-off costs and brings on the data it was chosen on.

    Attributes:
        cutoff: margin from which on no further view is taken.
        views: taken on average.
        accuracy: with adaptive views.
        accuracy_one: with the first view alone.
        accuracy_all: with all views.
        recovered: of the decisions that all views change against the first, the share that adaptive views change too.
    """

    cutoff: float
    views: float
    accuracy: float
    accuracy_one: float
    accuracy_all: float
    recovered: float

    @property
    def kept(self) -> float:
        """Share of the gain of all views that is kept; 1 where there is none to keep."""
        gain = self.accuracy_all - self.accuracy_one
        return (self.accuracy - self.accuracy_one) / gain if gain > 0 else 1.0


def choose_cutoff(
    logits: Tensor, truth: Tensor, merge: Merge = "posteriors", *, keep: float = 0.95, weights: Tensor | None = None
) -> CutoffChoice:
    """The lowest cut-off that recovers a share of the decisions all views change against the first.

    The gain in accuracy itself is the difference of a few mended and broken decisions, and the cut-off that keeps it on
    one set is mostly luck: on wafers of other lots it kept 76 %. The decisions changed, right or wrong, are several
    times as many, and whoever recovers them keeps the gain.

    Args:
        logits: (V, N, K) of all views, in the order they will be taken.
        truth: int64 (N,), class of each sample, to report the accuracy. Labels are exclusive.
        merge: how beliefs are merged.
        keep: share of the changed decisions to recover.
        weights: (N,), how much each sample counts; None = all alike.

    Returns:
        The cut-off and what it costs and brings; 0 (one view) where more views change nothing.
    """
    first, everything = merge_views(logits[:1], merge), merge_views(logits, merge)
    counts = torch.ones(len(truth), dtype=torch.float64) if weights is None else weights.double().cpu()
    before, after, right = (answer.cpu() for answer in (first.argmax(-1), everything.argmax(-1), truth))
    changed = float(counts[before != after].sum())
    candidates = torch.quantile(margin(first).float().cpu(), torch.linspace(0, 1, CANDIDATES))
    # the bar of later stages is a part of the cut-off, so only one above 1 can ask for every view of every patch
    for cutoff in (0.0, *candidates.tolist()[1:], *EAGER):
        belief = replay(logits, merge, cutoff)
        answer = belief.probabilities.argmax(-1).cpu()
        choice = CutoffChoice(
            cutoff=cutoff,
            views=float(belief.views.double().mean()),
            accuracy=_share(counts, answer == right),
            accuracy_one=_share(counts, before == right),
            accuracy_all=_share(counts, after == right),
            recovered=1 - float(counts[answer != after].sum()) / changed if changed else 1.0,
        )
        if choice.recovered >= keep:
            break
    return choice


def replay(logits: Tensor, merge: Merge, cutoff: float | None) -> Belief:
    """Adaptive looking on stored logits (V, N, K) instead of pictures; the embeddings are empty."""

    def look(rows: Tensor | None, views: range) -> Outputs:
        seen = logits[views.start : views.stop]
        seen = seen if rows is None else seen[:, rows]
        return Outputs(seen, seen[..., :0])

    return gather(look, Looking(views=SYMMETRIES[: len(logits)], merge=merge, cutoff=cutoff))


def _share(counts: Tensor, chosen: Tensor) -> float:
    return float(counts[chosen].sum() / counts.sum())
