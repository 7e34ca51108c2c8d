"""Ready weights land in the layers they were made for, or nowhere."""

from pathlib import Path

import pytest
import torch
import torchvision.models as zoo
from safetensors.torch import save_file

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from models.recipe import Recipe
from pipelines.training.ready_weights import load_ready_weights, network_from
from pipelines.training.train import Trained, train


class Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("/tmp/never"),)


def recipe(trained: Trained, **changes: object) -> Recipe:
    return Recipe.parse(trained.manifest.recipe.model_dump(mode="json") | changes, where="test")


def test_a_bundle_gives_all_its_layers(trained: Trained) -> None:
    ready = load_ready_weights(trained.directory)
    assert ready.labels == trained.manifest.labels
    network = network_from(ready, trained.manifest.recipe, trained.manifest.labels)
    assert all(torch.equal(tensor, ready.weights[name]) for name, tensor in network.state_dict().items())


def test_other_classes_get_a_fresh_head(trained: Trained) -> None:
    ready = load_ready_weights(trained.directory)
    network = network_from(ready, trained.manifest.recipe, Labels(("A", "B"), normal="A"))
    assert network.head.out_features == 2
    assert torch.equal(network.features[0].weight, ready.weights["features.0.weight"])


def test_other_channels_get_the_mean_of_the_filters(trained: Trained) -> None:
    ready = load_ready_weights(trained.directory)
    wider = recipe(trained, preprocessing={"radius": True})
    first = network_from(ready, wider, trained.manifest.labels).features[0].weight
    old = ready.weights["features.0.weight"]
    torch.testing.assert_close(first.sum(1), old.sum(1))
    assert torch.equal(first[:, 0], first[:, 2])


def test_another_network_is_refused(trained: Trained) -> None:
    ready = load_ready_weights(trained.directory)
    for network in ({"widths": [8, 24], "convolutions": 1, "embedding": 16}, {"name": "lenet5"}):
        with pytest.raises(ConfigurationError, match="do not fit the recipe's network"):
            network_from(ready, recipe(trained, network=network, tiling={"tile": 32}), trained.manifest.labels)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_as_torchvision_writes_it(tmp_path: Path, suffix: str) -> None:
    torch.manual_seed(1)
    theirs = zoo.squeezenet1_1(weights=None)
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(theirs.state_dict(), path)
    else:
        save_file(theirs.state_dict(), path)
    content = {"name": "r", "kind": "image", "channels": 3, "tiling": {"tile": 64}}
    mine = Recipe.parse(content | {"network": {"name": "squeezenet1_1"}}, where="test")
    network = network_from(load_ready_weights(path), mine, Labels(("A", "B")))
    torch.testing.assert_close(network.features[0].weight, theirs.features[0].weight)
    other = Recipe.parse(content | {"network": {"name": "resnet18"}}, where="test")
    with pytest.raises(ConfigurationError, match="not of this network"):
        network_from(load_ready_weights(path), other, Labels(("A", "B")))


def test_code_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "evil.pth"
    torch.save({"weight": Code()}, path)
    with pytest.raises(ConfigurationError, match="cannot read weights"):
        load_ready_weights(path)


@pytest.mark.parametrize("content", [b"", b"nonsense"])
def test_what_is_no_weights(tmp_path: Path, content: bytes) -> None:
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigurationError, match="cannot read weights"):
            load_ready_weights(tmp_path / name)


def test_a_training_that_starts_from_a_bundle_begins_where_it_ended(
    trained: Trained, dataset: Path, tmp_path: Path
) -> None:
    content = trained.manifest.recipe.model_dump(mode="json")
    content["training"] |= {"epochs": 1, "lr": 1e-4, "transfer": {"head_epochs": 1}}
    short = Recipe.parse(content, where="test")
    again = train(short, dataset, tmp_path / "out", start=trained.directory)
    assert again.report.forced_macro_f1 > trained.report.forced_macro_f1 - 0.05
    fresh = train(short, dataset, tmp_path / "fresh")
    assert again.report.forced_macro_f1 > fresh.report.forced_macro_f1 + 0.2
    assert "Started from the weights of bundle small" in (tmp_path / "out" / "card.md").read_text()
