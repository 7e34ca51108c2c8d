"""A row of pictures for every class."""

from pathlib import Path

from matplotlib.figure import Figure

from models.training_recipe import AugmentationRecipe
from pipelines.dataset.loading import load_patches
from pipelines.dataset.patches import PatchSet
from pipelines.dataset.samples import DatasetKind
from pipelines.training.augmentation import Augmenter
from pipelines.training.gallery import gallery


def test_every_class_has_a_row_that_begins_with_the_original(dataset: Path) -> None:
    patches = load_patches(dataset, tile=16, channels=2, splits=("train",))
    augmenter = Augmenter(AugmentationRecipe(mix=0.5), patches.labels, DatasetKind.DIE_MAPS)
    figure = gallery(patches, augmenter)
    assert_rows(figure, patches)


def test_points_are_shown_as_they_are_trained(points_dataset: Path) -> None:
    patches = load_patches(points_dataset, tile=16, channels=2, splits=("train",), places=True)
    assert_rows(gallery(patches, Augmenter(AugmentationRecipe(mix=0.5), patches.labels, DatasetKind.POINTS)), patches)


def assert_rows(figure: Figure, patches: PatchSet) -> None:
    rows = [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()]
    assert rows == list(patches.labels.names)
    assert len(figure.axes) == 3 * 8
