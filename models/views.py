"""Test-time views: the symmetries of the square, how beliefs are merged, and when more views are worth their cost.

A view is a turned or mirrored patch. Averaging the beliefs of several views mends more errors than it makes; the
maximum does not and is not offered. `believe` is what training (to calibrate), evaluation and serving all call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from models.domain.errors import ConfigurationError
from models.network import Outputs
from models.recipe import ViewName

Merge = Literal["posteriors", "logits", "votes"]

SYMMETRIES: tuple[ViewName, ...] = get_args(ViewName)
"""All eight, the dihedral group of the square."""

PRESENT = 0.5
"""A vote for a pattern where labels are not exclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """What a network believes of N patches after merging their views; not yet calibrated.

    Attributes:
        logits: (N, K), mean over the views taken; for scores of logits.
        probabilities: (N, K), merged as the recipe says.
        embeddings: (N, D), mean over the views taken.
        views: int64 (N,), how many views each patch took.
    """

    logits: Tensor
    probabilities: Tensor
    embeddings: Tensor
    views: Tensor


@dataclass(frozen=True, slots=True)
class Looking:
    """How patches are looked at.

    Attributes:
        views: in the order they are taken.
        merge: average of posteriors, average of logits, or majority vote.
        exclusive: one label for a patch (softmax) or several (sigmoid).
        cutoff: stop where the margin reaches it, asked after 1, 2, 4, … views and lowered as fewer remain that could
            turn the belief; None = always all views.
    """

    views: Sequence[ViewName] = ("identity",)
    merge: Merge = "posteriors"
    exclusive: bool = True
    cutoff: float | None = None


def see(inputs: Tensor, view: ViewName) -> Tensor:
    """Turn or mirror pictures (…, H, W); rotations are counter-clockwise and need H = W to keep the shape.

    Raises:
        ConfigurationError: no such view.
    """
    mirrored = inputs.flip(-1) if view.startswith("flip") else inputs
    match view:
        case "identity" | "flip":
            return mirrored
        case "rot90" | "flip_rot90":
            return mirrored.rot90(1, (-2, -1))
        case "rot180" | "flip_rot180":
            return mirrored.rot90(2, (-2, -1))
        case "rot270" | "flip_rot270":
            return mirrored.rot90(3, (-2, -1))
        case _:
            raise ConfigurationError("no such view", expected=" | ".join(SYMMETRIES), got=str(view))


def unsee(seen: Tensor, view: ViewName) -> Tensor:
    """Inverse of `see`: lay a map of a view (…, H, W) back onto the picture."""
    # a mirror followed by a turn is its own inverse: (rf)(rf) = r(frf) = r r⁻¹
    opposite: dict[ViewName, ViewName] = {"rot90": "rot270", "rot270": "rot90"}
    return see(seen, opposite.get(view, view))


def merge_views(logits: Tensor, merge: Merge, *, exclusive: bool = True) -> Tensor:
    """Merge the logits of V views into probabilities.

    Votes are smoothed with one average view's worth of belief, so that ties go to the likelier class and no class gets
    exactly nothing.

    Args:
        logits: (V, N, K).
        merge: how.
        exclusive: softmax or sigmoid.

    Returns:
        (N, K); rows sum to 1 if exclusive.
    """
    if merge == "logits":
        return _probabilities(logits.mean(0), exclusive)
    posteriors = _probabilities(logits, exclusive)
    if merge == "posteriors":
        return posteriors.mean(0)
    if exclusive:
        votes = torch.nn.functional.one_hot(posteriors.argmax(-1), posteriors.shape[-1]).to(posteriors)
    else:
        votes = (posteriors >= PRESENT).to(posteriors)
    return (votes.sum(0) + posteriors.mean(0)) / (len(logits) + 1)


def calibrated(probabilities: Tensor, temperature: float, *, exclusive: bool = True) -> Tensor:
    """Temperature scaling (Guo et al., ICML 2017) of merged probabilities: p^(1/T), normalised again.

    It comes after merging, so one temperature serves every way of merging and any number of views.

    Args:
        probabilities: (N, K).
        temperature: above 1 flattens.
        exclusive: softmax or sigmoid.
    """
    if exclusive:
        return (probabilities.clamp_min(torch.finfo(probabilities.dtype).tiny).log() / temperature).softmax(-1)
    return (probabilities.logit(eps=1e-7) / temperature).sigmoid()


