"""The summary: figures that can be worked out by hand."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from models.network import build_network
from models.recipe import Recipe
from models.summary import summarise


def network(name: str, channels: int, tile: int, **options: object) -> torch.nn.Module:
    content = {"name": "x", "channels": channels, "tiling": {"tile": tile}, "network": {"name": name, **options}}
    return build_network(Recipe.parse(content, "test"), classes=10)


def test_lenet_by_hand() -> None:
    summary = summarise(network("lenet5", 1, 32), 1, 32, 32)
    assert summary.parameters == 61_706
    by_name = {layer.name: layer for layer in summary.layers}
    assert by_name["features.0"].output_shape == (6, 28, 28)
    assert by_name["features.0"].parameters == 156
    assert by_name["features.0"].flops == 2 * 28 * 28 * 6 * 25
    assert [by_name[f"features.{i}"].receptive_field for i in (0, 2, 3, 5)] == [(5, 5), (6, 6), (14, 14), (16, 16)]
    assert by_name["embed.1"].receptive_field == (32, 32)
    assert by_name["head"].flops == 2 * 84 * 10


def test_resnet_sees_as_far_as_published() -> None:
    """435 pixels before the global pooling: Araujo et al., Distill 2019."""
    summary = summarise(network("resnet18", 3, 64), 3, 64, 64)
    last_convolution = [layer for layer in summary.layers if layer.kind == "Conv2d"][-1]
    assert last_convolution.receptive_field == (435, 435)
    assert summary.layers[-1].receptive_field == (435 + 32, 435 + 32)


def test_a_gate_over_the_whole_map_does_not_change_the_step() -> None:
    summary = summarise(network("mobilenet_v3_small", 3, 64), 3, 64, 64)
    assert summary.layers[-1].receptive_field[0] < 2000


@pytest.mark.parametrize("name", ["small", "lenet5", "squeezenet1_1"])
def test_layers_add_up(name: str) -> None:
    net = network(name, 2, 64)
    summary = summarise(net, 2, 64, 64)
    assert sum(layer.parameters for layer in summary.layers) == summary.parameters
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.eval()(torch.zeros(1, 2, 64, 64))
    assert summary.flops == counter.get_total_flops()


def test_the_network_is_left_as_it_is() -> None:
    net = network("small", 2, 64).train()
    summarise(net, 2, 64, 64)
    assert net.training
    assert next(net.parameters()).device.type == "cpu"


def test_the_table_is_for_people() -> None:
    table = str(summarise(network("lenet5", 1, 32), 1, 32, 32)).splitlines()
    assert table[0].split() == ["layer", "kind", "output", "parameters", "receptive", "field", "FLOPs"]
    assert "61,706" in table[-1]
    assert "14 × 14" in table[4]
