"""The loop learns, repeats itself by seed, and resumes exactly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.domain.errors import ConfigurationError
from models.domain.verdict import Labels
from models.network import Network, build_network
from models.recipe import Recipe
from pipelines.dataset.loading import load_patches
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.training.beginning import job_of
from pipelines.training.loop import Job, fit
from pipelines.training.state import EpochRecord, State, load_checkpoint, new_state, save_checkpoint

CPU = torch.device("cpu")


def small(**training: object) -> Recipe:
    settings = {"epochs": 4, "batch": 32, "samples_per_epoch": 128, "lr": 0.01, "precision": "float32"}
    network = {"widths": [8, 16], "convolutions": 1, "embedding": 16, "dropout": 0.2}
    content = {"name": "small", "tiling": {"tile": 16}, "network": network, "training": settings | training}
    return Recipe.parse(content, where="test")


@pytest.fixture(scope="module")
def patches(dataset: Path) -> PatchSet:
    found = load_patches(dataset, tile=16, channels=2, splits=("train", "valid"))
    return found.only(found.known)


def job(recipe: Recipe, patches: PatchSet) -> Job:
    return Job(recipe, DatasetKind.DIE_MAPS, patches.split("train"), patches.split("valid"), CPU)


def start(recipe: Recipe, classes: int = 3) -> State:
    torch.manual_seed(recipe.training.seed)
    return new_state(recipe.training, build_network(recipe, classes))


class Stop:
    """Kills the run after some epochs, as a power cut would, having saved a checkpoint."""

    def __init__(self, path: Path, after: int) -> None:
        self.path, self.after = path, after

    def on_stage(self, name: str) -> None: ...

    def on_step(self, done: int, total: int, loss: float) -> None: ...

    def on_epoch(self, record: object, state: State) -> None:
        save_checkpoint(self.path, state, "run")
        if state.epoch == self.after:
            raise KeyboardInterrupt


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_it_learns(patches: PatchSet) -> None:
    recipe = small(epochs=8, samples_per_epoch=256)
    found = fit(job(recipe, patches), start(recipe))
    assert len(found.curves) == 8
    assert found.curves[-1].loss < 0.5 * found.curves[0].loss
    assert max(record.score for record in found.curves) > 0.8
    assert found.best_epoch == max(range(8), key=lambda epoch: found.curves[epoch].score)
    for record in found.curves:
        assert tuple(record.drawn) == patches.labels.names
        assert sum(record.drawn.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("choose", "best"), [("macro-f1", lambda one: -one.score), ("loss", lambda one: one.valid_loss)]
)
def test_the_recipe_says_what_the_kept_epoch_is_chosen_by(
    patches: PatchSet, choose: str, best: Callable[[EpochRecord], float]
) -> None:
    recipe = small(epochs=6, samples_per_epoch=128, choose=choose)
    found = fit(job(recipe, patches), start(recipe))
    assert found.best_epoch == min(found.curves, key=best).epoch


def test_what_each_epoch_shows_is_recorded(patches: PatchSet) -> None:
    recipe = small(epochs=3, samples_per_epoch=256, sampler="progressive")
    first, _, last = fit(job(recipe, patches), start(recipe)).curves
    natural = patches.counts / patches.counts.sum()
    assert list(first.drawn.values()) == pytest.approx(natural, abs=0.02)
    assert list(last.drawn.values()) == pytest.approx([1 / len(natural)] * len(natural), abs=0.02)


@pytest.mark.parametrize(
    "training",
    [
        {"ema": 0.9, "augmentation": {"thin": 0.2, "rotation": True}, "sampler": "progressive"},
        {"optimiser": "sgd", "schedule": "plateau", "rebalance_epochs": 1, "lot_power": 0.5},
    ],
)
def test_a_killed_run_resumes_to_the_same_bits(patches: PatchSet, tmp_path: Path, training: dict[str, object]) -> None:
    recipe = small(**training)
    whole = fit(job(recipe, patches), start(recipe))
    with pytest.raises(KeyboardInterrupt):
        fit(job(recipe, patches), start(recipe), (Stop(tmp_path / "c.pt", after=2),))
    resumed = start(recipe)
    load_checkpoint(tmp_path / "c.pt", resumed, "run")
    torch.manual_seed(12345)  # whatever chance the new process has
    found = fit(job(recipe, patches), resumed)
    assert same(found.weights, whole.weights)
    assert [record.loss for record in found.curves] == [record.loss for record in whole.curves]


def test_points_are_learned_and_resumed_as_points(points_dataset: Path, tmp_path: Path) -> None:
    changes = {"rotation": True, "jitter": 0.01, "thin": 0.3, "thicken": 0.1, "noise": 0.1, "mix": 0.5}
    recipe = small(augmentation=changes, samples_per_epoch=256, epochs=6)
    made = job_of(recipe, points_dataset, CPU)
    whole = fit(made, start(recipe))
    assert whole.curves[-1].loss < 0.7 * whole.curves[0].loss
    with pytest.raises(KeyboardInterrupt):
        fit(made, start(recipe), (Stop(tmp_path / "c.pt", after=2),))
    resumed = start(recipe)
    load_checkpoint(tmp_path / "c.pt", resumed, "run")
    assert same(fit(job_of(recipe, points_dataset, CPU), resumed).weights, whole.weights)


def test_equal_seeds_give_equal_weights_and_others_do_not(patches: PatchSet) -> None:
    first, again, other = (
        fit(job(recipe, patches), start(recipe))
        for recipe in (small(epochs=1), small(epochs=1), small(epochs=1, seed=1))
    )
    assert same(first.weights, again.weights)
    assert not same(first.weights, other.weights)


def test_the_callers_chance_is_left_alone(patches: PatchSet) -> None:
    state = start(small(epochs=1))
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    fit(job(small(epochs=1), patches), state)
    assert torch.equal(torch.rand(3), expected)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.pt", start(small()), "one")
    with pytest.raises(ConfigurationError, match="another run"):
        load_checkpoint(tmp_path / "c.pt", start(small()), "two")
    (tmp_path / "c.pt").write_bytes(b"half a file")
    with pytest.raises(ConfigurationError, match="cannot read checkpoint"):
        load_checkpoint(tmp_path / "c.pt", start(small()), "one")


def test_training_ends_early_when_validation_stalls(patches: PatchSet) -> None:
    recipe = small(epochs=12, patience=1, lr=1e-7)
    assert len(fit(job(recipe, patches), start(recipe)).curves) < 12


def test_second_stage_moves_the_head_alone(patches: PatchSet) -> None:
    recipe = small(epochs=1, rebalance_epochs=1)
    state = start(recipe)
    first = fit(job(small(epochs=1), patches), start(small(epochs=1)))
    fit(job(recipe, patches), state)
    weights = state.network.state_dict()
    moved = {name for name in weights if not torch.equal(weights[name].cpu(), first.weights[name])}
    assert moved == {"head.weight", "head.bias"}


def test_divergence_is_said_with_a_remedy(patches: PatchSet) -> None:
    recipe = small(optimiser="sgd", lr=1e30, clip=None, schedule="constant", warmup_share=0)
    with pytest.raises(ConfigurationError, match=r"diverged.*lower recipe\.training\.lr"):
        fit(job(recipe, patches), start(recipe))


def test_lots_on_both_sides_are_refused(patches: PatchSet) -> None:
    train = patches.split("train")
    with pytest.raises(ConfigurationError, match="share groups"):
        Job(small(), DatasetKind.DIE_MAPS, train, train, CPU)


def test_several_labels_are_learned(patches: PatchSet) -> None:
    flags = patches.targets[:, :2]  # Center and Edge-Ring; none = neither
    several = replace(patches, targets=flags, labels=Labels(patches.labels.names[:2], "none", exclusive=False))
    recipe = small(epochs=50, samples_per_epoch=256, augmentation={"mix": 0.2})  # 400 steps: two patterns take longer
    found = fit(job(recipe, several), start(recipe, classes=2))
    assert max(record.score for record in found.curves) > 0.8


def test_half_precision_trains_too(patches: PatchSet) -> None:
    recipe = small(precision="bfloat16", epochs=2)
    found = fit(job(recipe, patches), start(recipe))
    assert np.isfinite(found.curves[-1].loss)
    network: Network = build_network(recipe, 3)
    network.load_state_dict(found.weights)
    assert {tensor.dtype for tensor in found.weights.values()} == {torch.float32, torch.int64}
