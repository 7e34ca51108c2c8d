"""What a training begins with, in every process that takes part: the patches, and the state before the first step."""

from pathlib import Path

import torch

from models.domain.verdict import Labels
from models.network import build_network
from models.recipe import Recipe
from pipelines.dataset.loading import load_patches
from pipelines.dataset.manifest import read_dataset_manifest
from pipelines.training.loop import Job
from pipelines.training.ready_weights import ReadyWeights, network_from
from pipelines.training.state import State, new_state


def job_of(recipe: Recipe, data_dir: Path, device: torch.device) -> Job:
    """The training and validation patches of a dataset, drawn as the recipe says.

    Raises:
        ConfigurationError: recipe and dataset do not fit.
    """
    tile, channels = recipe.tiling.tile, recipe.channels
    patches = load_patches(data_dir, tile=tile, channels=channels, splits=("train", "valid"), places=True)
    kind = read_dataset_manifest(data_dir).kind
    return Job(recipe, kind, patches.split("train"), patches.split("valid"), device)


def state_of(recipe: Recipe, labels: Labels, ready: ReadyWeights | None = None) -> State:
    """The state before the first step: the same bits in every process.

    Args:
        recipe: how.
        labels: the classes to learn.
        ready: weights to start from; None = fresh ones, or torchvision's where the recipe says so.

    Raises:
        ConfigurationError: the ready weights are not of the recipe's network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        if ready is not None:
            network = network_from(ready, recipe, labels)
        else:
            network = build_network(recipe, len(labels.names), pretrained=True)
    return new_state(recipe.training, network)
