"""Layers made for patches as convolutions that slide over larger maps, with the same weights."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.domain.errors import ConfigurationError
from models.network import MeanMax, Relief, Residual

_POINTWISE = (nn.ReLU, nn.Tanh, nn.SiLU, nn.GELU, nn.Hardswish, nn.Identity)


class _MeanOfWindows(nn.Sequential):
    """Mean of every window of the map; first along one side, then along the other, which is 2n sums instead of n²."""

    def __init__(self, side: int, step: int) -> None:
        super().__init__(nn.AvgPool2d((side, 1), (step, 1)), nn.AvgPool2d((1, side), (1, step)))


class _MeanMaxOfWindows(nn.Module):
    """`MeanMax` of every window of the map."""

    def __init__(self, side: int, step: int) -> None:
        super().__init__()
        self.mean = _MeanOfWindows(side, step)
        self.max = nn.Sequential(nn.MaxPool2d((side, 1), (step, 1)), nn.MaxPool2d((1, side), (1, step)))

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
            yield _MeanOfWindows(side, step)
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


@dataclass(frozen=True, slots=True)
class Reach:
    """What a feature depends on.

    Attributes:
        stride: pixels between neighbouring features.
        field: side of the square of pixels one feature sees, its receptive field.
    """

    stride: int
    field: int

    def features(self, pixels: int) -> int:
        """How many features a length of so many pixels gives."""
        return (pixels - self.field) // self.stride + 1

    def pixels_of(self, features: slice) -> slice:
        """Which pixels these features depend on."""
        return slice(features.start * self.stride, (features.stop - 1) * self.stride + self.field)


def reach_of(features: nn.Module) -> Reach:
    """Follow the layers, checking that each feature depends on its receptive field alone.

    Raises:
        ConfigurationError: padding, statistics over the patch, or branches.
    """
    if any(isinstance(part, Residual) for part in features.modules()):
        raise not_dense("network.name", "residual blocks pad and branch", "take network small with padding: none")
    stride, field = 1, 1
    for layer in _leaves(features):
        if isinstance(layer, Relief):
            field += (layer.side - 1) * stride
        elif isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            kernel, step, padding = (_square(value) for value in (layer.kernel_size, layer.stride, layer.padding))
            plain = _square(getattr(layer, "dilation", 1)) == 1 and not getattr(layer, "ceil_mode", False)
            if kernel is None or step is None or padding != 0 or not plain:
                raise not_dense("network.padding", f"padding in {layer}", "set padding: none, normalisation: batch")
            field += (kernel - 1) * stride
            stride *= step
        elif not isinstance(layer, (*_POINTWISE, nn.BatchNorm2d, nn.Dropout)):
            raise not_dense(
                "network", f"{type(layer).__name__} sees the whole patch", "take small with normalisation: batch"
            )
    return Reach(stride, field)


def folded(features: nn.Module) -> nn.Module:
    """The same function with less to compute, for evaluation.

    Batch normalisation is multiplied into the convolution before it, and ReLU comes after a maximum instead of before,
    where it has a quarter of the values: neither changes the result. Other parts stay as they are.
    """
    if isinstance(features, Residual):
        return Residual(nn.Sequential(folded(features.path)), features.shortcut)
    if not isinstance(features, nn.Sequential):
        return features
    layers: list[nn.Module] = []
    for layer in features:
        last = layers[-1] if layers else None
        if isinstance(layer, nn.BatchNorm2d) and isinstance(last, nn.Conv2d):
            layers[-1] = fuse_conv_bn_eval(last, layer)
        elif isinstance(layer, nn.MaxPool2d) and isinstance(last, nn.ReLU):
            layers.insert(-1, layer)
        else:
            layers.append(folded(layer))
    return nn.Sequential(*layers)


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
