"""Which layers of a network that starts from ready weights learn, when, and how fast."""

import pytest
import torch

from models.network import Network, build_network
from models.recipe import Recipe
from models.training_recipe import TrainingRecipe, TransferRecipe
from pipelines.training.layer_groups import layer_groups, learning_groups, parameter_groups, rate_shares, set_learning
from pipelines.training.state import new_state


def network(name: str = "small", **settings: object) -> Network:
    tile = 64 if name in ("small", "residual", "lenet5") else 96
    content = {"name": "r", "tiling": {"tile": tile}, "network": {"name": name, **settings}}
    torch.manual_seed(0)
    return build_network(Recipe.parse(content, where="test"), 3)


def recipe(**transfer: object) -> TrainingRecipe:
    return TrainingRecipe(epochs=10, transfer=TransferRecipe(**transfer))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "settings", "groups"),
    [
        ("small", {}, 4),
        ("residual", {"embedding": 0, "widths": [8, 16, 32]}, 3),
        ("lenet5", {}, 4),
        ("resnet18", {}, 3),
        ("densenet121", {}, 3),
        ("mobilenet_v3_small", {}, 4),
    ],
)
def test_groups_are_the_whole_network_once(name: str, settings: dict[str, object], groups: int) -> None:
    made = network(name, **settings)
    found = layer_groups(made)
    assert len(found) == groups
    weights = [id(weight) for group in found for module in group for weight in module.parameters()]
    assert sorted(weights) == sorted(id(weight) for weight in made.parameters())
    assert found[-1] == (made.head,)


def test_earlier_groups_learn_slower() -> None:
    assert rate_shares(recipe(rate_ratio=3), 3) == pytest.approx([1 / 9, 1 / 3, 1])
    assert rate_shares(TrainingRecipe(), 4) == [1, 1, 1, 1]
    made = network()
    shares = {group["share"] for group in parameter_groups(made, recipe(rate_ratio=10))}
    assert sorted(shares) == pytest.approx([1e-3, 1e-2, 0.1, 1])
    optimiser = new_state(recipe(rate_ratio=10), made).optimiser
    held = [id(weight) for group in optimiser.param_groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in made.parameters())


def test_unfreezing_goes_from_the_head_down() -> None:
    gradual = recipe(head_epochs=2, unfreeze_every=3)
    assert [learning_groups(gradual, epoch, 4) for epoch in range(10)] == [1, 1, 2, 2, 2, 3, 3, 3, 4, 4]
    assert [learning_groups(recipe(head_epochs=1), epoch, 4) for epoch in range(3)] == [1, 4, 4]
    assert learning_groups(TrainingRecipe(epochs=5), 0, 4) == 4
    assert learning_groups(TrainingRecipe(epochs=5), 5, 4) == 1, "the second stage trains the head alone"


def test_what_rests_neither_learns_nor_counts() -> None:
    made = network(normalisation="batch")
    set_learning(made, recipe(head_epochs=1), 0)
    assert [name for name, weight in made.named_parameters() if weight.requires_grad] == ["head.weight", "head.bias"]
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    made(torch.rand(4, 2, 64, 64))
    assert all(torch.equal(before[name], buffer) for name, buffer in made.named_buffers())
    set_learning(made, recipe(head_epochs=1), 1)
    assert all(weight.requires_grad for weight in made.parameters())
    made(torch.rand(4, 2, 64, 64))
    assert not all(torch.equal(before[name], buffer) for name, buffer in made.named_buffers())


def test_statistics_may_stay_while_all_layers_learn() -> None:
    made = network(normalisation="batch")
    set_learning(made, recipe(head_epochs=0, frozen_statistics=True), 3)
    before = {name: buffer.clone() for name, buffer in made.named_buffers()}
    made(torch.rand(4, 2, 64, 64))
    assert all(torch.equal(before[name], buffer) for name, buffer in made.named_buffers())
    assert all(weight.requires_grad for weight in made.parameters())
