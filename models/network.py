"""Networks that give logits and embedding in one pass: our own two, LeNet-5, and torchvision's families.

Every network has the same three parts, so that what is built on it (views, open set, Grad-CAM, dense inference,
transfer) need not know which it is:

    features   (N, C, H, W) → map (N, F, h, w)
    embed      map → embedding (N, D)
    head       embedding → logits (N, K), one linear layer
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.domain.errors import ConfigurationError
from models.parts import Parts, too_small
from models.preprocessing import input_channels
from models.recipe import NetworkRecipe, Recipe


class Outputs(NamedTuple):
    """One pass: logits (N, K) and embeddings (N, D)."""

    logits: Tensor
    embeddings: Tensor


class Network(nn.Module):
    """Features, embedding, head."""

    def __init__(self, features: nn.Module, embed: nn.Module, head: nn.Linear) -> None:
        """Keep the three parts."""
        super().__init__()
        self.features = features
        self.embed = embed
        self.head = head

    def forward(self, inputs: Tensor) -> Outputs:
        """Logits and embeddings of normalised inputs (N, C, H, W)."""
        embeddings = self.embed(self.features(inputs))
        return Outputs(self.head(embeddings), embeddings)


class MeanMax(nn.Module):
    """Mean and maximum of each channel side by side: a mean alone dilutes patterns that are small, like a scratch."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, F, h, w) → (N, 2 F, 1, 1)."""
        return torch.cat((features.mean((2, 3), keepdim=True), features.amax((2, 3), keepdim=True)), dim=1)


def build_network(
    recipe: Recipe, classes: int, *, pretrained: bool = False, ready: Mapping[str, Tensor] | None = None
) -> Network:
    """Make the network a recipe names, with fresh weights.

    Args:
        recipe: network, channels and tile.
        classes: number of outputs.
        pretrained: start from torchvision's weights where the recipe says so; downloads. Loading a bundle never does.
        ready: start a torchvision network from these weights, as torchvision names them, instead.

    Raises:
        ConfigurationError: the tile is too small for the network, or our own networks are asked for foreign weights.
    """
    channels = input_channels(recipe.preprocessing, recipe.channels)
    tile = recipe.tiling.tile
    if recipe.network.weights is not None and recipe.network.name in ("small", "residual", "lenet5"):
        raise ConfigurationError(
            "no ready weights for this network",
            where=f"recipe.network: {recipe.network.name}",
            remedy="leave network.weights empty or name a torchvision network",
        )
    weights = ready if ready is not None else recipe.network.weights if pretrained else None
    parts = _parts(recipe.network, channels, tile, weights)
    return Network(parts.features, parts.embed, nn.Linear(parts.width, classes))


def _parts(recipe: NetworkRecipe, channels: int, tile: int, weights: str | Mapping[str, Tensor] | None) -> Parts:
    match recipe.name:
        case "small":
            return small(recipe, channels, tile)
        case "residual":
            return residual(recipe, channels, tile)
        case "lenet5":
            return lenet5(channels, tile)
        case _:
            # not at the top: importing torchvision takes as long as torch, and our own networks do without
            from models.backbones import torchvision_parts  # noqa: PLC0415

            return torchvision_parts(recipe.name, channels, tile, weights)


def small(recipe: NetworkRecipe, channels: int, tile: int) -> Parts:
    """Blocks of 3 × 3 convolutions, halved in between, pooled over the whole map.

    Without padding and with batch normalisation every feature depends on its receptive field alone, which is what
    dense inference needs (`models.dense`).
    """
    padding = 1 if recipe.padding == "same" else 0
    layers: list[nn.Module] = []
    before, side = channels, tile
    if recipe.relief is not None:
        layers.append(Relief(recipe.relief))
        side -= recipe.relief - 1
        if side < 1:
            raise too_small("small", tile)
    for block, width in enumerate(recipe.widths):
        if block:
            layers.append(nn.MaxPool2d(2))
            side //= 2
        is_stem = not block and recipe.stem == "halved"
        for _ in range(1 if is_stem else recipe.convolutions):
            kernel, stride = (4, 2) if is_stem else (3, 1)
            side = (side + 2 * padding - kernel) // stride + 1
            if side < 1:
                raise too_small("small", tile)
            layers += [
                nn.Conv2d(before, width, kernel, stride, padding, bias=False),
                _normalisation(recipe, width),
                nn.ReLU(inplace=True),
            ]
            before = width
    features = nn.Sequential(*layers)
    for module in features:
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    return _embedded(recipe, features, before, side)


