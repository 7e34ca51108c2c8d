"""Networks: three parts, one pass, any number of channels; weights go to arrays and back."""

from typing import get_args
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import nn

from models.backbones import _with_channels
from models.domain.errors import ConfigurationError, RetryableError
from models.network import MeanMax, Network, Relief, Residual, build_network, restore_network, weights_of
from models.recipe import NetworkName, NetworkRecipe, PreprocessingRecipe, Recipe, TilingRecipe

QUICK = ("small", "residual", "lenet5", "resnet18", "squeezenet1_1", "mobilenet_v3_small")


def recipe(name: str = "small", channels: int = 2, tile: int = 64, **network: object) -> Recipe:
    return Recipe.parse(
        {"name": "x", "channels": channels, "tiling": {"tile": tile}, "network": {"name": name, **network}}, "test"
    )


def run(network: Network, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        return network.eval()(torch.randn(*shape, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in get_args(NetworkName)]
)
@pytest.mark.parametrize("channels", [1, 5])
def test_every_network_takes_any_channels_and_gives_logits_and_embedding(name: str, channels: int) -> None:
    tile = 96
    network = build_network(recipe(name, channels, tile), classes=7)
    logits, embeddings = run(network, 2, channels, tile, tile)
    assert logits.shape == (2, 7)
    assert embeddings.shape == (2, network.head.in_features)
    torch.testing.assert_close(logits, network.head(embeddings))


@pytest.mark.parametrize(
    "options",
    [
        {"embedding": 0},
        {"embedding": 32, "dropout": 0.5},
        {"pooling": "mean+max"},
        {"normalisation": "group"},
        {"padding": "none", "convolutions": 1},
        {"widths": [6, 10], "convolutions": 3},
    ],
)
def test_the_small_network_has_its_options(options: dict[str, object]) -> None:
    network = build_network(recipe(**options), classes=3)
    logits, embeddings = run(network, 2, 2, 64, 64)
    assert logits.shape == (2, 3)
    expected = options.get("embedding", 128) or options.get("widths", [192])[-1]  # type: ignore[index]
    assert embeddings.shape[1] == expected


def test_the_radius_widens_the_first_layer() -> None:
    with_radius = recipe().model_copy(update={"preprocessing": PreprocessingRecipe(radius=True)})
    assert build_network(with_radius, 3).features[0].in_channels == 3  # type: ignore[index, union-attr]


def test_lenet_has_the_parameters_of_the_paper() -> None:
    network = build_network(recipe("lenet5", channels=1, tile=32), classes=10)
    assert sum(parameter.numel() for parameter in network.parameters()) == 61_706


@pytest.mark.parametrize(
    ("name", "tile", "options"),
    [("lenet5", 12, {}), ("residual", 8, {}), ("small", 64, {"padding": "none"}), ("alexnet", 16, {})],
)
def test_a_tile_that_vanishes_is_refused(name: str, tile: int, options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="tile is too small"):
        build_network(recipe(name, tile=tile, **options), classes=3)


@pytest.mark.parametrize("name", ["small", "residual", "lenet5"])
def test_ready_weights_for_our_own_networks_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="no ready weights"):
        build_network(recipe(name, weights="DEFAULT"), classes=3)


def test_building_for_a_bundle_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise URLError("no network here")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    build_network(recipe("resnet18", weights="DEFAULT"), classes=3)
    with pytest.raises(RetryableError, match="no network here"):
        build_network(recipe("resnet18", weights="DEFAULT"), classes=3, pretrained=True)


def test_weights_go_to_arrays_and_back() -> None:
    network = build_network(recipe(), classes=3)
    run(network.train(), 4, 2, 64, 64)
    arrays = {name: array.copy() for name, array in weights_of(network).items()}
    for array in arrays.values():
        array.flags.writeable = False
    restored = restore_network(recipe(), 3, arrays, "here")
    assert not restored.training
    torch.testing.assert_close(run(restored, 2, 2, 64, 64), run(network, 2, 2, 64, 64))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda w: w.pop("head.bias"),
        lambda w: w.update({"head.bias": np.zeros(4, np.float32)}),
        lambda w: w.update(more=np.zeros(1, np.float32)),
    ],
)
def test_weights_of_another_network_are_refused(spoil: object) -> None:
    arrays = weights_of(build_network(recipe(), classes=3))
    spoil(arrays)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match="do not fit the recipe's network: here"):
        restore_network(recipe(), 3, arrays, "here")


