"""Layer groups of a network, from the input to the head: which of them learn, and how fast.

A network that starts from ready weights keeps what it knows if its early layers, which see edges and spots, learn
slower than its late ones or rest at first (Howard and Ruder, ACL 2018: gradual unfreezing and discriminative rates).
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.network import Network
from models.training_recipe import TrainingRecipe

Group = Sequence[nn.Module]


def layer_groups(network: Network) -> list[Group]:
    """Early features, late features, embedding, head; what has no weights goes with what stands before it."""
    early, late = _halves(network.features)
    embed: Group = (network.embed,)
    if not any(True for _ in network.embed.parameters()):
        late, embed = (*late, network.embed), ()
    return [group for group in (early, late, embed, (network.head,)) if group]


def _halves(features: nn.Module) -> tuple[Group, Group]:
    """The features cut in the middle of their blocks, counted in blocks that have weights."""
    blocks = list(features.children())
    learning = [place for place, block in enumerate(blocks) if any(True for _ in block.parameters())]
    if len(learning) == 1 and len(blocks) > 0:  # a block around all the others
        inner = _halves(blocks[learning[0]])
        return inner[0], (*inner[1], *blocks[learning[0] + 1 :])
    if len(learning) < 2:
        return (), (features,)
    middle = learning[len(learning) // 2]
    return blocks[:middle], blocks[middle:]


def rate_shares(recipe: TrainingRecipe, groups: int) -> list[float]:
    """Share of the recipe's learning rate each group gets, the head's, which is the last, being 1."""
    ratio = 1.0 if recipe.transfer is None else recipe.transfer.rate_ratio
    return [ratio ** -(groups - 1 - place) for place in range(groups)]


def learning_groups(recipe: TrainingRecipe, epoch: int, groups: int) -> int:
    """How many groups learn in an epoch, counted from the head."""
    if epoch >= recipe.epochs:  # the second stage of two-stage training
        return 1
    transfer = recipe.transfer
    if transfer is None:
        return groups
    if epoch < transfer.head_epochs:
        return 1
    if not transfer.unfreeze_every:
        return groups
    return min(groups, 2 + (epoch - transfer.head_epochs) // transfer.unfreeze_every)


def set_learning(network: Network, recipe: TrainingRecipe, epoch: int) -> None:
    """Put the network into training mode for an epoch; groups that rest keep their statistics and draw no dropout."""
    groups = layer_groups(network)
    resting = len(groups) - learning_groups(recipe, epoch, len(groups))
    network.train()
    for place, group in enumerate(groups):
        for module in group:
            module.requires_grad_(place >= resting)
            if place < resting:
                module.eval()
    if recipe.transfer is not None and recipe.transfer.frozen_statistics:
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


def parameter_groups(network: Network, recipe: TrainingRecipe) -> list[dict[str, object]]:
    """For the optimiser; `share` is that of the learning rate.

    Norms and biases are not decayed: pulling them to zero regularises nothing.
    """
    groups = layer_groups(network)
    made: list[dict[str, object]] = []
    for share, group in zip(rate_shares(recipe, len(groups)), groups, strict=True):
        weights: list[torch.nn.Parameter] = [weight for module in group for weight in module.parameters()]
        for decay, some in (
            (recipe.weight_decay, [weight for weight in weights if weight.ndim > 1]),
            (0.0, [weight for weight in weights if weight.ndim <= 1]),
        ):
            if some:
                made.append({"params": some, "weight_decay": decay, "share": share})
    return made
