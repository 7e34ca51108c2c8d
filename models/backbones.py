"""torchvision's image networks taken apart into features and embedding, with any number of input channels.

Their heads are left out: `models.network` puts one linear layer on the embedding.
"""

from collections.abc import Mapping
from typing import Any
from urllib.error import URLError

import torch
import torchvision.models as zoo
from torch import Tensor, nn

from models.domain.errors import ConfigurationError, RetryableError
from models.parts import Parts, too_small

Weights = str | Mapping[str, Tensor] | None
Halves = tuple[nn.Module, nn.Module]
"""Features and embedding."""


def torchvision_parts(name: str, channels: int, tile: int, weights: Weights) -> Parts:
    """Make the named network.

    Args:
        name: as torchvision spells it.
        channels: of the input; weights made for RGB are spread over them.
        tile: side of the input.
        weights: torchvision's name of a set of weights (downloaded), the weights themselves as torchvision names
            them, or None for fresh ones.

    Raises:
        ConfigurationError: no such network, the tile is too small for it, or the weights are not its own.
        RetryableError: the weights cannot be downloaded now.
    """
    try:
        features, embed = _parts(name, weights)
    except URLError as error:
        raise RetryableError(
            "cannot download ready weights",
            where=f"{name} {weights}",
            got=str(error.reason),
            remedy="train without them (network.weights empty) or where the network is reachable",
        ) from error
    if channels != 3:
        _replace_first_convolution(features, channels, keep_weights=weights is not None)
    return Parts(features, embed, _embedding_width(nn.Sequential(features, embed), name, channels, tile))


def _parts(name: str, weights: Weights) -> Halves:
    network = _network(name, weights)
    match name:
        case "resnet18" | "resnet34" | "resnet50":
            return _resnet(network)
        case "densenet121":
            return (nn.Sequential(network.features, nn.ReLU(inplace=True)), _pooled())
        case "squeezenet1_1":
            return (network.features, nn.Sequential(*_pooled(), nn.Dropout(0.5)))
        case "inception_v3":
            return _inception(network)
        case "convnext_tiny":
            return _convnext(network)
        case _:
            return _convolutions_then_layers(network)


def _network(name: str, weights: Weights) -> Any:
    """Torchvision's own network, with the weights in it."""
    named = weights if isinstance(weights, str) else None
    options: dict[str, Any] = {}
    if name == "inception_v3":  # ready weights come with the auxiliary head, which helps only very long training
        options = {"transform_input": False} if weights else {"aux_logits": False, "init_weights": False}
    try:
        network = zoo.get_model(name, weights=named, **options)
    except ValueError as error:
        raise ConfigurationError("no such network", where="recipe.network.name", got=name) from error
    if isinstance(weights, Mapping):
        try:
            network.load_state_dict(weights)
        except RuntimeError as error:
            raise ConfigurationError(
                "ready weights are not of this network",
                where=f"recipe.network.name: {name}",
                expected="a state dict as torchvision names it",
                got=str(error)[:300],
            ) from error
    return network


def _convolutions_then_layers(network: Any) -> Halves:
    """AlexNet, VGG, MobileNet, EfficientNet: `features`, `avgpool`, `classifier` whose last layer is the head."""
    return (network.features, nn.Sequential(network.avgpool, nn.Flatten(), *list(network.classifier)[:-1]))


def _resnet(network: Any) -> Halves:
    stem = (network.conv1, network.bn1, network.relu, network.maxpool)
    return (nn.Sequential(*stem, network.layer1, network.layer2, network.layer3, network.layer4), _pooled())


def _convnext(network: Any) -> Halves:
    # its classifier is LayerNorm over channels, flatten, head
    return (network.features, nn.Sequential(network.avgpool, *list(network.classifier)[:-1]))


def _inception(network: Any) -> Halves:
    without = {"AuxLogits", "avgpool", "dropout", "fc"}
    features = nn.Sequential(*(module for name, module in network.named_children() if name not in without))
    return (features, nn.Sequential(*_pooled(), nn.Dropout(0.5)))


def _pooled() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _replace_first_convolution(features: nn.Module, channels: int, *, keep_weights: bool) -> None:
    for name, module in features.named_modules():
        if isinstance(module, nn.Conv2d):
            parent = features.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], _with_channels(module, channels, keep_weights=keep_weights))
            return


def _with_channels(old: nn.Conv2d, channels: int, *, keep_weights: bool) -> nn.Conv2d:
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    if keep_weights:
        new.weight.data.copy_(spread_channels(old.weight.data, channels))
        if old.bias is not None and new.bias is not None:
            new.bias.data.copy_(old.bias.data)
    return new


def spread_channels(weight: Tensor, channels: int) -> Tensor:
    """Filters (F, C, h, w) for another number of input channels: each gets their mean, scaled to keep the sum."""
    mean = weight.mean(dim=1, keepdim=True) * (weight.shape[1] / channels)
    return mean.expand(-1, channels, -1, -1).contiguous()


def _embedding_width(network: nn.Module, name: str, channels: int, tile: int) -> int:
    """Try the network on shapes alone: the only sure way to know whether the tile survives all poolings."""
    network.eval()  # a single value per channel has no variance, which batch normalisation would refuse in training
    try:
        with torch.no_grad(), torch.device("meta"):
            state = {key: torch.empty_like(tensor, device="meta") for key, tensor in network.state_dict().items()}
            shape = torch.func.functional_call(network, state, (torch.empty(1, channels, tile, tile),)).shape
    except RuntimeError as error:
        raise too_small(name, tile) from error
    network.train()
    return int(shape[1])