def test_mean_and_max_stand_side_by_side() -> None:
    features = torch.zeros(1, 2, 3, 3)
    features[0, 1, 0, 0] = 9
    torch.testing.assert_close(MeanMax()(features).flatten(), torch.tensor([0.0, 1.0, 0.0, 9.0]))


def test_filters_for_colour_are_spread_over_other_channels() -> None:
    old = nn.Conv2d(3, 4, 3, bias=True)
    new = _with_channels(old, 2, keep_weights=True)
    # a grey picture, the same value in every channel, looks the same to both
    grey = torch.randn(1, 1, 8, 8)
    torch.testing.assert_close(new(grey.expand(-1, 2, -1, -1)), old(grey.expand(-1, 3, -1, -1)))


def test_tiling_recipe_is_what_the_probe_uses() -> None:
    wide = Recipe(name="x", tiling=TilingRecipe(tile=128), network=NetworkRecipe(padding="none"))
    assert build_network(wide, 2).head.in_features == 128


@pytest.mark.parametrize("tile", [16, 50, 64])
def test_the_residual_network_takes_odd_maps_and_says_what_it_has(tile: int) -> None:
    options = {"widths": [24, 48, 96, 160], "pooling": "mean+max", "embedding": 0, "dropout": 0.2}
    network = build_network(recipe("residual", 3, tile, **options), classes=9)
    logits, embeddings = run(network, 2, 3, tile, tile)
    assert logits.shape == (2, 9)
    assert embeddings.shape == (2, 320)
    assert sum(parameter.numel() for parameter in network.parameters()) == 550_585


def test_both_ways_of_a_residual_block_reach_the_logits() -> None:
    block = build_network(recipe("residual", widths=[4, 8]), classes=3).features[3].eval()  # type: ignore[index]
    assert isinstance(block, Residual)
    maps = torch.randn(1, 4, 8, 8)
    whole = block(maps)
    assert whole.shape == (1, 8, 4, 4)
    torch.testing.assert_close(whole, torch.relu(block.path(maps) + block.shortcut(maps)))


def test_in_relief_light_makes_no_difference_and_what_lies_there_does() -> None:
    torch.manual_seed(0)
    relief, ground = Relief(9), torch.randn(2, 3, 40, 40) * 0.3
    seen = relief(ground)
    assert seen.shape == (2, 3, 32, 32)
    torch.testing.assert_close(relief(ground + torch.tensor([0.4, -0.2, 0.1]).view(3, 1, 1)), seen, atol=1e-4, rtol=0)
    assert (relief(ground * 0.5) - seen).abs().mean() < 0.25 * seen.abs().mean(), "but for the floor of the spread"
    assert relief(torch.full((1, 3, 9, 9), 0.7)).abs().max() < 1e-5
    ground[:, :, 20, 20] += 3
    assert relief(ground)[:, :, 16, 16].min() > 2


def test_relief_is_the_mean_and_the_spread_of_the_square() -> None:
    torch.manual_seed(0)
    pixels = torch.rand(1, 1, 11, 12) * 2 - 1
    square = pixels[0, 0, 1:8, 3:10]
    expected = (pixels[0, 0, 4, 6] - square.mean()) / (square.std(correction=0) + Relief.FLOOR)
    torch.testing.assert_close(Relief(7)(pixels)[0, 0, 1, 3], expected)


@pytest.mark.parametrize("network", [{"relief": 8}, {"name": "lenet5", "relief": 9}])
def test_relief_that_cannot_be_is_refused(network: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"network\.relief"):
        Recipe.parse({"name": "x", "network": network}, "test")


def test_a_square_larger_than_the_tile_is_refused() -> None:
    recipe = Recipe.parse({"name": "x", "tiling": {"tile": 32}, "network": {"relief": 33}}, "test")
    with pytest.raises(ConfigurationError):
        build_network(recipe, classes=2)
