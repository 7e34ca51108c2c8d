"""What augmenting wafers as points costs beside the training step it prepares.

    python -m benchmarks.augmentation [--wafers 512] [--threads 1] [--recipe pipelines/recipes/demo.yaml]

Trains one epoch of the recipe on simulated wafers by the product's own loop, for each number of defects and each set of
changes, and reads the share the loop itself measures and logs (`augmentation_share`): from the places of the defects to
pixels, strangers included. Asserts that the recipe as it stands takes no more than a tenth of the time of training on
wafers of a thousand to ten thousand defects, and prints what every change at once takes, and wafers of other sizes.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from models.domain.verdict import Labels
from models.recipe import Recipe
from models.training_recipe import AugmentationRecipe
from pipelines.dataset.loading import draw
from pipelines.dataset.patches import PatchSet, targets_of
from pipelines.dataset.places import DefectPlaces
from pipelines.dataset.samples import DatasetKind
from pipelines.simulate import NORMAL, PATTERNS, sample
from pipelines.training.beginning import state_of
from pipelines.training.loop import Job, fit

LIMIT = 0.10
AS_PROMISED = (1_000, 10_000)
SIZES = (AS_PROMISED, (10_000, 10_000), (100, 1_000), (300_000, 1_000_000))
EVERYTHING = AugmentationRecipe(
    rotation=True, shift=0.02, jitter=0.01, thin=0.3, thicken=0.2, noise=0.2, hide=0.2, mix=0.5
)


def wafers(count: int, defects: tuple[int, int], tile: int) -> PatchSet:
    """Simulated wafers of all patterns, each its own lot."""
    names = [PATTERNS[place % len(PATTERNS)] for place in range(count)]
    points = [sample(name, seed, defects=defects).points for seed, name in enumerate(names)]
    text = np.asarray([f"{place}" for place in range(count)])
    return PatchSet(
        pixels=draw(points, tile),
        targets=targets_of([(name,) for name in names], PATTERNS),
        groups=text,
        ids=text,
        splits=np.full(count, "train"),
        unknown=np.full(count, ""),
        labels=Labels(tuple(PATTERNS), NORMAL),
        places=DefectPlaces.of(points, tile),
    )


def share(recipe: Recipe, patches: PatchSet) -> float:
    """Share of an epoch's training time that goes into augmentation; the better of two epochs."""
    few = np.arange(len(patches)) < len(PATTERNS)
    job = Job(recipe, DatasetKind.POINTS, patches.only(~few), patches.only(few), torch.device("cpu"))
    curves = fit(job, state_of(recipe, patches.labels)).curves
    return min(record.augmentation for record in curves)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--wafers", type=int, default=512)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--recipe", type=Path, default=Path("pipelines/recipes/demo.yaml"))
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    recipe = Recipe.load(options.recipe)
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 2})})
    changes = {"as in the recipe": recipe.training.augmentation, "every change at once": EVERYTHING}
    found: dict[tuple[tuple[int, int], str], float] = {}
    for defects in SIZES:
        patches = wafers(options.wafers, defects, recipe.tiling.tile)
        assert patches.places is not None
        kept = len(patches.places.row) / len(patches)
        for name, augmentation in changes.items():
            training = recipe.training.model_copy(update={"augmentation": augmentation})
            found[defects, name] = share(recipe.model_copy(update={"training": training}), patches)
            print(f"{defects[0]:>9,} to {defects[1]:>9,} defects, {kept:>6,.0f} places a wafer, {name}: ", end="")
            print(f"{found[defects, name]:.1%} of the training", flush=True)
        del patches
    asked = found[AS_PROMISED, "as in the recipe"]
    assert asked <= LIMIT, f"augmentation takes {asked:.1%} of the training"


if __name__ == "__main__":
    main()
