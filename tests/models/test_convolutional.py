"""Folding changes the work, not the result."""

import pytest
import torch
from torch import nn

from models.convolutional import folded
from models.network import build_network
from models.recipe import Recipe


@pytest.mark.parametrize("name", ["small", "residual"])
def test_a_folded_network_says_the_same_without_its_normalisation(name: str) -> None:
    content = {"name": "x", "tiling": {"tile": 32}, "network": {"name": name, "widths": [4, 8, 8]}}
    torch.manual_seed(0)
    network = build_network(Recipe.parse(content, "test"), classes=3)
    with torch.no_grad():
        for _ in range(5):  # statistics that are not the ones batch normalisation starts with
            network.train()(torch.randn(16, 2, 32, 32) * 3 + 1)
        inputs = torch.randn(4, 2, 32, 32)
        expected = network.eval().features(inputs)
        less = folded(network.features)
        assert not any(isinstance(layer, nn.BatchNorm2d) for layer in less.modules())
        torch.testing.assert_close(less(inputs), expected, rtol=1e-4, atol=1e-5)
