"""What a network is made of: layer, output shape, parameters, receptive field, FLOPs.

The network is traced as a graph (torch.fx) and run on shapes only (the meta device), so even a large one takes no
memory and branches (Inception, DenseNet) are followed: the receptive field of a sum or concatenation is the largest of
its parts. Formula of the receptive field: Araujo, Norris, Sim, "Computing Receptive Fields of Convolutional Neural
Networks", Distill 2019.
"""

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.utils import _pair
from torch.utils.flop_counter import FlopCounterMode

from models.network import Relief


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """One layer.

    Attributes:
        name: path of the module in the network.
        kind: its class.
        output_shape: for one input, without the batch.
        parameters: trainable and not, without running statistics.
        receptive_field: (height, width) in pixels of the input that one output value depends on, as if the input were
            endless: near the border part of it is padding.
        flops: for one input; a multiplication and an addition count as two; only convolutions and matrix products.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    receptive_field: tuple[int, int]
    flops: int


@dataclass(frozen=True, slots=True)
class NetworkSummary:
    """All layers in the order they are computed."""

    layers: tuple[LayerSummary, ...]
    parameters: int
    flops: int

    def __str__(self) -> str:
        """A table for people."""
        header = ("layer", "kind", "output", "parameters", "receptive field", "FLOPs")
        rows = [
            (
                layer.name,
                layer.kind,
                " × ".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                "{} × {}".format(*layer.receptive_field),
                f"{layer.flops:,}",
            )
            for layer in self.layers
        ]
        rows.append(("total", "", "", f"{self.parameters:,}", "", f"{self.flops:,}"))
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if column < 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (header, *rows)
        )


@dataclass(frozen=True, slots=True)
class _View:
    """How far one value sees, and how many input pixels lie between neighbouring values; (height, width)."""

    field: tuple[float, float] = (1, 1)
    jump: tuple[float, float] = (1, 1)

    def through(self, kernel: tuple[int, int], stride: tuple[int, int] = (1, 1)) -> "_View":
        return _View(
            field=tuple(f + (k - 1) * j for f, k, j in zip(self.field, kernel, self.jump, strict=True)),  # type: ignore[arg-type]
            jump=tuple(j * s for j, s in zip(self.jump, stride, strict=True)),  # type: ignore[arg-type]
        )


def summarise(network: nn.Module, channels: int, height: int, width: int) -> NetworkSummary:
    """Describe a network for inputs (channels, height, width); the network itself is left as it is.

    Raises:
        torch.fx.proxy.TraceError: the network's path depends on its input's values.
    """
    shadow = copy.deepcopy(network).to("meta").eval()
    graph = _LeafTracer().trace(shadow)
    run = _Measuring(fx.GraphModule(shadow, graph))
    with torch.no_grad():
        run.run(torch.empty(1, channels, height, width, device="meta"))
    return NetworkSummary(
        layers=tuple(run.layers),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        flops=sum(layer.flops for layer in run.layers),
    )


class _LeafTracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002 - fx's signature
        return next(m.children(), None) is None


class _Measuring(fx.Interpreter):
    """Runs the graph node by node and notes what each does."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.layers: list[LayerSummary] = []
        self.views: dict[fx.Node, _View] = {}
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        with FlopCounterMode(display=False) as counter:
            result = super().run_node(n)
        if isinstance(result, Tensor):
            self.shapes[n] = tuple(result.shape)
            self.views[n] = self._view(n)
            parameters = self._parameters(n, result)
            if n.op == "call_module" or parameters:
                self.layers.append(
                    LayerSummary(
                        name=str(n.target),
                        kind=self._kind(n),
                        output_shape=tuple(result.shape[1:]) if n.op == "call_module" else tuple(result.shape),
                        parameters=parameters,
                        receptive_field=_whole(self.views[n].field),
                        flops=counter.get_total_flops(),
                    )
                )
        return result

    def _kind(self, node: fx.Node) -> str:
        return type(self.fetch_attr(str(node.target))).__name__

    def _parameters(self, node: fx.Node, result: Tensor) -> int:
        if node.op == "call_module":
            return sum(parameter.numel() for parameter in self.fetch_attr(str(node.target)).parameters())
        return result.numel() if node.op == "get_attr" and isinstance(result, nn.Parameter) else 0

    def _view(self, node: fx.Node) -> _View:
        sources = [source for source in node.all_input_nodes if source in self.views]
        if not sources:
            return _View()
        # the finest map sets the step: a gate pooled over the whole map (squeeze and excitation) does not widen it
        finest = max(sources, key=lambda source: math.prod(self.shapes[source][2:]))
        before = _View(
            field=_largest([self.views[source].field for source in sources]),
            jump=self.views[finest].jump,
        )
        if node.op == "call_module":
            return _through_layer(self.fetch_attr(str(node.target)), before, self.shapes[sources[0]])
        if node.op == "call_function" and len(self.shapes[sources[0]]) == 4:
            return _through_function(node, before, self.shapes[sources[0]], self.shapes[node])
        return before


def _through_layer(layer: nn.Module, before: _View, shape: tuple[int, ...]) -> _View:
    if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
        kernel, dilation, stride = _pair(layer.kernel_size), _pair(layer.dilation), _pair(layer.stride)
        reach = ((kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1)
        return before.through(reach, stride)
    if isinstance(layer, Relief):
        return before.through((layer.side, layer.side))
    if isinstance(layer, nn.AvgPool2d):
        return before.through(_pair(layer.kernel_size), _pair(layer.stride))
    if isinstance(layer, nn.AdaptiveAvgPool2d):
        size = _pair(layer.output_size)
        return _adaptive(before, shape, (size[0] or shape[2], size[1] or shape[3]))
    if len(shape) == 4 and type(layer).__name__ in ("Flatten", "MeanMax"):
        return before.through((shape[2], shape[3]))
    return before


def _through_function(node: fx.Node, before: _View, shape: tuple[int, ...], after: tuple[int, ...]) -> _View:
    name = getattr(node.target, "__name__", "")
    if name in ("avg_pool2d", "max_pool2d"):
        kernel = node.kwargs.get("kernel_size", node.args[1] if len(node.args) > 1 else 1)
        stride = node.kwargs.get("stride", node.args[2] if len(node.args) > 2 else kernel)
        return before.through(_pair(kernel), _pair(stride))
    if name in ("adaptive_avg_pool2d", "flatten", "mean"):
        return _adaptive(before, shape, after[2:] if len(after) == 4 else (1, 1))
    return before


def _adaptive(before: _View, shape: tuple[int, ...], size: tuple[int, ...]) -> _View:
    kernel = (math.ceil(shape[2] / size[0]), math.ceil(shape[3] / size[1]))
    return before.through(kernel, (1, 1) if tuple(size) == (1, 1) else kernel)


def _largest(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    return max(pair[0] for pair in pairs), max(pair[1] for pair in pairs)


def _whole(pair: tuple[float, float]) -> tuple[int, int]:
    return round(pair[0]), round(pair[1])