class Relief(nn.Module):
    """Each pixel against its own ground: less the mean of the square around it, over the spread there.

    Local contrast normalisation (Jarrett et al., ICCV 2009) with a plain square, one spread for all channels (a patch
    keeps its colours, loses its light), and no padding: what would look beyond the map is left out, so it slides.
    """

    FLOOR = 0.06
    """Of the spread, where channels run from -1 to 1: the noise of an even sea is not to look like anything."""

    def __init__(self, side: int) -> None:
        """Take squares of `side` pixels, an odd number."""
        super().__init__()
        self.side = side

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C, H - side + 1, W - side + 1)."""
        edge = self.side // 2
        mean = self._mean(inputs)
        grey = inputs.mean(1, keepdim=True)
        variance = self._mean(grey**2) - mean.mean(1, keepdim=True) ** 2
        inside = inputs[:, :, edge : inputs.shape[2] - edge, edge : inputs.shape[3] - edge]
        return (inside - mean) / (variance.clamp_min(0).sqrt() + self.FLOOR)

    def _mean(self, maps: Tensor) -> Tensor:
        along = functional.avg_pool2d(maps, (self.side, 1), 1)  # first one way, then the other: 2n sums instead of n²
        return functional.avg_pool2d(along, (1, self.side), 1)


class Residual(nn.Module):
    """Two 3 × 3 convolutions that halve the map, beside a short cut (He et al., CVPR 2016).

    The short cut is a mean of 2 × 2 and a 1 × 1 convolution: a stride alone would throw away three quarters of the map,
    and with them the thin lines (He et al., CVPR 2019, "Bag of tricks", ResNet-D).
    """

    def __init__(self, path: nn.Sequential, shortcut: nn.Sequential) -> None:
        """Keep the two ways; both halve the map."""
        super().__init__()
        self.path = path
        self.shortcut = shortcut

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, C, H, W) → (N, F, ⌈H/2⌉, ⌈W/2⌉)."""
        return functional.relu(self.path(inputs) + self.shortcut(inputs))


def residual(recipe: NetworkRecipe, channels: int, tile: int) -> Parts:
    """A 4 × 4 stem with stride 2, then one residual block for each further width, pooled over the whole map.

    As it halves before it widens, it trains about twice as fast as `small`.
    """
    if tile < 2 ** len(recipe.widths):
        raise too_small("residual", tile)
    first = recipe.widths[0]
    layers: list[nn.Module] = [
        nn.Conv2d(channels, first, 4, stride=2, padding=1, bias=False),
        _normalisation(recipe, first),
        nn.ReLU(inplace=True),
    ]
    side = tile // 2
    for before, width in pairwise(recipe.widths):
        side = -(-side // 2)
        path = nn.Sequential(
            nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False),
            _normalisation(recipe, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _normalisation(recipe, width),
        )
        # rounded up like the strided convolution's, for maps of odd sides
        shortcut = nn.Sequential(nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(before, width, 1, bias=False))
        layers.append(Residual(path, shortcut))
    return _embedded(recipe, nn.Sequential(*layers), recipe.widths[-1], side)


def _embedded(recipe: NetworkRecipe, features: nn.Module, width: int, side: int) -> Parts:
    """The features, a map of `width` channels and `side` × `side` places, pooled and embedded as the recipe says."""
    embed: list[nn.Module] = [nn.Flatten()]
    match recipe.pooling:
        case "mean":
            embed.insert(0, nn.AdaptiveAvgPool2d(1))
        case "mean+max":
            embed.insert(0, MeanMax())
            width *= 2
        case "none":
            width *= side**2
    if recipe.embedding:
        embed += [nn.Linear(width, recipe.embedding), nn.ReLU(inplace=True)]
        width = recipe.embedding
    if recipe.dropout:
        embed.append(nn.Dropout(recipe.dropout))
    return Parts(features, nn.Sequential(*embed), width)


def lenet5(channels: int, tile: int) -> Parts:
    """LeNet-5 (LeCun et al., Proc. IEEE 1998), fully connected; 61,706 parameters on 32 × 32 × 1 and 10 classes."""
    side = ((tile - 4) // 2 - 4) // 2
    if side < 1:
        raise too_small("lenet5", tile)
    features = nn.Sequential(
        nn.Conv2d(channels, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)
    )
    embed = nn.Sequential(nn.Flatten(), nn.Linear(16 * side * side, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh())
    return Parts(features, embed, 84)


def weights_of(network: nn.Module) -> dict[str, NDArray[np.generic]]:
    """All parameters and running statistics as arrays on the CPU, for `save_bundle`."""
    return {name: tensor.detach().cpu().contiguous().numpy() for name, tensor in network.state_dict().items()}


def restore_network(recipe: Recipe, classes: int, weights: Mapping[str, NDArray[np.generic]], where: str) -> Network:
    """The recipe's network with these weights, in evaluation mode, on the CPU.

    Raises:
        ConfigurationError: names or shapes of the weights differ from the network's.
    """
    with torch.device("meta"):  # random weights would be drawn only to be thrown away
        network = build_network(recipe, classes)
    # copied, for arrays read from a file may be read-only, which torch tensors cannot be
    state = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise ConfigurationError(
            "weights do not fit the recipe's network",
            where=where,
            got=str(error)[:300],
            remedy="bundle and software versions must belong together; train or fetch it again",
        ) from error
    return network.eval().requires_grad_(False)


def _normalisation(recipe: NetworkRecipe, width: int) -> nn.Module:
    if recipe.normalisation == "batch":
        return nn.BatchNorm2d(width)
    groups = next(count for count in (8, 4, 2, 1) if width % count == 0)
    return nn.GroupNorm(groups, width)
