"""Layers made for patches as convolutions that slide over larger maps, with the same weights."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from models.domain.errors import ConfigurationError
from models.network import MeanMax

_POINTWISE = (nn.ReLU, nn.Tanh, nn.SiLU, nn.GELU, nn.Hardswish, nn.Identity)


class _MeanMaxOfWindows(nn.Module):
    """`MeanMax` of every window of the map."""

    def __init__(self, side: int, step: int) -> None:
        super().__init__()
        self.mean, self.max = nn.AvgPool2d(side, step), nn.MaxPool2d(side, step)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat((self.mean(features), self.max(features)), dim=1)


def as_convolutions(embed: nn.Module, side: int, step: int) -> Iterator[nn.Module]:
    """The embedding's layers for maps larger than `side`; the first layer that sees the whole map takes the steps.

    Args:
        embed: map → embedding.
        side: of the map of one patch.
        step: of the windows, in places of the map.

    Raises:
        ConfigurationError: a layer has no equal that can slide.
    """
    pooled = False
    for layer in _leaves(embed):
        if isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
            yield nn.AvgPool2d(side, step)
            pooled = True
        elif isinstance(layer, MeanMax):
            yield _MeanMaxOfWindows(side, step)
            pooled = True
        elif isinstance(layer, nn.Linear):
            yield pixelwise(layer) if pooled else _over_windows(layer, side, step)
            pooled = True
        elif isinstance(layer, _POINTWISE):
            yield layer
        elif not isinstance(layer, nn.Flatten | nn.Dropout):
            raise not_dense("network", f"{type(layer).__name__} in its embedding", "take network small or lenet5")


def pixelwise(layer: nn.Linear) -> nn.Conv2d:
    """A fully connected layer on vectors as a 1 × 1 convolution on maps of such vectors, with the same weights."""
    return _convolution(layer, layer.in_features, 1, 1)


def _over_windows(layer: nn.Linear, side: int, step: int) -> nn.Conv2d:
    return _convolution(layer, layer.in_features // side**2, side, step)


def _convolution(layer: nn.Linear, channels: int, kernel: int, step: int) -> nn.Conv2d:
    with torch.device("meta"):
        convolution = nn.Conv2d(channels, layer.out_features, kernel, step, bias=layer.bias is not None)
    weight = layer.weight.detach().reshape(layer.out_features, channels, kernel, kernel)
    convolution.weight = nn.Parameter(weight, requires_grad=False)
    if layer.bias is not None:
        convolution.bias = nn.Parameter(layer.bias.detach(), requires_grad=False)
    return convolution


def total_stride(features: nn.Module) -> int:
    """Pixels between neighbouring features, after checking that each depends on its receptive field alone.

    Raises:
        ConfigurationError: padding, statistics over the patch, or branches.
    """
    stride = 1
    for layer in _leaves(features):
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            steps, padding = _square(layer.stride), _square(layer.padding)
            if steps is None or padding != 0 or getattr(layer, "ceil_mode", False):
                raise not_dense("network.padding", f"padding in {layer}", "set padding: none, normalisation: batch")
            stride *= steps
        elif not isinstance(layer, (*_POINTWISE, nn.BatchNorm2d, nn.Dropout)):
            raise not_dense(
                "network", f"{type(layer).__name__} sees the whole patch", "take small with normalisation: batch"
            )
    return stride


def map_side(features: nn.Module, tile: int) -> int:
    """Side of the feature map of one patch."""
    parameter = next(features.parameters())
    with torch.inference_mode():
        first = next(layer for layer in _leaves(features) if isinstance(layer, nn.Conv2d))
        probe = torch.zeros(1, first.in_channels, tile, tile, device=parameter.device, dtype=parameter.dtype)
        return int(features(probe).shape[-1])


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    """Layers in the order they are computed.

    Raises:
        ConfigurationError: a part is not a plain sequence.
    """
    if next(module.children(), None) is None:
        yield module
    elif isinstance(module, nn.Sequential):
        for child in module:
            yield from _leaves(child)
    else:
        raise not_dense("network", f"{type(module).__name__} branches", "take network small or lenet5")


def _square(value: object) -> int | None:
    """The number if both directions have the same, else None."""
    if isinstance(value, tuple):
        return int(value[0]) if len(set(value)) == 1 else None
    return value if isinstance(value, int) else None


def not_dense(where: str, why: str, remedy: str) -> ConfigurationError:
    """The error for networks that would see beyond a window's edges."""
    return ConfigurationError(
        "network cannot read whole blocks exactly", where=f"recipe.{where}", got=why, remedy=remedy
    )