def margin(probabilities: Tensor, *, exclusive: bool = True) -> Tensor:
    """How sure a belief (N, K) is, 0..1 (N,): the lead of the likeliest class, or of the least sure yes-or-no."""
    if not exclusive:
        return (2 * probabilities - 1).abs().amin(-1)
    if probabilities.shape[-1] == 1:
        return torch.ones_like(probabilities[..., 0])
    best, second = probabilities.topk(2, dim=-1).values.unbind(-1)
    return best - second


@torch.inference_mode()
def believe(network: Callable[[Tensor], Outputs], inputs: Tensor, looking: Looking, at_once: int = 1) -> Belief:
    """Look at patches as often as `looking` says.

    Few patches go through the network with several of their views in one pass: a pass costs something by itself.

    Args:
        network: gives logits and embeddings.
        inputs: normalised (N, C, H, W), H = W where views turn.
        looking: views, merging, cut-off.
        at_once: pictures in one pass; where there are more patches than that, each view is a pass.

    Returns:
        Beliefs in the order of the inputs, float32, on their device.
    """

    def look(rows: Tensor | None, views: range) -> Outputs:
        seen = inputs if rows is None else inputs[rows]
        together = max(1, at_once // max(1, len(seen)))
        passes = [
            network(torch.cat([see(seen, looking.views[view]) for view in views[begin : begin + together]]))
            for begin in range(0, len(views), together)
        ]
        logits, embeddings = (torch.cat(parts) for parts in zip(*passes, strict=True))
        shape = (len(views), len(seen))
        return Outputs(logits.reshape(*shape, logits.shape[1]), embeddings.reshape(*shape, embeddings.shape[1]))

    return gather(look, looking)


def gather(look: Callable[[Tensor | None, range], Outputs], looking: Looking) -> Belief:
    """Take views until sure enough; `believe` without the pictures, so that a cut-off can be tried on stored logits.

    Args:
        look: outputs (V, N, …) of some rows (None = all) under the views with these numbers.
        looking: number of views, merging, cut-off.
    """
    count = len(looking.views)
    logits: list[Tensor] = []
    embeddings: Tensor | float = 0.0
    rows: Tensor | None = None
    result: Belief | None = None
    for stage in _stages(count) if looking.cutoff is not None else [count]:
        new = look(rows, range(sum(map(len, logits)), stage))
        logits.append(new.logits.float())
        embeddings = embeddings + new.embeddings.float().sum(0)
        stack = torch.cat(logits)
        current = Belief(
            logits=stack.mean(0),
            probabilities=merge_views(stack, looking.merge, exclusive=looking.exclusive),
            embeddings=embeddings / stage,
            views=torch.full((stack.shape[1],), stage, device=stack.device),
        )
        result = current if result is None or rows is None else _replaced(result, rows, current)
        if looking.cutoff is None or stage == count:
            break
        needed = looking.cutoff * _doubt_left(stage, count)
        unsure = margin(current.probabilities, exclusive=looking.exclusive) < needed
        if not bool(unsure.any()):
            break
        rows = unsure.nonzero()[:, 0] if rows is None else rows[unsure]
        logits = [stack[:, unsure]]
        embeddings = embeddings[unsure]
    assert result is not None
    return result


def _stages(count: int) -> list[int]:
    """Numbers of views after which we ask whether that is enough: 1, 2, 4, … and all."""
    return [*(1 << k for k in range(count.bit_length()) if 1 << k < count), count]


def _doubt_left(taken: int, count: int) -> float:
    """What part of the doubt of one view is left after some: the variance of their mean about the mean of all.

    For a sample of m out of n without replacement it is (n - m) / (m (n - 1)) of that of one. Its root, the standard
    error, needed a fifth more views for as many decisions (`benchmarks/views.py`).
    """
    return (count - taken) / (taken * (count - 1)) if count > 1 else 0.0


def _replaced(belief: Belief, rows: Tensor, better: Belief) -> Belief:
    return Belief(
        logits=belief.logits.index_copy(0, rows, better.logits),
        probabilities=belief.probabilities.index_copy(0, rows, better.probabilities),
        embeddings=belief.embeddings.index_copy(0, rows, better.embeddings),
        views=belief.views.index_copy(0, rows, better.views),
    )


def _probabilities(logits: Tensor, exclusive: bool) -> Tensor:
    return logits.softmax(-1) if exclusive else logits.sigmoid()
