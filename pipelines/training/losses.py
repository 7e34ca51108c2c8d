"""What is minimised: cross-entropy and the losses that weigh rare classes up; pure functions of logits and targets.

Where labels are not exclusive every class is a yes-or-no question of its own, and the same ideas apply to each.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.training_recipe import TrainingRecipe


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A loss, ready to be called.

    Attributes:
        recipe: names the loss and its strength.
        exclusive: one class per patch, or several.
        offset: (K,), added to the logits while training only (logit adjustment), or zeros.
        weight: (K,), of each class's part of the loss, or ones.
    """

    recipe: TrainingRecipe
    exclusive: bool
    offset: Tensor
    weight: Tensor

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of a batch.

        Args:
            logits: float (N, K).
            targets: float (N, K), 1 where the patch has the class.
        """
        logits = logits.float() + self.offset
        gamma = self.recipe.loss_strength if self.recipe.loss == "focal" else 0.0
        part = exclusive_loss if self.exclusive else independent_loss
        return part(logits, targets, self.weight, gamma, self.recipe.label_smoothing)


def exclusive_loss(logits: Tensor, targets: Tensor, weight: Tensor, gamma: float, smoothing: float) -> Tensor:
    """Softmax cross-entropy, focal for gamma > 0 (Lin et al., ICCV 2017); weighted mean over the batch."""
    logs = functional.log_softmax(logits, dim=1)
    soft = targets * (1 - smoothing) + smoothing / targets.shape[1]
    losses = -(soft * logs).sum(1)
    if gamma:
        sure = (targets * logs).sum(1).exp()
        losses = losses * (1 - sure).clamp_min(0) ** gamma
    importance = (targets * weight).sum(1)
    return (losses * importance).sum() / importance.sum().clamp_min(1e-12)


def independent_loss(logits: Tensor, targets: Tensor, weight: Tensor, gamma: float, smoothing: float) -> Tensor:
    """Binary cross-entropy of every class, focal for gamma > 0; `weight` is that of a class's presence."""
    soft = targets * (1 - smoothing) + smoothing / 2
    losses = functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
    if gamma:
        sure = torch.where(targets > 0, torch.sigmoid(logits), torch.sigmoid(-logits))
        losses = losses * (1 - sure) ** gamma
    importance = 1 + targets * (weight - 1)
    return (losses * importance).sum(1).mean()


def build_loss(recipe: TrainingRecipe, counts: Tensor, patches: int, *, exclusive: bool) -> Loss:
    """The loss a recipe names, for these class counts.

    Args:
        recipe: loss and strength.
        counts: (K,), effective number of patches of each class in an epoch, as the sampler draws them.
        patches: of an epoch.
        exclusive: one class per patch, or several.
    """
    counts = counts.float().clamp_min(1)
    zeros, ones = torch.zeros_like(counts), torch.ones_like(counts)
    match recipe.loss:
        case "cross-entropy" | "focal":
            return Loss(recipe, exclusive, zeros, ones)
        case "balanced-softmax":
            return Loss(recipe, exclusive, log_prior(counts, patches, exclusive=exclusive), ones)
        case "logit-adjustment":
            return Loss(recipe, exclusive, recipe.loss_strength * log_prior(counts, patches, exclusive=exclusive), ones)
        case "class-balanced":
            return Loss(recipe, exclusive, zeros, effective_number_weights(counts, recipe.loss_strength))


def log_prior(counts: Tensor, patches: int, *, exclusive: bool) -> Tensor:
    """(K,), logarithm of how common each class is in what is drawn.

    Added to the logits while training, it makes the plain logits those of a balanced world: balanced softmax (Ren et
    al., NeurIPS 2020), and with a factor tau logit adjustment (Menon et al., ICLR 2021). The prior must be the drawn
    one: a sampler that already balances leaves nothing to adjust.
    """
    share = (counts / (counts.sum() if exclusive else max(patches, 1))).clamp(1e-6, 1 - 1e-6)
    return share.log() if exclusive else torch.logit(share)


def effective_number_weights(counts: Tensor, beta: float) -> Tensor:
    """(K,), (1 - beta) / (1 - beta^n), scaled to mean 1 (Cui et al., CVPR 2019).

    beta = 0 weighs all classes alike, beta towards 1 weighs by 1/n; a beta of 1 or more is taken as that limit.
    """
    beta = min(beta, 1 - 1e-6)
    weights = (1 - beta) / (1 - beta**counts)
    return weights / weights.mean()
